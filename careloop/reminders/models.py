"""What a clinic wants to be said about visits, and when."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from careloop.tenancy.models import TenantModel


class ReminderSettings(TenantModel):
    """An organization's choices; without a row these defaults count.

    What tells of a change (moved, called off, session closed, substitute) has no switch: a wrong time in a patient's head is
    what all of this is for.
    """

    id = models.BigAutoField(primary_key=True)
    confirmation = models.BooleanField(_("Confirmation as soon as a visit is booked"), default=True)
    early = models.BooleanField(_("Reminder some days before"), default=True)
    early_from_days = models.PositiveSmallIntegerField(
        _("First day it may go"), default=5, help_text=_("Days before the visit.")
    )
    early_to_days = models.PositiveSmallIntegerField(
        _("Last day it may go"), default=3,
        help_text=_("It goes as early as it can without following the booking too closely."),
    )  # fmt: skip
    day_before = models.BooleanField(_("Reminder on the day before"), default=True)
    same_day = models.BooleanField(_("Reminder on the day itself"), default=True)
    hour = models.PositiveSmallIntegerField(_("Reminders on earlier days leave at"), default=10)
    same_day_hour = models.PositiveSmallIntegerField(_("The reminder on the day itself leaves at"), default=8)
    turn_near = models.BooleanField(
        _("“Come back” when it is soon the patient’s turn"), default=True, db_default=True,
        help_text=_("So many numbers before as the rules of the queue say, to whoever is waiting and can be reached."),
    )  # fmt: skip
    number_link = models.BooleanField(
        _("Link to the live number when the desk checks somebody in"), default=True, db_default=True,
        help_text=_("Who checks in on the phone sees the number there."),
    )  # fmt: skip
    call_list = models.BooleanField(
        _("Call patients who have not confirmed and are likely to miss the visit"), default=True
    )
    call_hour = models.PositiveSmallIntegerField(_("Calls are put on the worklist on the day before at"), default=14)
    rebook = models.BooleanField(_("Follow up with patients who did not come"), default=True)
    changed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "reminders_settings"
        constraints = [
            models.UniqueConstraint(fields=["organization"], name="reminders_settings_once"),
            models.CheckConstraint(
                condition=models.Q(hour__lte=23, same_day_hour__lte=23, call_hour__lte=23), name="reminders_hours_valid"
            ),
            models.CheckConstraint(
                condition=models.Q(early_to_days__gte=2, early_from_days__lte=30)
                & models.Q(early_from_days__gte=models.F("early_to_days")),
                name="reminders_days_valid",
            ),
        ]
