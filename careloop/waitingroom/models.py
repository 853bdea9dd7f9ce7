"""Who is here, who is next, who was called: rules of a queue, its tickets, its calls, and the screens that show it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.patients.models import Patient
from careloop.records.models import Practitioner
from careloop.scheduling.models import Appointment, Resource, Session
from careloop.tenancy.models import Location, NewId, TenantModel


class Order(models.TextChoices):
    """How booked patients and walk-ins mix."""

    BOOKED_FIRST = "BOOKED_FIRST", _("booked patients at their time, walk-ins in between")
    RATIO = "RATIO", _("so many booked, then so many walk-ins, in turn")
    NUMBER = "NUMBER", _("strictly by number")


class Missed(models.TextChoices):
    """What happens to somebody who was called and was not there (過號)."""

    AFTER_N = "AFTER_N", _("called again after some others")
    END_OF_LIST = "END_OF_LIST", _("called again at the end of the list")
    RECHECKIN_REQUIRED = "RECHECKIN_REQUIRED", _("must check in again")


class SelfCheckIn(models.TextChoices):
    """How patients may say themselves that they are here. The desk may always do it for them."""

    OFF = "OFF", _("only at the desk")
    CODE = "CODE", _("with the code shown at the clinic")
    OPEN = "OPEN", _("from anywhere, once check-in is open")


class QueueRules(TenantModel):
    """The rules of a queue as data: the session's own, else its practitioner's, else the organization's (both empty)."""

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    practitioner = models.ForeignKey(Practitioner, models.CASCADE, null=True, related_name="+", db_index=False)
    session = models.ForeignKey(Session, models.CASCADE, null=True, related_name="+", db_index=False)
    order = models.CharField(max_length=12, choices=Order, default=Order.BOOKED_FIRST, db_default="BOOKED_FIRST")
    booked_in_turn = models.PositiveSmallIntegerField(default=2, db_default=2)
    walk_ins_in_turn = models.PositiveSmallIntegerField(default=1, db_default=1)
    missed = models.CharField(max_length=20, choices=Missed, default=Missed.AFTER_N, db_default="AFTER_N")
    missed_after = models.PositiveSmallIntegerField(default=3, db_default=3)
    missed_times = models.PositiveSmallIntegerField(default=2, db_default=2)
    self_check_in = models.CharField(max_length=4, choices=SelfCheckIn, default=SelfCheckIn.CODE, db_default="CODE")
    opens_minutes = models.PositiveSmallIntegerField(default=60, db_default=60)
    closes_minutes = models.PositiveSmallIntegerField(default=10, db_default=10)
    near = models.PositiveSmallIntegerField(default=3, db_default=3)

    class Meta:
        db_table = "waitingroom_rules"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "practitioner", "session"], name="queue_rules_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=models.Q(practitioner__isnull=True) | models.Q(session__isnull=True),
                name="queue_rules_of_one",
            ),
            models.CheckConstraint(
                condition=models.Q(booked_in_turn__range=(1, 20), walk_ins_in_turn__range=(1, 20)),
                name="queue_rules_ratio",
            ),
            models.CheckConstraint(
                condition=models.Q(missed_after__range=(1, 20), missed_times__range=(1, 9), near__range=(1, 20)),
                name="queue_rules_missed",
            ),
            models.CheckConstraint(
                condition=models.Q(opens_minutes__lte=720, closes_minutes__lte=720), name="queue_rules_window"
            ),
        ]


class Queue(TenantModel):
    """The head of one session's queue. Whoever changes the queue locks this row first, so changes come one after the other.

    `turn` counts first calls; `place_in_round` is where the ratio of booked and walk-in stands; `version` rises with every change.
    """

    session = models.OneToOneField(Session, models.PROTECT, primary_key=True, related_name="+")
    turn = models.PositiveIntegerField(default=0, db_default=0)
    place_in_round = models.PositiveSmallIntegerField(default=0, db_default=0)
    version = models.PositiveIntegerField(default=1, db_default=1)
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "waitingroom_queue"


# Where a ticket stands in front of somebody: one at a time in a room.
IN_FRONT = ("CALLED", "IN_ROOM")
# Tickets of patients who are here and not done.
HERE = ("WAITING", "CALLED", "MISSED", "HELD", "IN_ROOM")
# Tickets whose number nobody else may have.
NUMBERED = (*HERE, "DONE")


