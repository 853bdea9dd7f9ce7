"""Who may be contacted, for what, on which channel: as SQL for sets, and in words for one person.

The rules, the same in both forms (policy rules in brackets):

* a refusal always wins, for its channel or for all of them [P5];
* OPERATIONAL, CARE and EDUCATION go out unless care contact was refused; SURVEY unless surveys were refused;
* MARKETING needs an agreement of its own, given apart from care [P3], for this channel or for every channel;
* MARKETING that reads health data also needs the written agreement [P1, PDPA art. 6].
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from careloop.consent.models import ConsentChannel, Purpose
from careloop.kernel import sql

# message class (policy.answers.MessageClass) → the purpose whose decisions count
PURPOSE_OF = {
    "OPERATIONAL": Purpose.CARE, "CARE": Purpose.CARE, "EDUCATION": Purpose.CARE, "SURVEY": Purpose.SURVEY,
    "MARKETING": Purpose.MARKETING,
}  # fmt: skip
NEEDS_PERMIT = frozenset({Purpose.MARKETING, Purpose.HEALTH_MARKETING})
# Written consent may be electronic (PDPA Enforcement Rules art. 14) but not spoken.
WRITTEN_SOURCES = ("paper", "portal", "link")


def allowed_sql(
    message_class: str,
    channel: str = "",
    *,
    patient: str = "patient_id",
    channel_sql: str = "",
    reads_health: bool = False,
) -> str:
    """Return a SQL condition: this patient may be contacted for this class of message on this channel.

    It has no parameters and uses the index of decisions in force, so it can stand in any WHERE over patients:

        f"insert into … select p.id from patients_patient p where {allowed_sql('MARKETING', 'line', patient='p.id')}"

    Args:
        message_class: OPERATIONAL, CARE, EDUCATION, SURVEY or MARKETING.
        channel: a `ConsentChannel` (line, sms, email, wechat, phone); empty: on at least no channel in particular, so only
            decisions for every channel count.
        patient: SQL for the patient's id in the surrounding query; ours, never the reader's.
        channel_sql: SQL for the channel where each row has its own, instead of `channel`.
        reads_health: the message or its segment reads clinical data (marketing only).

    Raises:
        ValueError: no such message class or channel.
    """
    purpose = _purpose(message_class)
    if channel and channel not in ConsentChannel.values:
        raise ValueError(f"unknown channel {channel}")
    where = channel_sql or (f"'{channel}'" if channel else "'any'")
    purposes = [purpose]
    if purpose == Purpose.MARKETING and reads_health:
        purposes.append(Purpose.HEALTH_MARKETING)
    named = ", ".join(f"'{one.value}'" for one in purposes)
    parts = [f"not exists ({_in_force(patient, where)} and c.decision = 'deny' and c.purpose in ({named}))"]
    for one in purposes:
        if one in NEEDS_PERMIT:
            written = f" and c.source in {WRITTEN_SOURCES!r}" if one == Purpose.HEALTH_MARKETING else ""
            parts.append(
                f"exists ({_in_force(patient, where)} and c.decision = 'permit' and c.purpose = '{one.value}'{written})"
            )
    return "(" + " and ".join(parts) + ")"


def _in_force(patient: str, channel: str) -> str:
    return (
        f"select 1 from consent_consent c where c.patient_id = {patient} and c.ended_at is null "
        f"and c.channel in ('any', {channel})"
    )


def _purpose(message_class: str) -> Purpose:
    try:
        return PURPOSE_OF[message_class]
    except KeyError:
        raise ValueError(f"unknown message class {message_class}") from None


def allowed_among(
    patient_ids: Iterable[UUID], message_class: str, channel: str, *, reads_health: bool = False
) -> set[UUID]:
    """Return which of these patients may be contacted: one query."""
    condition = allowed_sql(message_class, channel, patient="w.id", reads_health=reads_health)
    found = sql.rows(f"select w.id from unnest(%s::uuid[]) as w (id) where {condition}", [list(patient_ids)])
    return {row["id"] for row in found}


# -- one person, in words ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """One ground for the answer: the policy rule, the sentence, and the decision it rests on (if any)."""

    rule: str
    sentence: str | Promise
    consent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """May this person be contacted, and why."""

    allowed: bool
    reasons: tuple[Reason, ...]


REFUSED = _("The patient refused this kind of message. A refusal applies at once and wins over every agreement.")
REFUSED_HERE = _("The patient refused this kind of message on this channel.")
NO_PERMIT = _("Marketing needs an agreement of its own, apart from care; none is recorded.")
NO_HEALTH_PERMIT = _("Offers chosen by health data need the patient's written agreement; none is recorded.")
PERMITTED = _("The patient agreed to this on %(date)s.")
NO_REFUSAL = _("No agreement is needed for this, and the patient has not refused it.")


def explain(patient_id: UUID, message_class: str, channel: str = "", *, reads_health: bool = False) -> Explanation:
    """Say whether one person may be contacted, and which rules and decisions say so."""
    purpose = _purpose(message_class)
    purposes = [purpose, Purpose.HEALTH_MARKETING] if reads_health and purpose == Purpose.MARKETING else [purpose]
    decisions = [
        one for one in in_force(patient_id) if one["purpose"] in purposes and one["channel"] in ("any", channel)
    ]
    refusals = [
        Reason("P5", REFUSED if one["channel"] == "any" else REFUSED_HERE, one["id"])
        for one in decisions if one["decision"] == "deny"
    ]  # fmt: skip
    if refusals:
        return Explanation(False, tuple(refusals))
    missing: list[Reason] = []
    grounds: list[Reason] = []
    for one in purposes:
        if one not in NEEDS_PERMIT:
            continue
        permits = [
            decision for decision in decisions
            if decision["purpose"] == one and decision["decision"] == "permit"
            and (one != Purpose.HEALTH_MARKETING or decision["source"] in WRITTEN_SOURCES)
        ]  # fmt: skip
        if permits:
            at: datetime = permits[0]["decided_at"]
            grounds.append(
                Reason("P3", str(PERMITTED) % {"date": timezone.localdate(at).isoformat()}, permits[0]["id"])
            )
        elif one == Purpose.MARKETING:
            missing.append(Reason("P3", NO_PERMIT))
        else:
            missing.append(Reason("P1", NO_HEALTH_PERMIT))
    if missing:
        return Explanation(False, tuple(missing))
    return Explanation(True, tuple(grounds) or (Reason("P5", NO_REFUSAL),))


def in_force(patient_id: UUID) -> list[dict[str, Any]]:
    """Return the decisions that count now, newest first."""
    return sql.rows(
        """select id, purpose, channel, decision, source, decided_at, notice_id
             from consent_consent where patient_id = %s and ended_at is null order by decided_at desc""",
        [patient_id],
    )


def history(patient_id: UUID) -> list[dict[str, Any]]:
    """Return every decision ever made, newest first, with who recorded it and which text was seen."""
    return sql.rows(
        """select c.id, c.purpose, c.channel, c.decision, c.source, c.evidence, c.decided_at, c.ended_at,
                  n.version as notice_version, u.name as recorded_by
             from consent_consent c left join consent_notice n on n.id = c.notice_id
             left join accounts_user u on u.id = c.recorded_by_id
            where c.patient_id = %s order by c.decided_at desc, c.id desc""",
        [patient_id],
    )


# -- notices ----------------------------------------------------------------------------------------------------


def current_notice(purpose: str = "") -> dict[str, Any] | None:
    """Return the published text of the privacy notice, or of a purpose's consent text."""
    return sql.row(
        """select id, version, texts, text_hash, published_at from consent_notice
            where purpose = %s and published_at is not null order by version desc limit 1""",
        [purpose],
    )


