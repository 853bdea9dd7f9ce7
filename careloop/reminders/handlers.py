"""What makes the clinic speak of a visit: something happened to it, the clock, or the patient's answer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import override

from careloop.audit.services import Actor, acting_as
from careloop.events.registry import Published, reader, reading_now
from careloop.kernel import sql
from careloop.messaging.models import Message
from careloop.reminders import calls, offers, planning, services, turns
from careloop.reminders.planning import Notice
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import loop

FRESH = timedelta(days=1)
"""Of what happened longer ago nobody is told: the patient has learnt of it otherwise."""

BOOKED, MOVED, CANCELLED = "appointment.booked", "appointment.moved", "appointment.cancelled"
CONFIRMED, MISSED, WRONG = "appointment.confirmed", "appointment.noshow", "appointment.entered_in_error"
HERE = ("appointment.arrived", "appointment.fulfilled")
NOT_SENT = ("message.blocked", "message.failed")
RECEIVED, CLOSED = "message.received", "session.closed"
OFFERED, ANSWERED = "waitlist.offered", "waitlist.answered"
OWN_DOORS = ("portal", "line", "link")
QUIET_SOURCES = ("walk-in", "import")
"""Whoever was booked that way stands at the desk, or was told by another program."""
UNTOLD = ("hold-expired", "declined")


@reader(
    "reminders",
    kinds=(
        BOOKED,
        MOVED,
        CANCELLED,
        CONFIRMED,
        MISSED,
        WRONG,
        *HERE,
        *NOT_SENT,
        RECEIVED,
        CLOSED,
        OFFERED,
        ANSWERED,
        turns.TURN_NEAR,
        turns.CHECKED_IN,
    ),
    batch_size=1000,
)
def follow_events(batch: list[Published]) -> None:
    """Tell patients of what happened to their visits, and act on their answers. A closed session's patients have events of their own."""
    take([one for one in batch if not one.historical and one.patient_id is not None], now=reading_now())


@loop("reminders", every=timedelta(seconds=60))
def by_the_clock(organization_id: UUID, *, now: datetime) -> int:
    """Plan the reminders that leave soon, and whom to call about tomorrow."""
    with in_organization(organization_id):
        if sql.value("select 1 from scheduling_appointment where starts_at > %s limit 1", [now]):
            wanted = services.current()
            planning.plan_reminders(wanted=wanted, now=now)
            if wanted.call_list:
                calls.call_unsure(wanted=wanted, now=now)
    return 0


def take(batch: list[Published], *, now: datetime) -> None:
    """Work on a batch of events, in the running transaction."""
    kinds = {one.kind for one in batch}
    if kinds & {BOOKED, MOVED, CANCELLED, WRONG, *HERE, MISSED, CONFIRMED}:
        _about_visits([one for one in batch if one.kind.startswith("appointment.")], now=now)
    if kinds & {OFFERED, ANSWERED}:
        _about_offers(batch, now=now)
    for one in batch:
        if one.kind == RECEIVED and one.payload.get("origin") == planning.ORIGIN:
            _answered(one, now=now)
    if kinds & {turns.TURN_NEAR, turns.CHECKED_IN}:
        turns.tell(batch, wanted=services.current(), now=now)
    missed = [UUID(str(one.payload["message_id"])) for one in batch
              if one.kind in NOT_SENT and one.payload.get("origin") == planning.ORIGIN]  # fmt: skip
    if missed:
        calls.tell_by_phone(missed, now=now)
        calls.offer_by_phone(missed, now=now)


def _about_offers(batch: list[Published], *, now: datetime) -> None:
    """Ask those to whom a freed place was offered; what was answered or taken back is not spoken of any more."""
    if answered := _visits(batch, ANSWERED):
        planning.forget_stale(answered, now=now)
        offers.tell_taken_back(answered, now=now)
        with override(sql.value("select language from tenancy_organization")):
            calls.close_calls(answered, kinds=("offer",), reason=_("The offer is over."), now=now)
    offered = [UUID(str(one.payload["offer_id"])) for one in batch if one.kind == OFFERED]
    if offered:
        offers.tell(offered, now=now)


