"""Reading messages: lists, one message with its history, conversations, templates."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.accounts.scope import at_home
from careloop.kernel import sql
from careloop.messaging import sealing, words
from careloop.messaging.models import InboundMessage, Message
from careloop.messaging.reasons import reason_label
from careloop.patients.sealing import load_keys

PAGE = 50

_LIST = """
select m.id, m.state, m.reason, m.channel, m.message_class, m.due_at, m.accepted_at, m.closed_at, m.answered_at, m.answer,
       m.attempts, m.origin, m.details, p.id as patient_id, p.name as patient_name, p.chart_number, t.name as template_name,
       t.key as template_key, a.pause_reason, a.paused_until
  from messaging_message m
  join patients_patient p on p.id = m.patient_id
  left join messaging_template_version v on v.id = m.template_version_id
  left join messaging_template t on t.id = v.template_id
  left join messaging_channel_account a on a.id = m.account_id
"""


@dataclass(frozen=True)
class Filters:
    """What the list of messages is narrowed to; empty means everything."""

    state: str = ""
    channel: str = ""
    message_class: str = ""
    reason: str = ""
    template: str = ""
    days: int = 30
    answered: bool = False


def messages(filters: Filters, *, now: datetime, before: tuple[datetime, UUID] | None = None) -> list[dict[str, Any]]:
    """Return one page of messages, the newest due first; one more than a page when there is another."""
    where = ["m.due_at > %(now)s - make_interval(days => %(days)s)"]
    if filters.state == "due":
        where.append("m.state = 'planned' and m.due_at <= %(now)s")
    elif filters.state:
        where.append("m.state = %(state)s")
    for column, value in (
        ("channel", filters.channel),
        ("message_class", filters.message_class),
        ("reason", filters.reason),
    ):
        if value:
            where.append(f"m.{column} = %({column})s")
    if filters.template:
        where.append("t.key = %(template)s")
    if filters.answered:
        where.append("m.answered_at is not null")
    if before:
        where.append("(m.due_at, m.id) < (%(at)s, %(id)s)")
    here, limit = at_home("p.home_location_id")
    return sql.rows(
        f"{_LIST} where {' and '.join(where)}{here} order by m.due_at desc, m.id desc limit %(limit)s",
        {
            "now": now, "days": filters.days, "state": filters.state, "channel": filters.channel, "reason": filters.reason,
            "message_class": filters.message_class, "template": filters.template, "limit": PAGE + 1,
            "at": before[0] if before else None, "id": before[1] if before else None, **limit,
        },
    )  # fmt: skip


def counts(*, now: datetime, days: int = 30) -> dict[str, int]:
    """Return how many messages of the last days are in each state."""
    here, limit = _of_patients_here()
    found = sql.rows(
        f"""select state, count(*) as n from messaging_message as m
             where due_at > %(now)s - make_interval(days => %(days)s){here} group by state""",
        {"now": now, "days": days, **limit},
    )
    return {row["state"]: int(row["n"]) for row in found}


def waiting_for_people() -> dict[str, int]:
    """Return what a person must look at: messages whose fate is unknown, failed ones of the last week, unread answers."""
    here, limit = _of_patients_here()
    return {
        "unknown": int(sql.value(f"select count(*) from messaging_message as m where state = 'unknown'{here}", limit)),
        "unread": int(sql.value(f"select count(*) from messaging_conversation as m where unread > 0{here}", limit)),
    }


def _of_patients_here() -> tuple[str, dict[str, Any]]:
    """The same limit for a statement that does not read patients: `m` is what belongs to one."""
    here, limit = at_home("p.home_location_id")
    if here:
        here = f" and exists (select 1 from patients_patient as p where p.id = m.patient_id{here})"
    return here, limit


def message(message_id: UUID) -> dict[str, Any] | None:
    """Return one message as in the list."""
    here, limit = at_home("p.home_location_id")
    return sql.row(f"{_LIST} where m.id = %(id)s{here}", {"id": message_id, **limit})


@dataclass(frozen=True)
class Step:
    """One line of a message's history: when, what, and why."""

    at: datetime
    what: str | Promise
    why: str | Promise = ""
    who: str = ""
    tone: str = ""


NOTE_WORDS: dict[str, str | Promise] = {
    "retry": _("Not taken; tried again later"), "delayed": pgettext_lazy("message history", "Delayed"), "rerouted": _("Sent by another channel instead"),
    "failed": pgettext_lazy("message history", "Failed"), "unknown": _("Nobody knows whether it arrived"), "cancelled": pgettext_lazy("message history", "Cancelled"),
    "retried": _("Planned again by staff"), "settled": _("Settled by itself"), "resolved_arrived": _("Staff: it arrived"),
    "resolved_leave": _("Staff: leave it"), "resolved_send_again": _("Staff: send it again"),
}  # fmt: skip


def history(one: Message) -> list[Step]:
    """Return everything that happened to a message, in order, in words."""
    who = {"staff": one.planned_by.name if one.planned_by else ""}.get(one.origin, "")
    steps = [Step(one.planned_at, pgettext_lazy("message history", "Planned"), Message.Origin(one.origin).label, who)]
    for note in one.notes.select_related("by").order_by("at", "id"):
        said = str(note.details.get("said", "")) if isinstance(note.details, dict) else ""
        why = reason_label(note.reason) if note.reason else ""
        steps.append(
            Step(
                note.at,
                NOTE_WORDS.get(note.what, note.what),
                f"{why} {said}".strip(),
                note.by.name if note.by else "",
                "warning",
            )
        )
    if one.accepted_at:
        steps.append(Step(one.accepted_at, _("Accepted by the channel"), tone="success"))
    if one.state == Message.State.BLOCKED and one.closed_at:
        steps.append(
            Step(one.closed_at, pgettext_lazy("message history", "Not sent"), reason_label(one.reason), tone="danger")
        )
    if one.answered_at:
        steps.append(
            Step(
                one.answered_at,
                _("The patient answered"),
                words.answer_label(one.answer) if one.answer else "",
                tone="success",
            )
        )
    return sorted(steps, key=lambda step: step.at)


