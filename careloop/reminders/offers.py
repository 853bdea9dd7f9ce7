"""A freed place is offered to somebody on the waitlist: the message with its deadline, the answer to a tap, what its page shows.

An offer is a place held for this patient (an appointment in state `proposed`), so its message is bound to that state: an offer
that is over is never spoken of. Accepting it makes an ordinary visit, whose confirmation is the one every visit gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.kernel import sql
from careloop.kernel.masking import mask_name
from careloop.messaging.models import Message
from careloop.policy import timing
from careloop.policy.selectors import quiet_window
from careloop.reminders import planning
from careloop.reminders.planning import NAMES, PARAMS
from careloop.scheduling import errors, waitlist
from careloop.tenancy.models import Organization

OFFERED = "proposed"
YES, NO = ("TAKE", "YES"), ("PASS", "NO")
"""A plain yes or no counts as the tap, where it is certain who said it."""

_OFFER = f"""
select a.patient_id, 'appointment:' || a.id || ':' || a.sequence || ':offer' as key, %(awake)s::timestamptz as due_at,
       f.answer_by as expires_at, true as at_once,
       {PARAMS} || jsonb_build_object(
           'answer_date', f.answer_by, 'answer_time', f.answer_by, 'before_date', coalesce(to_jsonb(later.starts_at), '""'),
           'before_time', coalesce(to_jsonb(later.starts_at), '""')) as params,
       a.id::text as origin_id, a.id as appointment_id, a.sequence as appointment_sequence, 'proposed' as appointment_state,
       '' as together
  from scheduling_waitlist_offer f
  join scheduling_appointment a on a.id = f.appointment_id and a.state = 'proposed'
  join scheduling_waitlist_entry w on w.id = f.entry_id {NAMES}
  left join scheduling_appointment later on later.id = w.instead_of_id and later.state = 'booked'
 where f.id = any(%(offers)s::uuid[]) and f.state = 'OPEN' and f.answer_by > %(now)s
"""

_OVER = f"""
select a.patient_id, 'appointment:' || a.id || ':' || a.sequence || ':over' || %(suffix)s as key, %(now)s::timestamptz as due_at,
       a.starts_at as expires_at, %(at_once)s as at_once,
       {PARAMS} || jsonb_build_object('still_waiting', case when w.state in ('WAITING', 'OFFERED') then '1' else '' end) as params,
       a.id::text as origin_id, a.id as appointment_id, a.sequence as appointment_sequence, 'cancelled' as appointment_state,
       '' as together
  from scheduling_appointment a join scheduling_waitlist_offer f on f.appointment_id = a.id
  join scheduling_waitlist_entry w on w.id = f.entry_id {NAMES}
 where a.id = any(%(visits)s::uuid[]) and a.state = 'cancelled' and {{which}}
