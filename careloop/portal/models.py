"""Who is signed in to the patients' pages, codes on their way, and bookings that are being made."""

from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.scheduling.models import Appointment, Service
from careloop.tenancy.models import TenantModel


class PatientSession(TenantModel):
    """A patient signed in on one device. The cookie's token is kept as a hash only.

    `acting_for` is the family member looked at; whether that is (still) allowed is asked anew at every request.
    """

    class How(models.TextChoices):
        CODE = "code", pgettext_lazy("signed in by", "one-time code")
        LINE = "line", "LINE"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    token_hash = models.BinaryField()
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="+", db_index=False)
    acting_for = models.ForeignKey(Patient, models.SET_NULL, null=True, related_name="+", db_index=False)
    how = models.CharField(max_length=10, choices=How)
    device = models.CharField(max_length=80, blank=True, default="")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "portal_session"
        constraints = [
            models.UniqueConstraint(fields=["organization", "token_hash"], name="patient_session_token_once")
        ]
        indexes = [
            models.Index(fields=["organization", "patient", "-seen_at"], name="patient_session_by_patient"),
            models.Index(fields=["acting_for"], name="patient_session_acting_for", condition=models.Q(acting_for__isnull=False)),
        ]  # fmt: skip


class OneTimeCode(TenantModel):
    """Six digits on their way to an address that somebody typed, known here or not.

    The digits are stored nowhere: they are made from the row's id with a key of the installation, when they are sent and when
    they are compared. `browser_hash` is of the browser that asked: nobody else can use them. The address is sealed under the
    organization's key, because it may be nobody's we know.
    """

    class Purpose(models.TextChoices):
        SIGN_IN = "SIGN_IN", pgettext_lazy("one-time code", "signing in")
        REGISTER = "REGISTER", pgettext_lazy("one-time code", "first booking")
        CONTACT = "CONTACT", pgettext_lazy("one-time code", "new number or address")
        LINE = "LINE", pgettext_lazy("one-time code", "connecting LINE")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.CharField(max_length=10, choices=Purpose)
    browser_hash = models.BinaryField()
    system = models.CharField(max_length=10)
    address_sealed = models.BinaryField()
    language = models.CharField(max_length=10)
    # known only where the address was given for somebody: REGISTER and CONTACT
    patient = models.ForeignKey(Patient, models.CASCADE, null=True, related_name="+", db_index=False)
    is_new_patient = models.BooleanField(default=False)
    line_sealed = models.BinaryField(null=True)
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # the digits were right, but several people have this address: who of them is still to be said
    proved_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "portal_one_time_code"
        indexes = [
            models.Index(fields=["organization", "browser_hash", "-created_at"], name="one_time_code_by_browser"),
            models.Index(fields=["patient"], name="one_time_code_by_patient", condition=models.Q(patient__isnull=False)),
        ]  # fmt: skip


class Booking(TenantModel):
    """A booking that is being made in one browser; its id comes with the form, so that a double click makes one.

    `patient` is known when the visitor is signed in or has just registered; `is_proved` when the phone was verified by a code.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    browser_hash = models.BinaryField()
    service = models.ForeignKey(Service, models.CASCADE, related_name="+", db_index=False)
    appointment = models.ForeignKey(Appointment, models.SET_NULL, null=True, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, models.CASCADE, null=True, related_name="+", db_index=False)
    says_first = models.BooleanField(default=False)
    is_new_patient = models.BooleanField(default=False)
    is_proved = models.BooleanField(default=False)
    attempt = models.PositiveSmallIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "portal_booking"
        indexes = [
            models.Index(fields=["organization", "browser_hash", "-created_at"], name="portal_booking_by_browser"),
            models.Index(fields=["organization", "created_at"], name="portal_booking_by_time"),
            models.Index(fields=["patient"], name="portal_booking_by_patient", condition=models.Q(patient__isnull=False)),
        ]  # fmt: skip
