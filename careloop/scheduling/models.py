"""Who can be seen when and where, and who is: services, weekly templates, sessions, absences, appointments."""

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.records.models import Practitioner
from careloop.tenancy.models import Location, NewId, TenantModel


class During(models.Func):
    """The time from `starts_at` up to, not including, `ends_at`."""

    function = "tstzrange"
    output_field = DateTimeRangeField()

    def __init__(self) -> None:
        super().__init__("starts_at", "ends_at", RangeBoundary())


def never_two(name: str, column: str, condition: models.Q) -> ExclusionConstraint:
    """Return the constraint that `column` is taken once at any moment, among rows that fulfil `condition`."""
    return ExclusionConstraint(
        name=name,
        expressions=[
            ("organization", RangeOperators.EQUAL),
            (column, RangeOperators.EQUAL),
            (During(), RangeOperators.OVERLAPS),
        ],
        condition=condition,
    )


class PartOfDay(models.TextChoices):
    """The three sessions of a Taiwanese clinic's day (早診 午診 晚診)."""

    MORNING = "MORNING", _("morning")
    AFTERNOON = "AFTERNOON", _("afternoon")
    EVENING = "EVENING", _("evening")


class Mode(models.TextChoices):
    """How places in a session are given out."""

    SLOTS = "SLOTS", _("by time")
    NUMBERS = "NUMBERS", _("by number")


class Pool(models.TextChoices):
    """For whom a number is kept."""

    BOOKED = "BOOKED", _("booked ahead")
    WALK_IN = "WALK_IN", _("walk-in")
    FIRST = "FIRST", _("first visit")
    RESERVED = "RESERVED", _("kept back")


class Resource(TenantModel):
    """A room or a piece of equipment that one patient at a time can use [FHIR Location, Device]."""

    class Kind(models.TextChoices):
        ROOM = "ROOM", _("room")
        EQUIPMENT = "EQUIPMENT", _("equipment")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=60)
    location = models.ForeignKey(Location, models.PROTECT, related_name="+")
    is_active = models.BooleanField(default=True, db_default=True)

    class Meta:
        db_table = "scheduling_resource"
        constraints = [
            models.UniqueConstraint(fields=["organization", "location", "name"], name="resource_name_once"),
        ]


class Service(TenantModel):
    """What a patient can come for [FHIR HealthcareService]: how long it takes, and the rules for booking it.

    Rules are about the patient's own booking on a page or in LINE; the desk is never bound by them, and no rule closes the
    telephone or the door (NHI contract rules, S9). A deposit is never asked for what the NHI pays (S8): the database refuses it.
    """

    class Payer(models.TextChoices):
        NHI = "NHI", pgettext_lazy("payer", "National Health Insurance")
        SELF = "SELF", pgettext_lazy("payer", "self-pay")

    class Who(models.TextChoices):
        ANY = "ANY", _("everybody")
        FIRST = "FIRST", _("first visits only")
        RETURNING = "RETURNING", _("patients who were here before")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    name = models.CharField(max_length=60)
    names = models.JSONField(default=dict, blank=True, help_text="the name in other languages: language → text")
    description = models.CharField(max_length=300, blank=True, default="")
    minutes = models.PositiveSmallIntegerField()
    first_visit_minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    payer = models.CharField(max_length=4, choices=Payer, default=Payer.NHI)
    price = models.PositiveIntegerField(default=0, help_text=_("In the currency's smallest unit."))
    deposit = models.PositiveIntegerField(default=0, help_text=_("In the currency's smallest unit."))
    colour = models.PositiveSmallIntegerField(default=0)
    is_online = models.BooleanField(default=True)
    who = models.CharField(max_length=10, choices=Who, default=Who.ANY)
    notice_minutes = models.PositiveIntegerField(
        default=60, help_text=_("How long before its beginning a visit can still be booked.")
    )
    days_ahead = models.PositiveSmallIntegerField(default=60, help_text=_("How many days ahead can be booked."))
    change_minutes = models.PositiveIntegerField(
        default=120, help_text=_("Until how long before its beginning a patient can move or cancel the visit.")
    )
    verify_phone = models.BooleanField(default=True)
    questions = models.JSONField(
        default=list, blank=True, help_text="asked before the visit: [{key, text, kind, required}]"
    )
    is_active = models.BooleanField(default=True)
    practitioners = models.ManyToManyField(Practitioner, through="ServicePractitioner", related_name="services")
    equipment = models.ManyToManyField(Resource, through="ServiceEquipment", related_name="services")

    class Meta:
        db_table = "scheduling_service"
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="service_name_once"),
            models.CheckConstraint(condition=models.Q(minutes__range=(1, 720)), name="service_takes_time"),
            models.CheckConstraint(
                condition=models.Q(first_visit_minutes__isnull=True) | models.Q(first_visit_minutes__range=(1, 720)),
                name="service_first_visit_takes_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(payer="NHI") | models.Q(deposit=0), name="service_no_deposit_on_nhi"
            ),
        ]


