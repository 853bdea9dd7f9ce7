"""The members' newsletter: written, judged, counted, sent as one set, and what became of it.

Its words become a published text of messaging, and its readers one audience: planning, consent, channels and sending are
messaging's. The class is judged, not chosen: words that teach are education, words that offer are marketing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.loyalty.models import NewsletterIssue
from careloop.loyalty.thanks import errors as errors
from careloop.messaging import services as messaging
from careloop.messaging import texts
from careloop.messaging.models import MessageTemplate
from careloop.messaging.services import Audience, Planned
from careloop.messaging.texts import TextVerdict
from careloop.policy.errors import OfferStopped
from careloop.policy.offers import Offer
from careloop.policy.signing import check_offers
from careloop.tenancy.models import Organization

ORIGIN = "newsletter"
REFUSED_WITHIN = timedelta(days=14)
CLASSES = ("EDUCATION", "MARKETING")


# -- writing -----------------------------------------------------------------------------------------------------


@transaction.atomic
def save(
    *, issue_id: UUID | None, title: str, issue_texts: Mapping[str, Mapping[str, Any]], topics: Sequence[str],
    version: int | None, now: datetime, by: UUID | None,
) -> NewsletterIssue:  # fmt: skip
    """Keep the words of an issue; what was checked before is checked again after.

    Raises:
        NewsletterGone: it was sent.
        ChangedSince: somebody else saved first.
    """
    if issue_id is None:
        issue = NewsletterIssue(created_at=now, created_by_id=by, version=0)
    else:
        issue = _locked(issue_id, version)
    issue.title, issue.texts = clean(title), texts.tidy(issue_texts)
    issue.topics, issue.state = sorted(set(topics)), NewsletterIssue.State.DRAFT
    issue.counted = {}
    _keep(issue, now=now)
    return issue


def judge(issue_texts: Mapping[str, Mapping[str, Any]], *, now: datetime) -> tuple[str, TextVerdict]:
    """Return the class these words have, and what the rules say about them in it.

    Education when nothing in them offers; else marketing, which needs each reader's yes.
    """
    verdict = texts.check_texts(issue_texts, message_class="EDUCATION", now=now)
    if verdict.may_be_sent and not verdict.reclassified:
        return "EDUCATION", verdict
    return "MARKETING", texts.check_texts(issue_texts, message_class="MARKETING", now=now)


@transaction.atomic
def check(*, issue_id: UUID, version: int | None, now: datetime, by: Any) -> NewsletterIssue:
    """Judge an issue and freeze its words as a published text, ready to be counted and sent.

    Raises:
        NewsletterStopped, OfferStopped, NotPublishable: a legal rule stops the words, or a text is not complete.
        NewsletterGone, ChangedSince.
    """
    issue = _locked(issue_id, version)
    message_class, verdict = judge(issue.texts, now=now)
    if not verdict.may_be_sent:
        raise errors.NewsletterStopped(why=verdict.sentence)
    _check_offer(issue)
    key = f"newsletter-{issue.pk.hex}-{message_class[0].lower()}"
    template = texts.create_template(key=key, name=issue.title, message_class=message_class, by=by, now=now)
    MessageTemplate.objects.filter(pk=template.pk).update(name=issue.title, is_archived=False)
    draft = texts.save_draft(template=template, texts=issue.texts, by=by, now=now)
    texts.publish(version_id=draft.pk, by=by, now=now)
    issue.state, issue.message_class, issue.template_key = NewsletterIssue.State.CHECKED, message_class, key
    issue.verdict = verdict.stored()
    _keep(issue, now=now)
    return issue


def _check_offer(issue: NewsletterIssue) -> None:
    """What a newsletter says is an offer like any other: the guard's rules read its words."""
    offers = [
        Offer(kind="NEWSLETTER", earns_by="", gives="CONTENT", text=f"{entry.get('subject', '')}\n{entry['text']}")
        for entry in issue.texts.values()
    ]
    for verdict in check_offers(offers, audience="one", organization=Organization.objects.get()):
        if not verdict.may_be_sent:
            raise OfferStopped(verdict)


# -- who gets it -------------------------------------------------------------------------------------------------

_MEMBERS = """
    select a.patient_id
      from loyalty_account a join loyalty_programme o on o.id = a.programme_id and o.state = 'OPEN'
     where a.kind = 'PATIENT' and a.state = 'ACTIVE'
     group by a.patient_id
"""
_READERS = f"""
    select m.patient_id, %(key)s || ':' || m.patient_id::text as key from ({_MEMBERS}) as m
     where cardinality(%(topics)s::text[]) = 0 or exists (
           select from loyalty_interest i where i.patient_id = m.patient_id and i.topic = any(%(topics)s))
"""


def _audience(issue: NewsletterIssue) -> Audience:
    return Audience(_READERS, {"topics": list(issue.topics), "key": _prefix(issue)}, frozenset({"key"}))


def _prefix(issue: NewsletterIssue) -> str:
    return f"{ORIGIN}:{issue.pk}"


@dataclass(frozen=True)
class Numbers:
    """Who gets an issue: of so many members so many are interested; so many get it, the others are left out, and why."""

    members: int = 0
    interested: int = 0
    gets: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    delayed: int = 0

    @property
    def not_interested(self) -> int:
        return self.members - self.interested

    def stored(self) -> dict[str, Any]:
        return {
            "members": self.members, "interested": self.interested, "gets": self.gets, "left_out": self.left_out,
            "channels": self.channels, "delayed": self.delayed,
        }  # fmt: skip


