"""What patients wish of greetings and news: chosen by themselves, or told at the desk. Nothing is guessed from their records."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import translation

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.loyalty.models import Interest, ThanksWish
from careloop.loyalty.thanks import lunar


@lru_cache(maxsize=1)
def _topics() -> dict[str, dict[str, str]]:
    path = Path(__file__).parent / "data" / "topics.toml"
    return {one["key"]: dict(one["name"]) for one in tomllib.loads(path.read_text(encoding="utf-8"))["topic"]}


def topics() -> dict[str, str]:
    """Return the topics of the newsletter in the reader's language, as data gives them.

    >>> from django.utils.translation import override
    >>> with override("en"):
    ...     next(iter(topics().items()))
    ('heart', 'Heart and circulation')
    """
    language = translation.get_language() or ""
    return {key: names.get(language) or names["zh-hant"] for key, names in _topics().items()}


@dataclass(frozen=True)
class Wishes:
    """What a patient wishes."""

    wants_greetings: bool = True
    is_lunar: bool = False
    lunar_month: int | None = None
    lunar_day: int | None = None
    interests: tuple[str, ...] = ()


def wishes_of(patient_id: UUID) -> Wishes:
    """Return what a patient wishes; who never said is greeted by the solar calendar and gets no topic."""
    found = sql.row(
        """select coalesce(w.wants_greetings, true) as wants, coalesce(w.calendar, 'SOLAR') = 'LUNAR' as is_lunar, w.lunar_month, w.lunar_day,
                  array(select i.topic from loyalty_interest i where i.patient_id = one.id order by i.topic) as interests
             from (select %s::uuid as id) as one left join loyalty_thanks_wish w on w.patient_id = one.id""",
        [patient_id],
    )
    assert found is not None
    return Wishes(
        found["wants"], found["is_lunar"], found["lunar_month"], found["lunar_day"], tuple(found["interests"])
    )


@transaction.atomic
def keep_greetings(*, patient_id: UUID, wants_greetings: bool, is_lunar: bool, now: datetime) -> None:
    """Keep whether and by which calendar a patient is greeted. A greeting on its way still arrives."""
    born = sql.value("select birth_date from patients_patient where id = %s and birth_precision = 'day'", [patient_id])
    _year, month, day = lunar.lunar_day(born) if is_lunar and born else (None, None, None)
    ThanksWish.objects.update_or_create(
        patient_id=patient_id,
        defaults={
            "wants_greetings": wants_greetings, "calendar": "LUNAR" if is_lunar else "SOLAR", "lunar_of": born if month else None,
            "lunar_month": month, "lunar_day": day, "changed_at": now,
        },
    )  # fmt: skip
    audit.record(
        "thanks.wishes_kept", patients=[patient_id], details={"greetings": wants_greetings, "lunar": is_lunar}, now=now
    )  # fmt: skip


@transaction.atomic
def keep_interests(*, patient_id: UUID, chosen: Iterable[str], now: datetime) -> None:
    """Keep the topics a patient chose; unknown ones are left out."""
    wanted = [one for one in _topics() if one in set(chosen)]
    Interest.objects.filter(patient_id=patient_id).exclude(topic__in=wanted).delete()
    known = set(Interest.objects.filter(patient_id=patient_id).values_list("topic", flat=True))
    Interest.objects.bulk_create(
        [Interest(patient_id=patient_id, topic=one, chosen_at=now) for one in wanted if one not in known],
        ignore_conflicts=True,
    )
    audit.record("thanks.interests_kept", patients=[patient_id], details={"topics": len(wanted)}, now=now)
