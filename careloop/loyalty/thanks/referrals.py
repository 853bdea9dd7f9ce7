"""Members who tell others of the clinic: their code, the friend who comes with it, and the thanks.

A friend is one once, by the first code. What looks odd is held for a person (`referral_checks`). The first visit that took place
after registering completes a referral; imports of the past complete none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from careloop.audit import services as audit
from careloop.events.services import publish
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.loyalty import guard
from careloop.loyalty.models import Referral, ReferralCode, ReferralProgramme
from careloop.loyalty.thanks import errors as errors
from careloop.loyalty.thanks import ready_texts, thanking
from careloop.loyalty.thanks.events import ReferralMade
from careloop.loyalty.thanks.referral_checks import is_new_here, reasons_of
from careloop.loyalty.thanks.referral_codes import new_code, read_code
from careloop.tenancy.models import Organization

TRIES = 20
EARLY = timedelta(days=1)
"""Visits are recorded by their day in many systems: one of the day before the friend was noted still counts."""


def programme() -> ReferralProgramme | None:
    """Return how the clinic thanks for referrals, or None while nobody has set it up."""
    return ReferralProgramme.objects.first()


def is_on() -> bool:
    return ReferralProgramme.objects.filter(is_on=True).exists()


# -- codes -------------------------------------------------------------------------------------------------------


def code_of(patient_id: UUID, *, now: datetime) -> str:
    """Return a member's own code, made on first use; it stays the same for ever."""
    known = ReferralCode.objects.filter(patient_id=patient_id).values_list("code", flat=True).first()
    if known:
        return known
    for _number in range(TRIES):
        try:
            with transaction.atomic():
                return ReferralCode.objects.create(patient_id=patient_id, code=new_code(), made_at=now).code
        except IntegrityError:
            # somebody has this code, or another request has just made this member's
            known = ReferralCode.objects.filter(patient_id=patient_id).values_list("code", flat=True).first()
            if known:
                return known
    raise RuntimeError("no free code found")


def owner_of(text: str) -> UUID | None:
    """Return the patient whose code this is, as somebody typed it; None when it is nobody's who is still with the clinic."""
    code = read_code(text)
    if not code:
        return None
    found: UUID | None = sql.value(
        """select p.id from loyalty_referral_code c join patients_patient p on p.id = c.patient_id
            where c.code = %s and p.active and not p.deceased and p.merged_into_id is null""",
        [code],
    )
    return found


# -- a friend comes ----------------------------------------------------------------------------------------------


@transaction.atomic
def claim(
    *, friend_id: UUID, code: str, how: str, now: datetime, by: UUID | None = None, shows_name: bool = False
) -> Referral:
    """Note who told this patient of the clinic. The same code again changes nothing.

    A friend who was here already since registering completes it at once.

    Raises:
        ReferralsClosed, UnknownReferralCode, OwnCode: nothing is written.
        AlreadyReferred: another member's code came first.
        NotNewHere: known to the clinic for longer than the programme allows.
    """
    settings = ReferralProgramme.objects.filter(is_on=True).first()
    if settings is None:
        raise errors.ReferralsClosed
    referrer_id = owner_of(code)
    if referrer_id is None:
        raise errors.UnknownReferralCode
    if referrer_id == friend_id:
        raise errors.OwnCode
    # two doors at once (a link and the desk) wait for each other here
    sql.value("select id from patients_patient where id = %s for update", [friend_id])
    if earlier := Referral.objects.filter(friend_id=friend_id).first():
        if earlier.referrer_id == referrer_id:
            return earlier
        raise errors.AlreadyReferred
    friend = _friend(friend_id)
    if friend is None or not is_new_here(
        registered=friend.registered,
        first_visit=friend.first_visit,
        today=friend.day_of(now),
        claim_days=settings.claim_days,
    ):
        raise errors.NotNewHere
    reasons = reasons_of(
        referrer_id=referrer_id, friend_id=friend_id, monthly_limit=settings.monthly_limit, now=now
    )  # fmt: skip
    made = Referral.objects.create(
        referrer_id=referrer_id, friend_id=friend_id, how=how, state="HELD" if reasons else "WAITING", reasons=reasons,
        shows_name=shows_name, made_at=now, made_by_id=by, visited_at=friend.visited_at,
    )  # fmt: skip
    publish(
        ReferralMade(made.pk, how, bool(reasons)),
        patient_id=referrer_id,
        now=now,
        dedupe_key=f"referral-made:{made.pk}",
    )
    audit.record(
        "referral.noted", patients=[friend_id, referrer_id], target=("referral", made.pk),
        details={"how": how, "held": reasons}, now=now,
    )  # fmt: skip
    if made.visited_at is not None and made.state == Referral.State.WAITING:
        thanking.complete(made, now=now)
    return made