def content(one: Message) -> dict[str, Any]:
    """Return what a message said, when it was sent; empty before and after erasure."""
    return sealing.open_content(one.patient_id, one.pk, bytes(one.content_sealed) if one.content_sealed else None)


def thread(patient_id: UUID, *, limit: int = 60, channel: str = "") -> list[dict[str, Any]]:
    """Return what was said both ways with one patient, the oldest first: direction, at, text, state, answer …"""
    out = list(
        Message.objects.filter(patient_id=patient_id, **({"channel": channel} if channel else {}))
        .select_related("template_version__template").order_by("-due_at", "-id")[:limit]
    )  # fmt: skip
    heard = list(
        InboundMessage.objects.filter(patient_id=patient_id, **({"conversation__channel": channel} if channel else {}))
        .select_related("conversation").order_by("-occurred_at")[:limit]
    )  # fmt: skip
    keys = load_keys([patient_id])
    key = keys.get(patient_id)

    def opened(place: str, sealed: Any) -> dict[str, Any]:
        return sealing.open_under(key, place, bytes(sealed)) if key and sealed else {}

    lines: list[dict[str, Any]] = []
    for one in out:
        said = opened(f"{sealing.CONTENT_PLACE}.{one.pk}", one.content_sealed) if one.state == "accepted" else {}
        lines.append(
            {
                "direction": "out", "id": one.pk, "at": one.accepted_at or one.due_at, "channel": one.channel, "state": one.state,
                "state_label": one.get_state_display(), "reason": reason_label(one.reason) if one.reason else "",
                "template": one.template_version.template.name if one.template_version else "",
                "text": said.get("text", ""), "subject": said.get("subject", ""), "answer": "",
            }
        )  # fmt: skip
    for reply in heard:
        said = opened(f"{sealing.INBOUND_PLACE}.{reply.pk}", reply.text_sealed)
        lines.append(
            {
                "direction": "in", "id": reply.pk, "at": reply.occurred_at, "channel": reply.conversation.channel, "state": reply.kind,
                "text": said.get("text") or said.get("label") or "", "taken_back": reply.taken_back_at is not None,
                "answer": words.answer_label(reply.answer) if reply.answer else "", "unsure": reply.unsure, "kind": reply.kind,
            }
        )  # fmt: skip
    return sorted(lines, key=lambda line: line["at"])[-limit:]


def unread_conversations(*, limit: int = 50) -> list[dict[str, Any]]:
    """Return conversations with something unread, the newest first."""
    here, home = at_home("p.home_location_id")
    return sql.rows(
        f"""select c.id, c.channel, c.last_inbound_at, c.unread, p.id as patient_id, p.name as patient_name, p.chart_number
             from messaging_conversation c join patients_patient p on p.id = c.patient_id
            where c.unread > 0{here} order by c.last_inbound_at desc limit %(limit)s""",
        {"limit": limit, **home},
    )


def unread_of(patient_id: UUID) -> int:
    """Return how many messages of one patient nobody has read."""
    return int(
        sql.value("select coalesce(sum(unread), 0) from messaging_conversation where patient_id = %s", [patient_id])
    )


def mark_read(patient_id: UUID, *, now: datetime) -> None:
    """Note that somebody looked at what a patient wrote."""
    sql.execute(
        "update messaging_conversation set unread = 0, read_at = %s where patient_id = %s and unread > 0",
        [now, patient_id],
    )


def count() -> int:
    """Return how many messages the organization holds (`careloop count`)."""
    return int(sql.value("select count(*) from messaging_message"))


def messages_between(start: datetime, end: datetime) -> dict[str, int]:
    """Return how many were accepted per channel in a period, for budgets and reports."""
    found = sql.rows(
        "select channel, count(*) as n from messaging_message where accepted_at >= %s and accepted_at < %s group by channel",
        [start, end],
    )
    return {row["channel"]: int(row["n"]) for row in found}


BIRTHDAY_TEMPLATES = ("birthday", "birthday-days")


def birthday_messages_sql(*, patient: str, besides: str = "") -> str:
    """Return the query for a patient's birthday messages since `%(birthday_since)s`, sent or on their way, whoever planned them.

    Journeys and greetings both ask it, so that nobody is congratulated twice.

    Args:
        patient: the column with the patient's id.
        besides: an origin that does not count: the asker's own.
    """
    keys = ", ".join(f"'{key}'" for key in BIRTHDAY_TEMPLATES)
    return (
        "select 1 from messaging_message bm left join messaging_template_version bv on bv.id = bm.template_version_id "
        f"left join messaging_template bt on bt.id = bv.template_id where bm.patient_id = {patient} "
        "and bm.due_at > %(birthday_since)s and bm.state in ('planned', 'claimed', 'accepted', 'unknown') "
        f"and bm.origin <> '{besides}' and (bt.key in ({keys}) or bm.origin = 'greeting' and starts_with(bm.origin_id, 'BIRTHDAY:'))"
    )
