"""What lies on the sandbox phones."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.tenancy.models import TenantModel


class SandboxDeliveryQuerySet(models.QuerySet["SandboxDelivery"]):
    """Filters for the page that shows a phone."""

    def on_phone_of(self, patient_id: object) -> "SandboxDeliveryQuerySet":
        """Everything one patient was shown, the newest first."""
        return self.filter(patient_id=patient_id).order_by("-delivered_at", "-id")


class SandboxDelivery(TenantModel):
    """One message as it appeared on a patient's sandbox phone. Written once per message key, never changed.

    What it says is sealed under the patient's key, so that erasing the patient empties the phone too; no
    address is kept, because a phone is its patient's.
    """

    class Plays(models.TextChoices):
        LINE = "line", _("LINE")
        SMS = "sms", _("SMS")
        EMAIL = "email", _("E-mail")

    id = models.BigAutoField(primary_key=True)
    channel_id = models.UUIDField()
    message_key = models.UUIDField()
    patient_id = models.UUIDField()
    plays = models.CharField(max_length=5, choices=Plays)
    # {subject, text, quick_replies: [{label, text, data, url}], buttons: [{label, data, url}], links,
    # unsubscribe_url}
    content_sealed = models.BinaryField()
    message_class = models.CharField(max_length=20)
    language = models.CharField(max_length=10)
    delivered_at = models.DateTimeField()

    objects = SandboxDeliveryQuerySet.as_manager()

    class Meta:
        db_table = "channels_sandbox_delivery"
        constraints = [
            models.UniqueConstraint(fields=["organization", "message_key"], name="sandbox_delivery_once_per_key"),
        ]
        indexes = [
            models.Index(fields=["organization", "patient_id", "-delivered_at"], name="sandbox_delivery_phone"),
        ]