"""
# whoever was told of a place that is then taken back before the time they were given
_TAKEN_BACK = """f.state = 'WITHDRAWN' and f.answer_by > %(now)s and exists (
    select from messaging_message m where m.key = 'appointment:' || a.id || ':0:offer' and m.state in ('accepted', 'unknown', 'claimed'))"""


def tell(offer_ids: Sequence[UUID], *, now: datetime) -> int:
    """Ask the patients whether they want the places; return how many messages. An offer that is over is not spoken of.

    The message leaves when people are awake, which the deadline counts from (`scheduling.waitlist`); a preferred hour does
    not delay it, because the place would be gone by then.
    """
    organization = Organization.objects.get()
    awake = timing.next_allowed_at(now, zone=ZoneInfo(organization.time_zone), window=quiet_window(organization))
    params = {"offers": list(offer_ids), "awake": awake}
    return planning.of("offer", "place-offered", _OFFER, params, now=now).planned


def tell_taken_back(appointment_ids: Sequence[UUID], *, now: datetime) -> int:
    """Tell whoever was asked that the place is not to be had any more: its session was closed, say."""
    params: dict[str, Any] = {"visits": list(appointment_ids), "suffix": "", "at_once": False}
    return planning.of("over", "place-over", _OVER.format(which=_TAKEN_BACK), params, now=now).planned


def answer_by_tap(*, message: Message, answer: str, inbound_id: UUID, unsure: bool, now: datetime) -> str:
    """Take the offered place or leave it, by one tap; the patient is told what came of it.

    Returns `taken`, `passed`, `over` (too late: the place is somebody else's), or "" for words that are no certain answer.
    """
    offer = offer_of(message.appointment_id)
    if offer is None or (unsure and answer in ("YES", "NO")):
        return ""
    visit_id, suffix = offer["appointment_id"], f":{inbound_id.hex[:12]}"
    try:
        if answer in YES:
            waitlist.accept(offer_id=offer["id"], now=now, by=None)
            # the confirmation every visit gets, under its own key: whoever plans it again says nothing twice
            planning.tell_one("booked", "visit-booked", appointment_id=visit_id, state="booked", now=now)
            return "taken"
        if answer in NO:
            waitlist.decline(offer_id=offer["id"], now=now, by=None)
            planning.tell_one("passed", "place-passed", appointment_id=visit_id, state="cancelled", now=now)
            return "passed"
    except errors.OfferOver:
        if (
            offer["state"] == "ACCEPTED"
        ):  # they said no to what they have: this is how it stands, with the way to call it off
            planning.tell_one("booked", "visit-booked", appointment_id=visit_id, state="booked", now=now, suffix=suffix)
            return "taken"
        params = {"visits": [visit_id], "suffix": suffix, "at_once": True}
        planning.of("over", "place-over", _OVER.format(which="true"), params, now=now)
        return "over"
    return ""


def offer_of(appointment_id: UUID | None) -> dict[str, Any] | None:
    """Return the offer that a held place is of."""
    return sql.row(
        "select id, entry_id, appointment_id, state from scheduling_waitlist_offer where appointment_id = %s",
        [appointment_id],
    )


# -- its page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offered:
    """An offered place as its page shows it. `how`: open, passed, over (somebody else's, or taken back), left."""

    id: UUID
    entry_id: UUID
    appointment_id: UUID
    name: str
    how: str
    starts_at: datetime
    answer_by: datetime
    practitioner: str
    place: str
    number: int | None
    phone: str
    later_at: datetime | None
    is_waiting: bool


def offered_by(message: Message) -> Offered | None:
    """Return the offer a message speaks of, as it is now; None when it is a visit by now, which has a page of its own."""
    row = sql.row(
        """select f.id, f.entry_id, f.appointment_id, f.state, f.answer_by, w.state as wish, a.state as visit, a.starts_at, a.number, x.name,
                  p.name as practitioner, concat_ws(' ', l.name, r.name) as place, l.phone, later.starts_at as later_at
             from scheduling_waitlist_offer f join scheduling_waitlist_entry w on w.id = f.entry_id
             join scheduling_appointment a on a.id = f.appointment_id join patients_patient x on x.id = w.patient_id
             join records_practitioner p on p.id = a.practitioner_id join tenancy_location l on l.id = a.location_id
             left join scheduling_resource r on r.id = a.room_id
             left join scheduling_appointment later on later.id = w.instead_of_id and later.state = 'booked'
            where f.appointment_id = %s""",
        [message.appointment_id],
    )
    if row is None or row["state"] == "ACCEPTED":
        return None
    is_open = row["state"] == "OPEN" and row["visit"] == OFFERED
    is_waiting = row["wish"] in ("WAITING", "OFFERED")
    how = "open" if is_open else "left" if row["wish"] == "LEFT" else "passed" if row["state"] == "DECLINED" else "over"
    return Offered(
        id=row["id"], entry_id=row["entry_id"], appointment_id=row["appointment_id"], name=mask_name(row["name"]), how=how,
        starts_at=row["starts_at"], answer_by=row["answer_by"], practitioner=row["practitioner"], place=row["place"],
        number=row["number"], phone=row["phone"], later_at=row["later_at"], is_waiting=is_waiting,
    )  # fmt: skip
