"""Recording what people decide, at once and with proof; and the texts they are shown.

A decision is never changed: a new one ends the one before. Whoever sends asks `selectors.allowed_sql` again at the moment of
sending, so a refusal recorded here stops the next message, also one that was planned before.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import orjson
from django.db import transaction

from careloop.audit import services as audit
from careloop.consent import errors
from careloop.consent.events import ConsentGiven, ConsentWithdrawn, PrivacyNoticeShown
from careloop.consent.models import Consent, ConsentChannel, Notice, NoticeShown, Purpose
from careloop.consent.selectors import WRITTEN_SOURCES
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.kernel.text import clean
from careloop.patients.models import Patient
from careloop.tenancy.context import current_organization_id

LANGUAGES = ("zh-hant", "zh-hans", "en")
LONGEST_TITLE, LONGEST_BODY = 120, 20_000


# -- decisions --------------------------------------------------------------------------------------------------


@transaction.atomic
def give(
    *,
    patient_id: UUID,
    purpose: str,
    channel: str = ConsentChannel.ANY,
    source: str,
    evidence: str = "",
    notice_id: UUID | None = None,
    now: datetime,
    by: UUID | None,
) -> Consent:
    """Record that a person agrees to one purpose on one channel (or on every channel).

    Giving again what is in force already changes nothing. Agreeing on one channel after refusing all of them leaves the other
    channels refused.

    Raises:
        UnknownPatient. WrittenConsentNeeded: health marketing by word of mouth.
    """
    if purpose == Purpose.HEALTH_MARKETING and source not in WRITTEN_SOURCES:
        raise errors.WrittenConsentNeeded
    _lock(patient_id)
    current = _in_force(patient_id, purpose)
    here = current.get(channel)
    if here and here.decision == Consent.Decision.PERMIT and _is_as_good(here, source, notice_id):
        return here
    refused_all = current.get(ConsentChannel.ANY)
    if channel != ConsentChannel.ANY and refused_all and refused_all.decision == Consent.Decision.DENY:
        _end([refused_all], now=now)
        for other in ConsentChannel.values:
            if other not in (ConsentChannel.ANY, channel) and other not in current:
                _decide(
                    patient_id, purpose, other, Consent.Decision.DENY, refused_all.source, refused_all.evidence,
                    refused_all.notice_id, now=now, by=by,
                )  # fmt: skip
    if here:
        _end([here], now=now)
    return _decide(patient_id, purpose, channel, Consent.Decision.PERMIT, source, evidence, notice_id, now=now, by=by)


@transaction.atomic
def withdraw(
    *,
    patient_id: UUID,
    purpose: str,
    channel: str = ConsentChannel.ANY,
    source: str,
    evidence: str = "",
    now: datetime,
    by: UUID | None,
) -> Consent:
    """Record that a person refuses one purpose, on one channel or (the rule for opt-out words and links) on all of them.

    In force at once. Refusing again changes nothing; refusing everywhere also ends agreements on single channels.
    """
    _lock(patient_id)
    current = _in_force(patient_id, purpose)
    here = current.get(channel)
    if here and here.decision == Consent.Decision.DENY:
        return here
    if channel == ConsentChannel.ANY:
        _end(list(current.values()), now=now)
    elif here:
        _end([here], now=now)
    return _decide(patient_id, purpose, channel, Consent.Decision.DENY, source, evidence, None, now=now, by=by)


def _lock(patient_id: UUID) -> None:
    # a double click and an opt-out word that arrive together take turns
    if not Patient.objects.select_for_update(of=("self",), no_key=True).filter(id=patient_id).values("id").first():
        raise errors.UnknownPatient


def _in_force(patient_id: UUID, purpose: str) -> dict[str, Consent]:
    found = Consent.objects.filter(patient_id=patient_id, purpose=purpose, ended_at__isnull=True)
    return {one.channel: one for one in found}


def _is_as_good(here: Consent, source: str, notice_id: UUID | None) -> bool:
    is_new_text = notice_id is not None and notice_id != here.notice_id
    is_better_proof = source in WRITTEN_SOURCES and here.source not in WRITTEN_SOURCES
    return not (is_new_text or is_better_proof)


def _end(decisions: list[Consent], *, now: datetime) -> None:
    Consent.objects.filter(id__in=[one.id for one in decisions]).update(ended_at=now)


def _decide(
    patient_id: UUID, purpose: str, channel: str, decision: str, source: str, evidence: str, notice_id: UUID | None, *,
    now: datetime, by: UUID | None,
) -> Consent:  # fmt: skip
    consent = Consent.objects.create(
        patient_id=patient_id, purpose=Purpose(purpose), channel=ConsentChannel(channel), decision=decision,
        source=Consent.Source(source), evidence=clean(evidence)[:300], notice_id=notice_id, decided_at=now, recorded_by_id=by,
    )  # fmt: skip
    fact = ConsentGiven if decision == Consent.Decision.PERMIT else ConsentWithdrawn
    events.publish(fact(consent.id, purpose, channel, source), patient_id=patient_id, now=now, source=source)
    audit.record(
        fact.kind,  # type: ignore[union-attr]
        patients=[patient_id], target=("consent", consent.id), details={"purpose": purpose, "channel": channel, "source": source},
        now=now,
    )  # fmt: skip
    return consent


# -- notices ----------------------------------------------------------------------------------------------------


@transaction.atomic
def draft_notice(
    *,
    purpose: str = "",
    texts: Mapping[str, Mapping[str, str]],
    notice_id: UUID | None = None,
    now: datetime,
    by: UUID | None,
) -> Notice:
    """Write a text, or go on writing one: the next version of the notice (purpose empty) or of a consent text.

    Args:
        texts: language (`zh-hant`, `zh-hans`, `en`) → title and body.
        notice_id: the draft to change; a new id makes a new version.

    Raises:
        NoticePublished: published texts are never changed.
    """
    if purpose and purpose not in Purpose.values:
        raise ValueError(f"unknown purpose {purpose}")
    kept = {
        language: {
            "title": clean(texts.get(language, {}).get("title", ""))[:LONGEST_TITLE],
            "body": clean(texts.get(language, {}).get("body", "").replace("\r\n", "\n"))[:LONGEST_BODY],
        }
        for language in LANGUAGES
    }
    notice = Notice.objects.select_for_update().filter(id=notice_id).first() if notice_id else None
    if notice is not None and notice.published_at is not None:
        raise errors.NoticePublished
    if notice is None:
        sql.value("select 1 from tenancy_organization where id = %s for no key update", [current_organization_id()])
        version = sql.value("select coalesce(max(version), 0) + 1 from consent_notice where purpose = %s", [purpose])
        notice = Notice(id=notice_id or uuid7(), purpose=purpose, version=version)
    notice.texts = kept
    notice.text_hash = text_hash(kept)
    notice.save()
    audit.record("notice.drafted", target=("notice", notice.id), details={"version": notice.version}, now=now)
    return notice


@transaction.atomic
def publish_notice(*, notice_id: UUID, now: datetime, by: UUID | None) -> Notice:
    """Publish a draft: from now on it is what people are shown. Publishing again changes nothing.

    Raises:
        UnknownNotice. NoticeIncomplete: a language has no title or no text.
    """
    notice = Notice.objects.select_for_update().filter(id=notice_id).first()
    if notice is None:
        raise errors.UnknownNotice
    if notice.published_at is not None:
        return notice
    missing = [
        name for name in LANGUAGES if not all(notice.texts.get(name, {}).get(part) for part in ("title", "body"))
    ]
    if missing:
        raise errors.NoticeIncomplete(languages=", ".join(missing))
    notice.published_at, notice.published_by_id = now, by
    notice.save(update_fields=["published_at", "published_by"])
    audit.record(
        "notice.published",
        target=("notice", notice.id),
        details={"version": notice.version, "hash": notice.text_hash},
        now=now,
    )
    return notice


def text_hash(texts: Mapping[str, Mapping[str, str]]) -> str:
    """Return the SHA-256 of the texts in a fixed order: proof of the words somebody saw."""
    return hashlib.sha256(orjson.dumps(texts, option=orjson.OPT_SORT_KEYS)).hexdigest()


@transaction.atomic
def record_notice_shown(
    *, patient_id: UUID, notice_id: UUID | None = None, how: str, now: datetime, by: UUID | None
) -> NoticeShown:
    """Record that a person was shown the privacy notice (the published one, if none is named); twice the same is once.

    Raises:
        NoPublishedNotice, UnknownPatient.
    """
    _lock(patient_id)
    published = Notice.objects.filter(purpose="", published_at__isnull=False)
    notice = published.filter(id=notice_id).first() if notice_id else published.order_by("-version").first()
    if notice is None:
        raise errors.NoPublishedNotice
    shown = NoticeShown.objects.filter(patient_id=patient_id, notice=notice).first()
    if shown is not None:
        return shown
    shown = NoticeShown.objects.create(patient_id=patient_id, notice=notice, shown_at=now, how=how[:20], shown_by_id=by)
    events.publish(PrivacyNoticeShown(notice.id, notice.version, how), patient_id=patient_id, now=now, source="staff")
    audit.record("notice.shown", patients=[patient_id], target=("notice", notice.id), now=now)
    return shown