class ServicePractitioner(TenantModel):
    """Who offers what."""

    id = models.BigAutoField(primary_key=True)
    service = models.ForeignKey(Service, models.CASCADE, related_name="+")
    practitioner = models.ForeignKey(Practitioner, models.CASCADE, related_name="+")

    class Meta:
        db_table = "scheduling_service_practitioner"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "service", "practitioner"], name="service_practitioner_once"
            ),
        ]


class ServiceEquipment(TenantModel):
    """Equipment of which a service needs one piece."""

    id = models.BigAutoField(primary_key=True)
    service = models.ForeignKey(Service, models.CASCADE, related_name="+")
    resource = models.ForeignKey(Resource, models.CASCADE, related_name="+")

    class Meta:
        db_table = "scheduling_service_equipment"
        constraints = [
            models.UniqueConstraint(fields=["organization", "service", "resource"], name="service_equipment_once"),
        ]


class Template(TenantModel):
    """One session of a practitioner's week, from which dated sessions are made.

    `pools` says which numbers are for whom: [{"pool", "first", "last", "parity": "odd" | "even" | "all"}]; empty means that
    every number is for whoever comes. `services` empty means all that the practitioner offers.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    practitioner = models.ForeignKey(Practitioner, models.PROTECT, related_name="+")
    location = models.ForeignKey(Location, models.PROTECT, related_name="+")
    room = models.ForeignKey(Resource, models.SET_NULL, null=True, blank=True, related_name="+")
    weekday = models.PositiveSmallIntegerField(help_text="ISO: 1 Monday … 7 Sunday")
    part = models.CharField(max_length=10, choices=PartOfDay)
    starts = models.TimeField()
    ends = models.TimeField()
    mode = models.CharField(max_length=8, choices=Mode)
    slot_minutes = models.PositiveSmallIntegerField(default=15)
    numbers = models.PositiveSmallIntegerField(default=0)
    pools = models.JSONField(default=list, blank=True)
    services = ArrayField(models.UUIDField(), default=list, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    on_holidays = models.BooleanField(default=False)

    class Meta:
        db_table = "scheduling_template"
        constraints = [
            models.CheckConstraint(condition=models.Q(weekday__range=(1, 7)), name="template_weekday"),
            models.CheckConstraint(condition=models.Q(ends__gt=models.F("starts")), name="template_ends_after_start"),
            models.CheckConstraint(condition=models.Q(slot_minutes__range=(1, 240)), name="template_slot_minutes"),
            models.CheckConstraint(
                condition=models.Q(mode="SLOTS") | models.Q(numbers__range=(1, 999)), name="template_has_numbers"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True) | models.Q(valid_to__gte=models.F("valid_from")),
                name="template_validity",
            ),
        ]


class Session(TenantModel):
    """One practitioner in one place for one stretch of time (診次) [FHIR Schedule]: patients come by time or by number.

    `practitioner` is who really sees the patients; `regular` is whom they stand in for (代診). A closed session (停診) keeps
    its row, so that everyone who was booked can be told and found.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", pgettext_lazy("session", "open")
        CLOSED = "CLOSED", pgettext_lazy("session", "closed")
        FINISHED = "FINISHED", pgettext_lazy("session", "finished")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    template = models.ForeignKey(Template, models.SET_NULL, null=True, related_name="sessions")
    practitioner = models.ForeignKey(Practitioner, models.PROTECT, related_name="+", db_index=False)
    regular = models.ForeignKey(Practitioner, models.SET_NULL, null=True, related_name="+", db_index=False)
    location = models.ForeignKey(Location, models.PROTECT, related_name="+", db_index=False)
    room = models.ForeignKey(Resource, models.SET_NULL, null=True, related_name="+", db_index=False)
    on_date = models.DateField()
    part = models.CharField(max_length=10, choices=PartOfDay)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    mode = models.CharField(max_length=8, choices=Mode)
    slot_minutes = models.PositiveSmallIntegerField(default=15, db_default=15)
    numbers = models.PositiveSmallIntegerField(default=0, db_default=0)
    pools = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    services = ArrayField(models.UUIDField(), default=list, db_default=models.Value([], ArrayField(models.UUIDField())))
    state = models.CharField(max_length=10, choices=State, default=State.OPEN, db_default="OPEN")
    closed_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "scheduling_session"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "template", "on_date"], name="session_once_per_template_and_day"
            ),
            never_two("session_practitioner_in_one_place", "practitioner", ~models.Q(state="CLOSED")),
            never_two("session_room_free", "room", ~models.Q(state="CLOSED") & models.Q(room__isnull=False)),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="session_ends_after_start"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["OPEN", "CLOSED", "FINISHED"]), name="session_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(mode="SLOTS") | models.Q(numbers__range=(1, 999)), name="session_has_numbers"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "starts_at"], name="session_by_time"),
            models.Index(fields=["organization", "practitioner", "starts_at"], name="session_by_practitioner"),
        ]