@dataclass(frozen=True)
class _Friend:
    """When somebody registered and was first seen. `visited_at` is None for who was not here yet."""

    registered: date | None
    visited_at: datetime | None
    time_zone: str

    def day_of(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.time_zone)).date()

    @property
    def first_visit(self) -> date | None:
        return self.day_of(self.visited_at) if self.visited_at else None


def _friend(patient_id: UUID) -> _Friend | None:
    found = sql.row(
        """select coalesce(p.registered_on, (p.created_at at time zone o.time_zone)::date) as registered, o.time_zone,
                  least((select min(e.started_at) from records_encounter e where e.patient_id = p.id and not e.entered_in_error),
                        (select min(v.starts_at) from scheduling_appointment v
                          where v.patient_id = p.id and v.state = 'fulfilled')) as visited_at
             from patients_patient p join tenancy_organization o on o.id = p.organization_id
            where p.id = %s and p.active and not p.deceased and p.merged_into_id is null""",
        [patient_id],
    )
    return _Friend(found["registered"], found["visited_at"], found["time_zone"]) if found else None


# -- the first visit ---------------------------------------------------------------------------------------------


def note_visits(visits: Mapping[UUID, datetime], *, now: datetime) -> int:
    """Complete the referrals of friends who were here; return how many. `visits`: patient → first time they were seen.

    One statement finds them; nearly every visit is of somebody whom nobody referred.
    """
    waiting = Referral.objects.select_for_update().filter(
        friend_id__in=list(visits), state__in=["WAITING", "HELD"], visited_at__isnull=True
    )
    settings = None
    done = 0
    for one in waiting.order_by("made_at", "id"):
        settings = settings or programme()
        seen_at = visits[one.friend_id]
        if (
            settings is None
            or seen_at < one.made_at - EARLY
            or seen_at > one.made_at + timedelta(days=settings.visit_days)
        ):
            continue
        one.visited_at = seen_at
        if one.state == Referral.State.WAITING:
            # the telephone number, say, came after the code
            one.reasons = reasons_of(
                referrer_id=one.referrer_id, friend_id=one.friend_id, monthly_limit=settings.monthly_limit, now=one.made_at
            )  # fmt: skip
        if one.reasons and one.decided_at is None:
            one.state = Referral.State.HELD
            _save(one, "state", "reasons", "visited_at")
            continue
        thanking.complete(one, now=now)
        done += 1
    return done


# the earliest visit that is still there and that completes it: none when what completed it was entered in error
_STILL_THERE = """
select r.id, (select min(v.at) from (
           select e.started_at as at from records_encounter e where e.patient_id = r.friend_id and not e.entered_in_error
           union all
           select a.starts_at from scheduling_appointment a where a.patient_id = r.friend_id and a.state = 'fulfilled') v
        where v.at >= least(r.visited_at, r.made_at) - %(early)s
          and v.at <= greatest(r.visited_at, r.made_at + make_interval(days => %(days)s))) as visited_at
  from loyalty_referral r where r.id = any(%(ids)s::uuid[])
"""


@transaction.atomic
def visits_gone(friend_ids: Sequence[UUID], *, now: datetime) -> int:
    """Undo the referrals that a visit of these friends had completed and that no visit completes any more; return how many.

    Called when visits were entered in error, or their import was taken back; a friend who was here another time stays counted.
    """
    if not friend_ids:
        return 0
    known = Referral.objects.select_for_update().filter(friend_id__in=list(friend_ids), visited_at__isnull=False)
    found = {one.pk: one for one in known.order_by("id")}
    settings = programme() if found else None
    params = {"ids": list(found), "early": EARLY, "days": settings.visit_days if settings else 0}
    undone = 0
    for row in sql.rows(_STILL_THERE, params) if found else ():
        one = found[row["id"]]
        if row["visited_at"] is None and one.state == Referral.State.COMPLETED:
            thanking.undo(one, now=now)
            undone += 1
        elif row["visited_at"] is None and one.state in (Referral.State.HELD, Referral.State.WAITING):
            one.visited_at = None
            _save(one, "visited_at")
    return undone