def count(issue: NewsletterIssue, *, now: datetime, at: datetime | None = None) -> Numbers:
    """Say who would get a checked issue, without writing anything."""
    return _numbers(
        issue,
        messaging.forecast(
            template_key=issue.template_key,
            patients=_audience(issue),
            due_at=at or now,
            now=now,
            key_prefix=_prefix(issue),
        ),
    )


def _numbers(issue: NewsletterIssue, planned: Planned) -> Numbers:
    members = sql.row(
        f"""select count(*) as members, count(*) filter (where cardinality(%(topics)s::text[]) = 0 or exists (
                   select from loyalty_interest i where i.patient_id = m.patient_id and i.topic = any(%(topics)s))) as interested
              from ({_MEMBERS}) as m""",
        {"topics": list(issue.topics)},
    )
    assert members is not None
    return Numbers(
        members=members["members"], interested=members["interested"], gets=planned.planned, left_out=planned.blocked,
        channels=planned.channels, delayed=planned.delayed,
    )  # fmt: skip


# -- sending -----------------------------------------------------------------------------------------------------


@transaction.atomic
def send(
    *, issue_id: UUID, version: int | None, now: datetime, by: UUID | None, at: datetime | None = None
) -> NewsletterIssue:
    """Plan the issue for everybody who gets it, as one set; a second press of the button changes nothing.

    Raises:
        NewsletterNotReady: it was changed since it was checked, or never checked.
        ChangedSince: somebody else changed it in between.
    """
    issue = NewsletterIssue.objects.select_for_update().get(pk=issue_id)
    if issue.state == NewsletterIssue.State.SENT:
        return issue
    if version is not None and issue.version != version:
        raise errors.ChangedSince
    if issue.state != NewsletterIssue.State.CHECKED:
        raise errors.NewsletterNotReady
    _check_offer(issue)
    due = at if at is not None and at > now else now
    planned = messaging.plan_many(
        template_key=issue.template_key, patients=_audience(issue), key_prefix=_prefix(issue), due_at=due, now=now, origin=ORIGIN,
        origin_id=str(issue.pk), planned_by=by,
    )  # fmt: skip
    issue.counted = _numbers(issue, planned).stored()
    issue.state, issue.send_at, issue.sent_at, issue.sent_by_id = NewsletterIssue.State.SENT, due, now, by
    _keep(issue, now=now)
    # its words are this issue's only; it shall not stand in the list of texts
    MessageTemplate.objects.filter(key=issue.template_key).update(is_archived=True)
    audit.record(
        "newsletter.sent", target=("newsletter", issue.pk), details={"planned": planned.planned, "left_out": planned.blocked_total},
        now=now,
    )  # fmt: skip
    return issue


@transaction.atomic
def stop(*, issue_id: UUID, now: datetime, by: UUID | None) -> int:
    """Take back what has not left yet of an issue that was sent; return how many messages that were."""
    stopped = messaging.cancel(now=now, reason="staff", origin=ORIGIN, origin_ids=[str(issue_id)], by=by)
    audit.record("newsletter.stopped", target=("newsletter", issue_id), details={"messages": stopped}, now=now)
    return stopped


@transaction.atomic
def delete(*, issue_id: UUID, now: datetime, by: UUID | None) -> None:
    """Throw away an issue that was never sent.

    Raises:
        NewsletterGone: it was.
    """
    issue = _locked(issue_id, None)
    MessageTemplate.objects.filter(key=issue.template_key).update(is_archived=True)
    audit.record("newsletter.deleted", target=("newsletter", issue.pk), now=now)
    issue.delete()


# -- what became of it -------------------------------------------------------------------------------------------

_REPORT = """
    select count(*) filter (where m.state = 'accepted') as sent,
           count(*) filter (where m.state in ('planned', 'claimed')) as waiting,
           count(*) filter (where m.state in ('failed', 'unknown')) as failed,
           count(*) filter (where m.state = 'cancelled') as cancelled,
           count(*) filter (where m.state = 'blocked') as left_out,
           count(*) filter (where m.answered_at is not null) as answered,
           count(*) filter (where m.state = 'accepted' and exists (
               select from consent_consent c
                where c.patient_id = m.patient_id and c.decision = 'deny' and c.purpose in ('MARKETING', 'CARE')
                  and c.decided_at between m.accepted_at and m.accepted_at + %(within)s)) as refused
      from messaging_message m where m.origin = 'newsletter' and m.origin_id = %(issue)s
"""
_LEFT_OUT = """select reason, count(*) as n from messaging_message
                where origin = 'newsletter' and origin_id = %s and state = 'blocked' group by 1 order by 2 desc, 1"""


@dataclass(frozen=True)
class Report:
    """What became of an issue. `refused`: readers who refused such messages within 14 days of getting it."""

    sent: int
    waiting: int
    failed: int
    cancelled: int
    left_out: int
    answered: int
    refused: int
    reasons: dict[str, int]


def report(issue_id: UUID) -> Report:
    """Return what became of an issue: two statements, by index."""
    found = sql.row(_REPORT, {"issue": str(issue_id), "within": REFUSED_WITHIN})
    assert found is not None
    reasons = {row["reason"]: row["n"] for row in sql.rows(_LEFT_OUT, [str(issue_id)])}
    return Report(**found, reasons=reasons)


# -- inside ------------------------------------------------------------------------------------------------------


def _locked(issue_id: UUID, version: int | None) -> NewsletterIssue:
    issue = NewsletterIssue.objects.select_for_update().get(pk=issue_id)
    if issue.state == NewsletterIssue.State.SENT:
        raise errors.NewsletterGone
    if version is not None and issue.version != version:
        raise errors.ChangedSince
    return issue


def _keep(issue: NewsletterIssue, *, now: datetime) -> None:
    issue.changed_at, issue.version = now, issue.version + 1
    issue.save()