class Absence(TenantModel):
    """A time in which a practitioner sees nobody: leave, a meeting, a course."""

    class Kind(models.TextChoices):
        LEAVE = "LEAVE", pgettext_lazy("absence", "leave")
        MEETING = "MEETING", pgettext_lazy("absence", "meeting")
        OTHER = "OTHER", pgettext_lazy("absence", "other")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    practitioner = models.ForeignKey(Practitioner, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.LEAVE)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True, default="", db_default="")
    source = models.CharField(max_length=20, default="staff", db_default="staff")
    external_id = models.CharField(max_length=200, blank=True, default="", db_default="", db_collation="C")
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        db_table = "scheduling_absence"
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="absence_ends_after_start"),
            models.UniqueConstraint(
                fields=["organization", "practitioner", "source", "external_id"], name="absence_once_per_source",
                condition=~models.Q(external_id=""),
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["organization", "practitioner", "starts_at"], name="absence_by_practitioner")]


class DayException(TenantModel):
    """What the clinic itself says of a day: closed though it is a working day, or open though it is a holiday."""

    id = models.BigAutoField(primary_key=True)
    on_date = models.DateField()
    location = models.ForeignKey(Location, models.CASCADE, null=True, related_name="+", db_index=False)
    is_open = models.BooleanField(default=False)
    name = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        db_table = "scheduling_day_exception"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "on_date", "location"], name="day_exception_once", nulls_distinct=False
            ),
        ]


# States in which an appointment holds its place. `proposed` is an offer to somebody on the waitlist, `pending` a place held
# while a patient fills in the forms; both only until `held_until`.
HOLDS = ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")