class Ticket(TenantModel):
    """One patient's place in a session's queue, for one appointment.

    `label` is what is shown and called: the appointment's number, its time in a session by time, or a number of its own after a
    transfer. `due_turn` puts the ticket where the queue will be after that many calls (a missed call, back from a test);
    `rejoined_at` puts it behind everybody. `expected` is a ticket whose patient is not here yet: the link in a message.
    """

    class State(models.TextChoices):
        EXPECTED = "EXPECTED", pgettext_lazy("ticket", "not here yet")
        WAITING = "WAITING", pgettext_lazy("ticket", "waiting")
        CALLED = "CALLED", pgettext_lazy("ticket", "called")
        MISSED = "MISSED", pgettext_lazy("ticket", "missed the call")
        HELD = "HELD", pgettext_lazy("ticket", "at tests")
        IN_ROOM = "IN_ROOM", pgettext_lazy("ticket", "in the room")
        DONE = "DONE", pgettext_lazy("ticket", "seen")
        LEFT = "LEFT", pgettext_lazy("ticket", "left")

    class How(models.TextChoices):
        DESK = "DESK", pgettext_lazy("checked in", "at the desk")
        QR = "QR", pgettext_lazy("checked in", "with a code")
        LINE = "LINE", pgettext_lazy("checked in", "in LINE")
        PHONE = "PHONE", pgettext_lazy("checked in", "on the phone")

    class Priority(models.IntegerChoices):
        NONE = 0, pgettext_lazy("queue priority", "in turn")
        FIRST = 1, pgettext_lazy("queue priority", "ahead of others")
        URGENT = 2, pgettext_lazy("queue priority", "urgent")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    session = models.ForeignKey(Session, models.PROTECT, related_name="+", db_index=False)
    appointment = models.ForeignKey(Appointment, models.PROTECT, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="+", db_index=False)
    practitioner = models.ForeignKey(Practitioner, models.PROTECT, related_name="+", db_index=False)
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=8, db_collation="C")
    state = models.CharField(max_length=10, choices=State)
    is_walk_in = models.BooleanField(default=False, db_default=False)
    is_first_visit = models.BooleanField(default=False, db_default=False)
    is_transferred = models.BooleanField(default=False, db_default=False)
    planned_at = models.DateTimeField(help_text="when the schedule expects the patient")
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NONE, db_default=0)
    due_turn = models.PositiveIntegerField(null=True)
    rejoined_at = models.DateTimeField(null=True)
    how = models.CharField(max_length=5, choices=How, blank=True, default="", db_default="")
    checked_in_at = models.DateTimeField(null=True)
    room = models.ForeignKey(Resource, models.SET_NULL, null=True, related_name="+", db_index=False)
    called_at = models.DateTimeField(null=True)
    missed_count = models.PositiveSmallIntegerField(default=0, db_default=0)
    held_for = models.CharField(max_length=80, blank=True, default="", db_default="")
    near_at = models.DateTimeField(null=True, help_text="when we said that it will soon be this patient's turn")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    token_hash = models.BinaryField()
    opened_at = models.DateTimeField(null=True, help_text="when the patient first looked at the number on a phone")
    created_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        db_table = "waitingroom_ticket"
        constraints = [
            models.UniqueConstraint(fields=["appointment", "organization"], name="ticket_once_per_appointment"),
            models.UniqueConstraint(fields=["token_hash", "organization"], name="ticket_token_once"),
            models.UniqueConstraint(
                fields=["organization", "session", "label"], name="ticket_number_once", condition=models.Q(state__in=NUMBERED)
            ),
            models.UniqueConstraint(
                fields=["organization", "room"], name="ticket_one_in_room",
                condition=models.Q(state__in=IN_FRONT, room__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["organization", "session"], name="ticket_one_without_room",
                condition=models.Q(state__in=IN_FRONT, room__isnull=True),
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["EXPECTED", *NUMBERED, "LEFT"]), name="ticket_state_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=NUMBERED) | models.Q(checked_in_at__isnull=False),
                name="ticket_when_here",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=IN_FRONT) | models.Q(called_at__isnull=False), name="ticket_with_call"
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "session", "state"], name="ticket_by_session"),
            models.Index(
                fields=["organization", "practitioner", "-finished_at"], name="ticket_by_finished",
                condition=models.Q(state="DONE"),
            ),
            models.Index(fields=["organization", "patient"], name="ticket_by_patient"),
        ]  # fmt: skip


class Call(TenantModel):
    """One call of one number, as it was heard in the waiting room. Never changed."""

    class Kind(models.TextChoices):
        FIRST = "FIRST", pgettext_lazy("call", "called")
        AGAIN = "AGAIN", pgettext_lazy("call", "called again")

    append_only = True

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(Ticket, models.PROTECT, related_name="calls", db_index=False)
    session = models.ForeignKey(Session, models.PROTECT, related_name="+", db_index=False)
    room = models.ForeignKey(Resource, models.PROTECT, null=True, related_name="+", db_index=False)
    kind = models.CharField(max_length=5, choices=Kind)
    label = models.CharField(max_length=8)
    turn = models.PositiveIntegerField()
    called_at = models.DateTimeField()
    called_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    class Meta:
        db_table = "waitingroom_call"
        constraints = [
            # whatever two consoles do, one turn of a session is one number
            models.UniqueConstraint(
                fields=["organization", "session", "turn"], name="call_one_a_turn", condition=models.Q(kind="FIRST")
            ),
        ]
        indexes = [models.Index(fields=["organization", "session", "-called_at"], name="call_by_session")]


class Display(TenantModel):
    """A screen in the waiting room, opened by a secret link: calls on a television, or the check-in code at the entrance."""

    class Kind(models.TextChoices):
        CALLS = "CALLS", pgettext_lazy("display", "calls")
        ENTRANCE = "ENTRANCE", pgettext_lazy("display", "check-in code")

    class Theme(models.TextChoices):
        AUTO = "auto", pgettext_lazy("theme", "as the device")
        LIGHT = "light", pgettext_lazy("theme", "light")
        DARK = "dark", pgettext_lazy("theme", "dark")

    id = models.UUIDField(primary_key=True, default=uuid7, db_default=NewId(), editable=False)
    name = models.CharField(max_length=60)
    location = models.ForeignKey(Location, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.CALLS)
    language = models.CharField(max_length=10, choices=settings.LANGUAGES, default="zh-hant")
    theme = models.CharField(max_length=5, choices=Theme, default=Theme.DARK)
    shows_names = models.BooleanField(default=True, db_default=True)
    shows_code = models.BooleanField(default=True, db_default=True)
    token_hash = models.BinaryField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "waitingroom_display"
        constraints = [models.UniqueConstraint(fields=["token_hash", "organization"], name="display_token_once")]
        indexes = [models.Index(fields=["organization", "revoked_at"], name="display_by_revoked")]
