"""One wide row per patient: what lists, segments and plans ask about everybody at once."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import pgettext_lazy

from careloop.patients.models import Patient
from careloop.tenancy.models import TenantModel


class Stage(models.IntegerChoices):
    """Where a patient stands with the clinic, by the patient's own rhythm (`rules.stage_of`)."""

    PROSPECT = 0, pgettext_lazy("stage of a patient", "prospect")
    NEW = 1, pgettext_lazy("stage of a patient", "new")
    ACTIVE = 2, pgettext_lazy("stage of a patient", "active")
    AT_RISK = 3, pgettext_lazy("stage of a patient", "at risk")
    LAPSED = 4, pgettext_lazy("stage of a patient", "lapsed")
    CLOSED = 8, pgettext_lazy("stage of a patient", "record closed")
    DECEASED = 9, pgettext_lazy("stage of a patient", "deceased")


# Stages from here on are never written to and never in a segment.
LAST_LIVING_STAGE = Stage.LAPSED


class PatientFacts(TenantModel):
    """What is known about one patient in one row, worked out from the records and never typed in.

    There is a row for every patient who is not merged into another. It equals what `services.rebuild` would make of the
    records on the same clinic day; `next_change_on` is the first day on which that is no longer so without any new event
    (a visit leaves the last twelve months, a patient becomes overdue). Days are days in the organization's zone; money is
    whole minor units of the organization's currency.
    """

    patient = models.OneToOneField(
        Patient, models.CASCADE, primary_key=True, related_name="facts",
        db_constraint=False,  # worked out again after every change; checking a million references at a rebuild buys nothing
    )  # fmt: skip
    # wide columns first, so that no byte is lost to alignment
    self_pay_total = models.BigIntegerField(db_default=0, default=0)
    self_pay_12m = models.BigIntegerField(db_default=0, default=0)
    last_sent_at = models.DateTimeField(null=True, help_text="last message that a channel accepted")
    last_answered_at = models.DateTimeField(null=True, help_text="last message from the patient")
    last_visit_on = models.DateField(null=True)
    first_visit_on = models.DateField(null=True)
    visits = models.IntegerField(db_default=0, default=0)
    visits_12m = models.IntegerField(db_default=0, default=0)
    visit_interval_days = models.IntegerField(null=True, help_text="own rhythm: median days between visit days")
    nhi_visits = models.IntegerField(db_default=0, default=0, help_text="invoices that NHI shared")
    last_invoice_on = models.DateField(null=True)
    birth_date = models.DateField(null=True)
    registered_on = models.DateField(null=True)
    supply_ends_on = models.DateField(null=True, help_text="last day of the refillable supply that runs out next")
    next_appointment_on = models.DateField(null=True, help_text="day of the next visit that is booked, today or later")
    last_no_show_on = models.DateField(null=True)
    last_kept_on = models.DateField(null=True, help_text="day of the last appointment the patient came to")
    last_booked_on = models.DateField(null=True, help_text="day on which an appointment was made last")
    next_change_on = models.DateField(null=True)
    consent_given = models.IntegerField(db_default=0, default=0, help_text="bits, see rules.consent_bit")
    consent_refused = models.IntegerField(db_default=0, default=0, help_text="bits, see rules.consent_bit")
    reach = models.SmallIntegerField(db_default=0, default=0, help_text="bits, see rules.Reach")
    birth_mmdd = models.SmallIntegerField(null=True, help_text="month × 100 + day; empty unless the day is known")
    refills_left = models.SmallIntegerField(null=True, help_text="fills left on the prescription of supply_ends_on")
    open_follow_ups = models.SmallIntegerField(db_default=0, default=0)
    no_shows_12m = models.SmallIntegerField(db_default=0, default=0)
    kept_appointments = models.SmallIntegerField(db_default=0, default=0)
    stage = models.SmallIntegerField(choices=Stage, db_default=0, default=Stage.PROSPECT)
    sex = models.CharField(max_length=10, db_default="unknown", default="unknown")
    home_location_id = models.UUIDField(null=True)
    tags = ArrayField(
        models.IntegerField(), default=list, db_default=models.Value("{}"), help_text="Tag.number, ascending"
    )

    class Meta:
        db_table = "facts_patient"
        indexes = [
            models.Index(fields=["organization", "next_change_on"], name="facts_by_next_change"),
            models.Index(fields=["organization", "-last_visit_on", "patient"], name="facts_by_last_visit"),
            # the day's numbers and greetings; what they begin with hardly ever changes, so roll-ups stay cheap
            models.Index(fields=["organization", "birth_mmdd"], name="facts_by_birthday", condition=models.Q(birth_mmdd__isnull=False)),
            models.Index(fields=["organization", "registered_on"], name="facts_by_registration", condition=models.Q(registered_on__isnull=False)),
            models.Index(fields=["organization", "supply_ends_on"], name="facts_by_supply", condition=models.Q(supply_ends_on__isnull=False)),
            # counting “spent much, away long, this tag, this consent” reads this index and no row (see README)
            models.Index(
                fields=["organization", "self_pay_12m"], name="facts_by_self_pay",
                include=["patient", "last_visit_on", "stage", "consent_given", "tags"], condition=models.Q(self_pay_12m__gt=0),
            ),
        ]  # fmt: skip