class Appointment(TenantModel):
    """A planned meeting [FHIR Appointment], by time or by number, holding its place against everybody else.

    `version` rises with every change. `sequence` (as in RFC 5545) rises only when time, place or practitioner changed or the
    meeting was called off: messages are bound to it, so that the words about an old time die when the time does, while a
    confirmation or an arrival leaves them alive.

    Only a place held for a visitor of the booking page who has not said yet who they are (`pending`) is without a patient.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", pgettext_lazy("appointment", "offered")
        PENDING = "pending", pgettext_lazy("appointment", "held")
        BOOKED = "booked", pgettext_lazy("appointment", "booked")
        ARRIVED = "arrived", pgettext_lazy("appointment", "arrived")
        CHECKED_IN = "checked-in", pgettext_lazy("appointment", "checked in")
        FULFILLED = "fulfilled", pgettext_lazy("appointment", "seen")
        CANCELLED = "cancelled", pgettext_lazy("appointment", "cancelled")
        NOSHOW = "noshow", pgettext_lazy("appointment", "did not come")
        WAITLIST = "waitlist", pgettext_lazy("appointment", "on the waitlist")
        ENTERED_IN_ERROR = "entered-in-error", pgettext_lazy("appointment", "entered in error")

    class Source(models.TextChoices):
        DESK = "desk", pgettext_lazy("appointment source", "desk")
        PHONE = "phone", pgettext_lazy("appointment source", "telephone")
        WALK_IN = "walk-in", pgettext_lazy("appointment source", "walk-in")
        PORTAL = "portal", pgettext_lazy("appointment source", "patient's page")
        LINE = "line", "LINE"
        LINK = "link", pgettext_lazy("appointment source", "link in a message")
        WAITLIST = "waitlist", pgettext_lazy("appointment source", "waitlist")
        API = "api", pgettext_lazy("appointment source", "programming interface")
        IMPORT = "import", pgettext_lazy("appointment source", "import")

    class Cancelled(models.TextChoices):
        PATIENT = "patient", pgettext_lazy("cancelled because", "the patient asked for it")
        CLINIC = "clinic", pgettext_lazy("cancelled because", "the clinic asked for it")
        SESSION_CLOSED = "session-closed", pgettext_lazy("cancelled because", "the session is closed")
        HOLD_EXPIRED = "hold-expired", pgettext_lazy("cancelled because", "the place was held too long")
        DECLINED = "declined", pgettext_lazy("cancelled because", "the offer was declined")
        REPLACED = "replaced", pgettext_lazy("cancelled because", "the patient took an earlier place")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="appointments", db_index=False, null=True)
    session = models.ForeignKey(Session, models.PROTECT, related_name="appointments", db_index=False)
    service = models.ForeignKey(Service, models.PROTECT, related_name="+", db_index=False)
    practitioner = models.ForeignKey(Practitioner, models.PROTECT, related_name="+", db_index=False)
    location = models.ForeignKey(Location, models.PROTECT, related_name="+", db_index=False)
    room = models.ForeignKey(Resource, models.SET_NULL, null=True, related_name="+", db_index=False)
    equipment = models.ForeignKey(Resource, models.SET_NULL, null=True, related_name="+", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    number = models.PositiveSmallIntegerField(null=True)
    pool = models.CharField(max_length=10, choices=Pool, blank=True, default="", db_default="")
    state = models.CharField(max_length=16, choices=State)
    held_until = models.DateTimeField(null=True)
    is_first_visit = models.BooleanField(default=False, db_default=False)
    source = models.CharField(max_length=10, choices=Source)
    note = models.CharField(max_length=300, blank=True, default="", db_default="")
    answers_sealed = models.BinaryField(null=True, help_text="answers given before the visit, under the patient's key")
    confirmed_at = models.DateTimeField(null=True)
    arrived_at = models.DateTimeField(null=True)
    cancel_reason = models.CharField(max_length=20, choices=Cancelled, blank=True, default="", db_default="")
    cancel_note = models.CharField(max_length=200, blank=True, default="", db_default="")
    key = models.CharField(max_length=80, blank=True, default="", db_default="", db_collation="C")
    version = models.PositiveIntegerField(default=1, db_default=1)
    sequence = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "scheduling_appointment"
        constraints = [
            never_two("appointment_practitioner_free", "practitioner", models.Q(state__in=HOLDS, number__isnull=True)),
            never_two("appointment_patient_in_one_place", "patient", models.Q(state__in=HOLDS)),
            never_two(
                "appointment_room_free", "room", models.Q(state__in=HOLDS, number__isnull=True, room__isnull=False)
            ),
            never_two("appointment_equipment_free", "equipment", models.Q(state__in=HOLDS, equipment__isnull=False)),
            models.UniqueConstraint(
                fields=["organization", "session", "number"],
                name="appointment_number_once",
                condition=models.Q(state__in=HOLDS, number__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["organization", "session", "patient"],
                name="appointment_patient_once_per_session",
                condition=models.Q(state__in=HOLDS, number__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["organization", "key"], name="appointment_once_per_key", condition=~models.Q(key="")
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="appointment_ends_after_start"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "proposed",
                        "pending",
                        "booked",
                        "arrived",
                        "checked-in",
                        "fulfilled",
                        "cancelled",
                        "noshow",
                        "waitlist",
                        "entered-in-error",
                    ]
                ),
                name="appointment_state_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="cancelled") | ~models.Q(cancel_reason=""),
                name="appointment_says_why_cancelled",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["proposed", "pending"]) | models.Q(held_until__isnull=False),
                name="appointment_hold_ends",
            ),
            models.CheckConstraint(
                condition=models.Q(patient__isnull=False) | models.Q(state__in=["pending", "cancelled"]),
                name="appointment_is_somebodys",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "session", "starts_at"], name="appointment_by_session"),
            models.Index(fields=["organization", "patient", "-starts_at"], name="appointment_by_patient"),
            models.Index(fields=["organization", "starts_at"], name="appointment_by_time"),
            models.Index(fields=["organization", "held_until"], name="appointment_holds",
                         condition=models.Q(state__in=["proposed", "pending"])),
        ]  # fmt: skip


class WaitlistEntry(TenantModel):
    """A patient's wish for a place that is not to be had now: for what, with whom, where, when.

    `instead_of` is the later appointment the patient already has and gives up for an earlier one.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", pgettext_lazy("waitlist", "waiting")
        OFFERED = "OFFERED", pgettext_lazy("waitlist", "has an offer")
        BOOKED = "BOOKED", pgettext_lazy("waitlist", "got a place")
        LEFT = "LEFT", pgettext_lazy("waitlist", "left")
        EXPIRED = "EXPIRED", pgettext_lazy("waitlist", "waited in vain")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, related_name="waitlist_entries", db_index=False)
    service = models.ForeignKey(Service, models.PROTECT, related_name="+", db_index=False)
    practitioner = models.ForeignKey(
        Practitioner, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    location = models.ForeignKey(Location, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True, help_text="ISO; empty: any")
    parts = ArrayField(models.CharField(max_length=10), default=list, blank=True, help_text="empty: any")
    first_date = models.DateField()
    last_date = models.DateField()
    priority = models.PositiveSmallIntegerField(default=2, help_text=_("1 urgent, 2 normal, 3 low"))
    instead_of = models.ForeignKey(
        Appointment, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    source = models.CharField(max_length=10, choices=Appointment.Source, default=Appointment.Source.DESK)
    note = models.CharField(max_length=200, blank=True, default="")
    key = models.CharField(max_length=80, blank=True, default="", db_collation="C")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "scheduling_waitlist_entry"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "patient", "service"],
                name="waitlist_once_per_service",
                condition=models.Q(state__in=["WAITING", "OFFERED"]),
            ),
            models.UniqueConstraint(
                fields=["organization", "key"], name="waitlist_once_per_key", condition=~models.Q(key="")
            ),
            models.CheckConstraint(condition=models.Q(last_date__gte=models.F("first_date")), name="waitlist_dates"),
            models.CheckConstraint(
                condition=models.Q(state__in=["WAITING", "OFFERED", "BOOKED", "LEFT", "EXPIRED"]),
                name="waitlist_state_known",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "priority", "created_at"], name="waitlist_ranked",
                         condition=models.Q(state="WAITING")),
            models.Index(fields=["organization", "patient"], name="waitlist_by_patient"),
        ]  # fmt: skip


