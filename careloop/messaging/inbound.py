"""What comes back: stored at the door within milliseconds, understood by a job.

A tap names the message it answers. Plain text answers the last message sent to that address, and when a family shares the
address, that message also says which of them is meant. Opting out is for that one person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from careloop.audit.services import Actor, acting_as, current_actor
from careloop.consent import services as consent
from careloop.events.services import publish
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.messaging import links, sealing, words
from careloop.messaging.events import MessageReceived
from careloop.messaging.models import ChannelAccount, InboundMessage
from careloop.messaging.ports import Inbound, InboundKind
from careloop.messaging.rules import SYSTEM_OF
from careloop.patients import services as patients
from careloop.patients.sealing import contact_index
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.jobs import defer

log = structlog.get_logger(__name__)

SPOKEN = {InboundKind.TEXT, InboundKind.QUICK_REPLY, InboundKind.POSTBACK, InboundKind.MEDIA}


def store(*, channel_id: UUID, events: Sequence[Inbound], now: datetime) -> int:
    """Keep events as they came, sealed, each once; queue the work. One statement, so that a door answers fast."""
    key = sealing.organization_key()
    account = sql.row("select channel from messaging_channel_account where id = %s", [channel_id])
    if account is None or not events:
        return 0
    system = SYSTEM_OF[account["channel"]]
    organization_id = current_organization_id()
    rows = {event.event_id[:120]: event for event in events}
    new = sql.execute(
        """
        insert into messaging_inbound_event (account_id, event_id, kind, occurred_at, received_at, address_index, body_sealed)
        select %s, * from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::bytea[], %s::bytea[])
        on conflict (organization_id, account_id, event_id) do nothing
        """,
        [
            channel_id, list(rows), [str(event.kind) for event in rows.values()],
            [event.occurred_at for event in rows.values()], [now] * len(rows),
            [contact_index(organization_id, system, event.address) if event.address else None for event in rows.values()],
            [sealing.seal_under(key, _place(channel_id, name), _body(event)) for name, event in rows.items()],
        ],
    )  # fmt: skip
    if new:
        from careloop.messaging.tasks import process_inbound

        defer(process_inbound, organization_id, queueing_lock=f"inbound-{organization_id}")
    return new


def _place(account_id: UUID, event_id: str) -> str:
    return f"messaging_inbound_event.body_sealed.{account_id}.{event_id}"


def _body(event: Inbound) -> dict[str, Any]:
    body = asdict(event)
    kept = {name: body[name] for name in ("address", "text", "data", "provider_message_id", "reply_token")}
    return {**kept, "patient_id": str(event.patient_id) if event.patient_id else "", "raw": dict(event.raw)}


# -- understanding ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """One event with everything needed to act on it."""

    id: int
    account: Mapping[str, Any]
    event_id: str
    kind: InboundKind
    occurred_at: datetime
    address_index: bytes | None
    text: str
    data: str
    provider_message_id: str
    patient_id: UUID | None
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class Answered:
    """Who spoke, and which message is answered. `unsure`: several share the address and the likeliest was taken."""

    patient_id: UUID
    message: Mapping[str, Any] | None
    unsure: bool = False
    contact_ids: tuple[UUID, ...] = ()


def process_waiting(*, now: datetime, limit: int = 200) -> int:
    """Work on events that wait, in the order in which they happened; return how many. Each in its own savepoint."""
    waiting = sql.rows(
        """select e.id, e.event_id, e.kind, e.occurred_at, e.address_index, e.body_sealed, e.account_id,
                  a.channel, a.kind as account_kind
             from messaging_inbound_event e join messaging_channel_account a on a.id = e.account_id
            where e.state = 'waiting' order by e.occurred_at, e.id limit %s for update of e skip locked""",
        [limit],
    )
    if not waiting:
        return 0
    key = sealing.organization_key()
    for row in waiting:
        body = sealing.open_under(key, _place(row["account_id"], row["event_id"]), row["body_sealed"])
        try:
            kind = InboundKind(row["kind"])
        except ValueError:
            kind = InboundKind.UNKNOWN
        heard = Heard(
            row["id"], {"id": row["account_id"], "channel": row["channel"], "kind": row["account_kind"]}, row["event_id"], kind,
            row["occurred_at"], bytes(row["address_index"]) if row["address_index"] else None, body["text"], body["data"],
            body["provider_message_id"], UUID(body["patient_id"]) if body["patient_id"] else None, body["raw"],
        )  # fmt: skip
        with transaction.atomic():
            outcome = understand(heard, now=now)
        sql.execute(
            "update messaging_inbound_event set state = %s, done_at = %s, body_sealed = null where id = %s",
            [outcome, now, heard.id],
        )
    return len(waiting)


def understand(heard: Heard, *, now: datetime) -> str:
    """Act on one event; return its end state."""
    if heard.kind in (InboundKind.FOLLOW, InboundKind.UNFOLLOW, InboundKind.BOUNCE):
        return _reach(heard, now=now)
    if heard.kind is InboundKind.UNSEND:
        return _taken_back(heard, now=now)
    if heard.kind not in SPOKEN:
        return "ignored"
    who = identify(heard)
    if who is None:
        return "stranger"
    answer, label = meaning_of(heard)
    with acting_as(Actor("patient", id=who.patient_id, via=heard.account["channel"])):
        hear(
            patient_id=who.patient_id, channel=heard.account["channel"], account_id=heard.account["id"],
            event_id=f"{heard.account['id'].hex}:{heard.event_id}"[:160], kind=str(heard.kind), text=heard.text, answer=answer,
            label=label, message=who.message, unsure=who.unsure, provider_message_id=heard.provider_message_id,
            occurred_at=heard.occurred_at, now=now,
        )  # fmt: skip
        if who.contact_ids and heard.account["channel"] != "email":
            patients.set_reach(contact_point_ids=who.contact_ids, reach="reached", now=now)
    return "done"


def meaning_of(heard: Heard) -> tuple[str, str]:
    """Return the answer code of an event and the words that were on the tap."""
    if heard.data:
        _message, answer = links.read_tap(current_organization_id(), heard.data)
        if answer:
            return answer, heard.text or str(words.answer_label(answer))
    answer = words.meaning(heard.text)
    return answer, str(words.answer_label(answer)) if answer else ""


def identify(heard: Heard) -> Answered | None:
    """Return who spoke and which message they answer.

    By the tap's token; else by the patient the channel names (sandbox); else by the address: the patient whose message was
    sent there last, or the only one who has it.
    """
    if heard.data:
        message_id, _answer = links.read_tap(current_organization_id(), heard.data)
        if message_id is not None:
            message = _message(message_id)
            if message is not None and (heard.address_index is None or _owns(message, heard.address_index)):
                return Answered(message["patient_id"], message)
    if heard.patient_id is not None:
        last = _last_message([heard.patient_id], heard)
        known = sql.value("select 1 from patients_patient where id = %s", [heard.patient_id])
        return Answered(heard.patient_id, last) if known else None
    if heard.address_index is None:
        return None
    sharing = sql.rows(
        """select c.id, c.patient_id from patients_contact_point c join patients_patient p on p.id = c.patient_id
            where c.value_index = %s and c.system = %s and p.merged_into_id is null and not p.deceased order by c.rank, c.id""",
        [heard.address_index, SYSTEM_OF[heard.account["channel"]]],
    )
    if not sharing:
        return None
    people = list(dict.fromkeys(row["patient_id"] for row in sharing))
    contacts = tuple(row["id"] for row in sharing)
    last = _last_message_to(contacts, heard)
    if last is not None:
        return Answered(last["patient_id"], last, unsure=len(people) > 1 and _others_were_written_to(contacts, last, heard),
                        contact_ids=contacts)  # fmt: skip
    return Answered(people[0], None, unsure=len(people) > 1, contact_ids=contacts)


_MESSAGE = """select m.id, m.patient_id, m.channel, m.origin, m.origin_id, m.message_class, m.contact_point_id, m.language,
                     coalesce(t.key, '') as template
                from messaging_message m
                left join messaging_template_version v on v.id = m.template_version_id
                left join messaging_template t on t.id = v.template_id"""


def _message(message_id: UUID) -> dict[str, Any] | None:
    return sql.row(f"{_MESSAGE} where m.id = %s", [message_id])


def _owns(message: Mapping[str, Any], address_index: bytes) -> bool:
    """Whether the message went to this address: a tap forwarded to somebody else speaks for nobody."""
    kept = sql.value("select value_index from patients_contact_point where id = %s", [message["contact_point_id"]])
    return kept is None or bytes(kept) == address_index


def _last_message(patient_ids: Sequence[UUID], heard: Heard) -> dict[str, Any] | None:
    return sql.row(
        f"""{_MESSAGE} where m.patient_id = any(%s) and m.channel = %s and m.accepted_at is not null and m.origin <> 'reply'
             and m.accepted_at <= %s + interval '5 minutes' order by m.accepted_at desc limit 1""",
        [list(patient_ids), heard.account["channel"], heard.occurred_at],
    )


def _last_message_to(contact_ids: Sequence[UUID], heard: Heard) -> dict[str, Any] | None:
    return sql.row(
        f"""{_MESSAGE} where m.contact_point_id = any(%s) and m.accepted_at is not null and m.origin <> 'reply'
             and m.accepted_at <= %s + interval '5 minutes' order by m.accepted_at desc limit 1""",
        [list(contact_ids), heard.occurred_at],
    )


def _others_were_written_to(contact_ids: Sequence[UUID], last: Mapping[str, Any], heard: Heard) -> bool:
    """Whether another member of the family also got a message there in the last two days: then a text is ambiguous."""
    return bool(
        sql.value(
            """select 1 from messaging_message where contact_point_id = any(%s) and patient_id <> %s and origin <> 'reply'
                and accepted_at between %s - interval '2 days' and %s + interval '5 minutes' limit 1""",
            [list(contact_ids), last["patient_id"], heard.occurred_at, heard.occurred_at],
        )
    )


@transaction.atomic
def hear(
    *, patient_id: UUID, channel: str, account_id: UUID | None, event_id: str, kind: str, text: str, answer: str, label: str,
    message: Mapping[str, Any] | None, occurred_at: datetime, now: datetime, unsure: bool = False,
    provider_message_id: str = "",
) -> UUID | None:  # fmt: skip
    """Put what a patient said into the conversation and on the timeline, and do what it asks at once (opting out).

    Hearing the same event again changes nothing; None is returned then.
    """
    if InboundMessage.objects.filter(event_id=event_id).exists():
        return None
    conversation_id = sql.value(
        """insert into messaging_conversation (patient_id, channel, last_inbound_at, unread, created_at)
           values (%(patient)s, %(channel)s, %(at)s, 1, %(now)s)
           on conflict (organization_id, patient_id, channel) do update
              set last_inbound_at = greatest(messaging_conversation.last_inbound_at, excluded.last_inbound_at),
                  unread = messaging_conversation.unread + 1
           returning id""",
        {"patient": patient_id, "channel": channel, "at": occurred_at, "now": now},
    )
    inbound_id = uuid7()
    InboundMessage.objects.create(
        id=inbound_id, conversation_id=conversation_id, patient_id=patient_id, account_id=account_id, event_id=event_id,
        kind=kind, text_sealed=sealing.seal_heard(patient_id, inbound_id, {"text": text, "label": label}) if text or label else None,
        answer=answer, in_reply_to_id=message["id"] if message else None, provider_message_id=provider_message_id[:200],
        unsure=unsure, occurred_at=occurred_at,
    )  # fmt: skip
    if message:
        sql.execute(
            "update messaging_message set answered_at = coalesce(answered_at, %s), answer = case when %s <> '' then %s else answer end "
            "where id = %s",
            [occurred_at, answer, answer, message["id"]],
        )
    publish(
        MessageReceived(
            inbound_id, channel, kind, answer, label if answer else "", message["id"] if message else None,
            message["origin"] if message else "", message["origin_id"] if message else "",
            message["template"] if message else "",
        ),
        patient_id=patient_id, now=now, occurred_at=occurred_at, source=channel,
    )  # fmt: skip
    if answer == "STOP":
        survey = bool(message) and message["message_class"] == "SURVEY"  # type: ignore[index]
        opt_out(
            patient_id=patient_id, channel=channel, source="keyword", inbound_id=inbound_id, now=now,
            purposes=("MARKETING", "SURVEY") if survey else ("MARKETING",),
        )  # fmt: skip
    return inbound_id


def opt_out(
    *, patient_id: UUID, channel: str, source: str, inbound_id: UUID | None, now: datetime, confirm: bool = True,
    purposes: tuple[str, ...] = ("MARKETING",),
) -> None:  # fmt: skip
    """Withdraw one person's consent on every channel, stop what is planned, and confirm it to them.

    Care and operational messages stay (rule P5); the confirmation says where to refuse those too.
    """
    for purpose in purposes:
        consent.withdraw(
            patient_id=patient_id, purpose=purpose, source=source, evidence=f"message {inbound_id}" if inbound_id else "",
            now=now, by=None,
        )  # fmt: skip
    sql.execute(
        """update messaging_message set state = 'blocked', reason = 'opted_out', closed_at = %s
            where patient_id = %s and state = 'planned' and message_class = any(%s)""",
        [now, patient_id, list(purposes)],
    )
    if confirm:
        from careloop.messaging.services import plan_one

        plan_one(
            template_key="opt-out-confirmation", patient_id=patient_id, key=f"reply:opt-out:{inbound_id or uuid7()}", due_at=now,
            now=now, origin="reply", channel=channel, at_once=True,
        )  # fmt: skip


def _reach(heard: Heard, *, now: datetime) -> str:
    """Follow and unfollow: whoever has this address can be reached there again, or not any more."""
    reach = {InboundKind.FOLLOW: "reached", InboundKind.UNFOLLOW: "blocked", InboundKind.BOUNCE: "bounced"}[heard.kind]
    if heard.patient_id is not None:
        contacts = sql.rows(
            "select id from patients_contact_point where patient_id = %s and system = %s",
            [heard.patient_id, SYSTEM_OF[heard.account["channel"]]],
        )
    elif heard.address_index is not None:
        contacts = sql.rows(
            "select id from patients_contact_point where value_index = %s and system = %s",
            [heard.address_index, SYSTEM_OF[heard.account["channel"]]],
        )
    else:
        contacts = []
    if not contacts:
        return "stranger"
    patients.set_reach(contact_point_ids=[row["id"] for row in contacts], reach=reach, now=now)
    return "done"


def _taken_back(heard: Heard, *, now: datetime) -> str:
    """Unsend: the patient took a message back, so its words go too."""
    name = heard.provider_message_id or heard.data
    done = sql.execute(
        """update messaging_inbound_message set text_sealed = null, taken_back_at = %s
            where provider_message_id = %s and provider_message_id <> '' and account_id = %s""",
        [now, name, heard.account["id"]],
    )
    return "done" if done else "ignored"


def tell_sent(message_ids: Sequence[UUID], *, now: datetime) -> None:
    """Publish `message.sent` for messages that are now known to have arrived."""
    actor = current_actor()
    sql.execute(
        """insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
           select 'message.sent', m.patient_id, m.accepted_at, %s, %s, %s, m.channel,
                  jsonb_build_object('message_id', m.id, 'channel', m.channel, 'message_class', m.message_class,
                                     'template', coalesce(t.key, ''), 'origin', m.origin, 'origin_id', m.origin_id)
             from messaging_message m left join messaging_template_version v on v.id = m.template_version_id
             left join messaging_template t on t.id = v.template_id
            where m.id = any(%s)""",
        [now, actor.kind, actor.id, list(message_ids)],
    )


def account_of(channel: str) -> ChannelAccount | None:
    """Return the default account of a channel."""
    return ChannelAccount.objects.filter(channel=channel, enabled=True, is_default=True).first()