def expire(*, now: datetime) -> int:
    """Close referrals whose friend did not come in time; return how many."""
    settings = programme()
    if settings is None:
        return 0
    return Referral.objects.filter(state="WAITING", made_at__lt=now - timedelta(days=settings.visit_days + 2)).update(
        state="EXPIRED"
    )


# -- people decide -----------------------------------------------------------------------------------------------


@transaction.atomic
def decide(*, referral_id: UUID, counts: bool, note: str, now: datetime, by: UUID) -> Referral:
    """Let a held referral count, or not; in words that stay with it. A friend who was here completes it now.

    Raises:
        NotToDecide: it is not held (any more).
        DecisionNeedsWords: no reason was given.
    """
    found = Referral.objects.select_for_update().get(pk=referral_id)
    if found.state != Referral.State.HELD:
        raise errors.NotToDecide
    if not clean(note):
        raise errors.DecisionNeedsWords
    found.decided_at, found.decided_by_id, found.decision_note = now, by, clean(note)[:300]
    found.state = Referral.State.WAITING if counts else Referral.State.REFUSED
    _save(found, "state", "decided_at", "decided_by", "decision_note")
    audit.record(
        "referral.decided", patients=[found.friend_id, found.referrer_id], target=("referral", found.pk),
        reason=found.decision_note, details={"counts": counts, "reasons": found.reasons}, now=now,
    )  # fmt: skip
    if counts and found.visited_at is not None:
        thanking.complete(found, now=now)
    return found


def _save(referral: Referral, *names: str) -> None:
    referral.version += 1
    referral.save(update_fields=[*names, "version"])


# -- setting up --------------------------------------------------------------------------------------------------


@transaction.atomic
def set_up(*, given: Mapping[str, Any], version: int | None, now: datetime, by: UUID | None) -> ReferralProgramme:
    """Keep how the clinic thanks. Whatever the law stops is refused when it is switched on, with the reasons.

    Raises:
        ChangedSince: somebody else saved first.
        OfferStopped: switched on, and the legal rules say no to what it gives.
    """
    found = ReferralProgramme.objects.select_for_update().first()
    if found is None:
        found = ReferralProgramme(changed_at=now, version=0)
    elif version is not None and version != found.version:
        raise errors.ChangedSince
    for name in ("is_on", "gives", "points", "coupon_id", "thanks_key", "monthly_limit", "claim_days", "visit_days"):
        if name in given:
            setattr(found, name, given[name])
    found.points = found.points if found.gives == "POINTS" else 0
    found.coupon_id = found.coupon_id if found.gives == "COUPON" else None
    if found.is_on:
        ready_texts.bring_in(found.thanks_key, now=now)
        guard.refuse_stopped(found, organization=Organization.objects.get(), now=now)
    found.changed_at, found.changed_by_id, found.version = now, by, found.version + 1
    found.save()
    audit.record(
        "referral.set_up", target=("referral_programme", found.pk),
        details={"on": found.is_on, "gives": found.gives, "points": found.points}, now=now,
    )  # fmt: skip
    return found


def first_visits(events: Sequence[Any]) -> dict[UUID, datetime]:
    """Return, for the patients of visit events, when they were seen first among these; what an import filled in counts not."""
    seen: dict[UUID, datetime] = {}
    for one in events:
        if one.patient_id is None or one.historical:
            continue
        if one.patient_id not in seen or one.occurred_at < seen[one.patient_id]:
            seen[one.patient_id] = one.occurred_at
    return seen


guard.register(
    guard.Guarded(
        ReferralProgramme, _("Referral programme"), ReferralProgramme.objects.all, lambda one: bool(one.is_on),
        title=lambda one: str(_("Thanks for referrals")),
    )
)  # fmt: skip