class WaitlistOffer(TenantModel):
    """A free place, offered to one patient until a deadline; what became of it stays."""

    class State(models.TextChoices):
        OPEN = "OPEN", pgettext_lazy("offer", "waiting for an answer")
        ACCEPTED = "ACCEPTED", pgettext_lazy("offer", "accepted")
        DECLINED = "DECLINED", pgettext_lazy("offer", "declined")
        EXPIRED = "EXPIRED", pgettext_lazy("offer", "no answer in time")
        WITHDRAWN = "WITHDRAWN", pgettext_lazy("offer", "withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    entry = models.ForeignKey(WaitlistEntry, models.CASCADE, related_name="offers", db_index=False)
    appointment = models.ForeignKey(Appointment, models.PROTECT, related_name="offers", db_index=False)
    offered_at = models.DateTimeField()
    answer_by = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "scheduling_waitlist_offer"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "entry"], name="waitlist_one_open_offer", condition=models.Q(state="OPEN")
            ),
            models.UniqueConstraint(fields=["organization", "appointment"], name="waitlist_offer_once_per_place"),
        ]
        indexes = [
            models.Index(fields=["organization", "entry", "-offered_at"], name="waitlist_offers_of_entry"),
            models.Index(fields=["organization", "answer_by"], name="waitlist_open_offers", condition=models.Q(state="OPEN")),
        ]  # fmt: skip


class SearchMiss(TenantModel):
    """A search for a place that found none: what patients would have come for. Says nothing of who asked.

    `key` is one wish: looking again for the same one adds nothing. Empty `weekdays` and `parts` mean any.
    """

    append_only = True

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    service = models.ForeignKey(Service, models.PROTECT, related_name="+", db_index=False)
    practitioner = models.ForeignKey(Practitioner, models.PROTECT, null=True, related_name="+", db_index=False)
    location = models.ForeignKey(Location, models.PROTECT, null=True, related_name="+", db_index=False)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list)
    parts = ArrayField(models.CharField(max_length=10, choices=PartOfDay), default=list)
    source = models.CharField(max_length=10, choices=Appointment.Source)
    key = models.CharField(max_length=80, db_collation="C")

    class Meta:
        db_table = "scheduling_search_miss"
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="search_miss_once_per_key")]
        indexes = [models.Index(fields=["organization", "at"], name="search_miss_by_time")]