def current_notices() -> dict[str, dict[str, Any]]:
    """Return the published text of every purpose (the privacy notice under the empty key)."""
    found = sql.rows(
        """select distinct on (purpose) purpose, id, version, texts, text_hash, published_at from consent_notice
            where published_at is not null order by purpose, version desc"""
    )
    return {row["purpose"]: row for row in found}


def notices() -> list[dict[str, Any]]:
    """Return every version of every text, newest first, with how many people saw or agreed to it."""
    return sql.rows(
        """select n.id, n.purpose, n.version, n.texts, n.text_hash, n.published_at, u.name as published_by,
                  case when n.purpose = '' then (select count(*) from consent_notice_shown s where s.notice_id = n.id)
                       else (select count(*) from consent_consent c where c.notice_id = n.id) end as people
             from consent_notice n left join accounts_user u on u.id = n.published_by_id
            order by n.purpose, n.version desc"""
    )


def text_in(texts: dict[str, dict[str, str]], language: str) -> dict[str, str]:
    """Return title and body in a language, or in the first language that has them.

    >>> text_in({"zh-hant": {"title": "告知", "body": "…"}}, "en")["title"]
    '告知'
    """
    for one in (language, "zh-hant", "en", "zh-hans"):
        if texts.get(one, {}).get("body"):
            return texts[one]
    return {"title": "", "body": ""}


def has_seen_notice(patient_id: UUID) -> bool:
    """Whether the person was ever shown the privacy notice; if not, that is due at the first contact (P2)."""
    return bool(sql.value("select 1 from consent_notice_shown where patient_id = %s limit 1", [patient_id]))


def without_notice_sql(patient: str = "patient_id") -> str:
    """Return a SQL condition: this patient was never shown the privacy notice."""
    return f"not exists (select 1 from consent_notice_shown s where s.patient_id = {patient})"