def _about_visits(batch: list[Published], *, now: datetime) -> None:
    wanted = services.current()
    changed = _visits(batch, MOVED, CANCELLED, WRONG, *HERE, MISSED)
    planning.forget_stale(changed, now=now)
    with override(sql.value("select language from tenancy_organization")):
        calls.close_calls(changed, kinds=("call", "tell"), reason=_("The visit is another one now."), now=now)
        confirmed = _visits(batch, CONFIRMED)
        calls.close_calls(confirmed, kinds=("call", "tell"), reason=_("The patient confirmed."), now=now)
        booked = [one.patient_id for one in batch if one.kind == BOOKED and one.patient_id is not None]
        if booked:
            calls.close_win_backs(booked, reason=_("The patient has a new visit."), now=now)
    notices = list(_notices(batch, with_confirmation=wanted.confirmation, now=now))
    if notices:
        planning.plan_notices(notices, now=now)
    if wanted.rebook and (missed := _visits(batch, MISSED)):
        calls.win_back(missed, now=now)


def _visits(batch: list[Published], *kinds: str) -> list[UUID]:
    return list(dict.fromkeys(_visit(one) for one in batch if one.kind in kinds))


def _visit(one: Published) -> UUID:
    return UUID(str(one.payload["appointment_id"]))


def _notices(batch: list[Published], *, with_confirmation: bool, now: datetime) -> Any:
    """Return one notice a visit: when several things happened since the last look, the patient is told how it is now."""
    last: dict[UUID, Notice] = {}
    for one in batch:
        if one.kind not in (BOOKED, MOVED, CANCELLED) or one.recorded_at < now - FRESH:
            continue
        visit, payload = _visit(one), one.payload
        by_patient, before, earlier = one.kind == BOOKED and one.source in OWN_DOORS, "", last.get(visit)
        if one.kind == BOOKED:
            if one.source in QUIET_SOURCES or not with_confirmation:
                continue
            what = "booked"
        elif one.kind == MOVED:
            what = "substitute" if payload.get("what") == "practitioner" else "moved"
            before = str(payload.get("before") or "")
            if earlier is not None and earlier.what in ("moved", "substitute"):
                before = earlier.before
                what = "moved" if "moved" in (what, earlier.what) else what
        elif payload.get("reason") in UNTOLD:
            last.pop(visit, None)
            continue
        else:
            what = "closed" if payload.get("reason") == "session-closed" else "cancelled"
        last[visit] = Notice(
            visit, int(payload["sequence"]), what, event_id=one.id, recorded_at=one.recorded_at, before=before,
            by_patient=by_patient,
        )  # fmt: skip
    return last.values()


def _answered(one: Published, *, now: datetime) -> None:
    """Confirm, or take an offered place, by a tap on the message, or by a plain yes where it can only mean this one visit."""
    answer, message = one.payload.get("answer"), one.payload.get("in_reply_to")
    if not message or answer not in ("CONFIRM", *offers.YES, *offers.NO):
        return
    message_id, patient_id = UUID(str(message)), one.patient_id
    inbound_id = UUID(str(one.payload["message_id"]))
    asked = Message.objects.get(pk=message_id)
    if asked.appointment_state == offers.OFFERED:
        unsure = bool(sql.value("select unsure from messaging_inbound_message where id = %s", [inbound_id]))
        with acting_as(Actor("patient", id=patient_id, via=one.source)):
            offers.answer_by_tap(message=asked, answer=answer, inbound_id=inbound_id, unsure=unsure, now=now)
        return
    if answer not in ("CONFIRM", "YES"):
        return
    if answer == "YES" and asked.carried_by:
        return  # one message for a family: a plain yes does not say who is coming
    assert patient_id is not None
    with acting_as(Actor("patient", id=patient_id, via=one.source)):
        services.answer_by_tap(message_id=message_id, inbound_id=inbound_id, now=now)
