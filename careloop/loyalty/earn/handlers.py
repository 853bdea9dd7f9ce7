"""What members earn by what happens: the log of events, read in batches, one query for each kind of thing."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import Published, reader, reading_now
from careloop.kernel import sql
from careloop.loyalty import guard
from careloop.loyalty.earn import earning, settling
from careloop.loyalty.earn.earning import Thing
from careloop.loyalty.models import Earning, EarnRule
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import loop

ANSWERED, CALLED_OFF = "appointment.answered", "appointment.cancelled"
VISIT, SEEN, BILL, PAID = "encounter.recorded", "appointment.fulfilled", "invoice.recorded", "payment.paid"
REFUNDED, WRONG, WRONG_VISIT = "payment.refunded", "record.entered_in_error", "appointment.entered_in_error"
JOINED, READ = "loyalty.joined", "message.link_clicked"
BROUGHT, NOT_BROUGHT = "loyalty.referral_completed", "loyalty.referral_undone"
Why = Earning.Because


HEARD = (
    VISIT, SEEN, BILL, PAID, REFUNDED, WRONG, WRONG_VISIT, ANSWERED, CALLED_OFF, JOINED, READ, BROUGHT, NOT_BROUGHT,
)  # fmt: skip


@reader("loyalty-earning", kinds=HEARD, batch_size=1000)
def follow_events(batch: list[Published]) -> None:
    """Note what members earn, in the order in which it happened. What an import filled in afterwards earns nothing."""
    take([one for one in batch if not one.historical and one.patient_id is not None], now=reading_now())


@loop("loyalty-earning", every=timedelta(seconds=30))
def by_the_clock(organization_id: UUID, *, now: datetime) -> int:
    """Make final what has waited long enough."""
    with in_organization(organization_id):
        return settling.settle_due(now=now)


def take(batch: Sequence[Published], *, now: datetime) -> None:
    """Work on a batch of events, in the running transaction."""
    if not batch or not sql.value("select 1 from loyalty_programme where state <> 'DRAFT' limit 1"):
        return
    earning.record(list(_things(batch)), now=now)
    for one in batch:
        if one.kind == REFUNDED:
            settling.take_back_money(
                payment_id=UUID(str(one.payload["payment_id"])), refund_id=UUID(str(one.payload["refund_id"])),
                self_pay=int(one.payload["self_pay"]), now=now,
            )  # fmt: skip
    gone: dict[tuple[str, str], list[str]] = {}
    for one in batch:
        for source, ref, why in _gone(one):
            gone.setdefault((source, why), []).append(ref)
    for (source, why), refs in gone.items():
        settling.take_back_record(source=source, refs=refs, now=now, why=why)


def _gone(one: Published) -> Iterator[tuple[str, str, str]]:
    """What an event says never was, or is no more: source and id of what earned, and why nothing is left of it."""
    match one.kind:
        case "record.entered_in_error":
            if source := {"encounter": "visit", "invoice": "invoice"}.get(one.payload["record"]):
                yield source, str(one.payload["record_id"]), Why.ERROR
        case "appointment.entered_in_error":
            for source in ("visit", "appointment", "answers"):
                yield source, str(one.payload["appointment_id"]), Why.ERROR
        case "appointment.cancelled":
            # else whoever books, answers and calls off again and again would earn each time
            yield "answers", str(one.payload["appointment_id"]), Why.CALLED_OFF
        case "loyalty.referral_undone":
            yield "referral", str(one.payload["referral_id"]), Why.UNDONE


def _things(batch: Sequence[Published]) -> Iterator[Thing]:
    """What of the events a rule may be about, in their order."""
    visits = _encounters([_id(one, "record_id") for one in batch if one.kind == VISIT])
    seen = _appointments([_id(one, "appointment_id") for one in batch if one.kind in (SEEN, PAID)])
    bills = _invoices([_id(one, "record_id") for one in batch if one.kind == BILL])
    lessons = _education([_id(one, "message_id") for one in batch if one.kind == READ])
    for one in batch:
        match one.kind:
            case "encounter.recorded":
                if found := visits.get(_id(one, "record_id")):
                    yield _thing(one, "VISIT", "visit", str(found["id"]), f"visit:{found['day']}", found["location_id"])
            case "appointment.fulfilled":
                if found := seen.get(_id(one, "appointment_id")):
                    ref, where, is_nhi = str(found["id"]), found["location_id"], found["payer"] == "NHI"
                    at = found["starts_at"]
                    yield _thing(one, "VISIT", "visit", ref, f"visit:{found['day']}", where, at=at, is_nhi=is_nhi)
                    yield _thing(
                        one, "KEPT_APPOINTMENT", "appointment", ref, f"appointment:{ref}", where, at=at, is_nhi=is_nhi
                    )
            case "appointment.answered":
                ref = str(one.payload["appointment_id"])
                yield _thing(one, "QUESTIONNAIRE", "answers", ref, f"answers:{ref}")
            case "invoice.recorded":
                if found := bills.get(_id(one, "record_id")):
                    yield _money(
                        one,
                        "invoice",
                        str(found["id"]),
                        found["location_id"],
                        is_nhi=found["payer_kind"] in ("nhi", "mixed"),
                    )
            case "payment.paid":
                # a deposit belongs to the day of the visit, whose bill will hold it too
                found = seen.get(_id(one, "appointment_id")) or {"payer": "", "location_id": None, "starts_at": None}
                is_nhi = found["payer"] == "NHI" or one.payload["total"] != one.payload["self_pay"]
                yield _money(
                    one, "payment", str(one.payload["payment_id"]), found["location_id"], is_nhi=is_nhi, at=found["starts_at"],
                    settles_from=one.occurred_at,
                )  # fmt: skip
            case "loyalty.joined":
                yield _thing(
                    one, "SIGN_UP", "join", str(one.payload["account_id"]), f"join:{one.payload['account_id']}"
                )
            case "message.link_clicked":
                if (message := _id(one, "message_id")) in lessons:
                    yield _thing(one, "EDUCATION", "education", str(message), f"message:{message}")
            case "loyalty.referral_completed":
                ref = str(one.payload["referral_id"])
                # what was undone and came true later earns anew
                again = f":{times}" if (times := int(one.payload.get("times_undone", 0))) else ""
                yield _thing(one, "REFERRAL", "referral", ref, f"referral:{ref}{again}")


def _id(one: Published, name: str) -> UUID | None:
    value = one.payload.get(name)
    return UUID(str(value)) if value else None


def _thing(
    one: Published, kind: str, source: str, ref: str, once: str, location_id: UUID | None = None, *, at: datetime | None = None,
    **more: Any,
) -> Thing:  # fmt: skip
    assert one.patient_id is not None
    return Thing(
        kind, one.patient_id, at or one.occurred_at, source, ref, once, location_id=location_id, event_id=one.id, **more
    )


def _money(one: Published, source: str, ref: str, location_id: UUID | None, **more: Any) -> Thing:
    return _thing(
        one, "SELF_PAY", source, ref, f"{source}:{ref}", location_id, amount=int(one.payload["self_pay"]),
        currency=str(one.payload["currency"]), **more,
    )  # fmt: skip


def _by_id(statement: str, ids: Sequence[UUID | None]) -> dict[UUID | None, dict[str, Any]]:
    wanted = [one for one in ids if one is not None]
    return {row["id"]: row for row in sql.rows(statement, [wanted])} if wanted else {}


def _encounters(ids: Sequence[UUID | None]) -> dict[UUID | None, dict[str, Any]]:
    return _by_id(
        """select e.id, e.location_id, (e.started_at at time zone o.time_zone)::date as day
             from records_encounter e join tenancy_organization o on o.id = e.organization_id
            where e.id = any(%s::uuid[]) and not e.entered_in_error""",
        ids,
    )


def _appointments(ids: Sequence[UUID | None]) -> dict[UUID | None, dict[str, Any]]:
    return _by_id(
        """select v.id, v.location_id, v.starts_at, s.payer, (v.starts_at at time zone o.time_zone)::date as day
             from scheduling_appointment v join scheduling_service s on s.id = v.service_id
                  join tenancy_organization o on o.id = v.organization_id where v.id = any(%s::uuid[])""",
        ids,
    )


def _invoices(ids: Sequence[UUID | None]) -> dict[UUID | None, dict[str, Any]]:
    return _by_id(
        """select i.id, i.payer_kind, e.location_id from records_invoice i left join records_encounter e on e.id = i.encounter_id
            where i.id = any(%s::uuid[]) and not i.entered_in_error and i.self_pay_amount > 0""",
        ids,
    )


def _education(ids: Sequence[UUID | None]) -> dict[UUID | None, dict[str, Any]]:
    return _by_id("select id from messaging_message where id = any(%s::uuid[]) and message_class = 'EDUCATION'", ids)


guard.register(
    guard.Guarded(
        EarnRule, _("Rules for earning points"), items=lambda: EarnRule.objects.order_by("-is_on", "priority", "id"),
        is_on=lambda rule: rule.is_on, screen="membership:rule", title=lambda rule: rule.name,
    )
)  # fmt: skip
