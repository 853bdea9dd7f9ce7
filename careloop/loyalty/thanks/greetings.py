"""Greetings at birthdays and festivals: planned once a day for whole sets, once a patient, occasion and year.

Who wished none, whose record is closed, who lately complained or was unwell, and who got a birthday message from a care journey
is left alone. The words travel like every message: consent, quiet hours, the patient's channel.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.consent.selectors import allowed_sql
from careloop.facts.models import LAST_LIVING_STAGE
from careloop.facts.services import clinic_day
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.text import clean
from careloop.loyalty import guard
from careloop.loyalty.join import membership
from careloop.loyalty.models import GreetingPlan
from careloop.loyalty.points import ledger
from careloop.loyalty.points.ledger import Because, Earning
from careloop.loyalty.reward import rewards
from careloop.loyalty.thanks import errors as errors
from careloop.loyalty.thanks import lunar, ready_texts
from careloop.loyalty.thanks.lunar import Occasion
from careloop.messaging import services as messaging
from careloop.messaging import texts
from careloop.messaging.errors import UnknownTemplate
from careloop.messaging.selectors import birthday_messages_sql
from careloop.messaging.services import Audience, Planned
from careloop.tenancy.models import Organization

COMPLAINTS = ("客訴", "申訴", "投訴", "投诉", "complaint")
"""Tags that staff put on who complained: no greeting for them."""
UNWELL_DAYS = 14
APART_DAYS = 180
"""Two greetings of one birthday are never closer: who changes from the lunar to the solar calendar is greeted once."""


# -- setting up --------------------------------------------------------------------------------------------------

FIELDS = (
    "name", "occasion", "template_key", "who", "seen_within_months", "days_before", "window_days", "hour", "gives", "points",
    "coupon_id",
)  # fmt: skip


@transaction.atomic
def save_plan(
    *, plan_id: UUID | None, given: Mapping[str, Any], version: int | None, now: datetime, by: UUID | None
) -> GreetingPlan:
    """Keep a plan as it was filled in. One that is on is judged again, and stays on only if it may.

    Raises:
        ChangedSince: somebody else saved first.
        GreetingNeedsMarketing, OfferStopped, OccasionTaken: as `switch`.
    """
    if plan_id is None:
        plan = GreetingPlan(created_at=now, version=0)
    else:
        plan = GreetingPlan.objects.select_for_update().get(pk=plan_id)
        if version is not None and plan.version != version:
            raise errors.ChangedSince
    for name in FIELDS:
        if name in given:
            setattr(plan, name, given[name])
    plan.name = clean(plan.name)
    if not plan.is_birthday:
        plan.window_days = 0
    if plan.window_days:
        plan.days_before = 0
    plan.template_key = plan.template_key or ready_texts.key_for(plan.occasion, window_days=plan.window_days)
    ready_texts.bring_in(plan.template_key, now=now)
    plan.points = plan.points if plan.gives == "POINTS" else 0
    plan.coupon_id = plan.coupon_id if plan.gives == "COUPON" else None
    if plan.is_on:
        _check(plan, now=now)
    _keep(plan, now=now, by=by)
    return plan


@transaction.atomic
def switch(*, plan_id: UUID, on: bool, now: datetime, by: UUID | None) -> GreetingPlan:
    """Switch a plan on or off. On means: from tomorrow's round (or today's, if it is still early).

    Raises:
        GreetingNeedsMarketing: something comes with it, and its text is not declared as marketing.
        OfferStopped: the legal rules say no to what comes with it.
        OccasionTaken: another plan greets for this occasion.
    """
    plan = GreetingPlan.objects.select_for_update().get(pk=plan_id)
    if plan.is_on == on:
        return plan
    plan.is_on = on
    if on:
        _check(plan, now=now)
    _keep(plan, now=now, by=by)
    return plan


def _check(plan: GreetingPlan, *, now: datetime) -> None:
    version = texts.published_version(plan.template_key)
    if plan.gives and version.template.message_class != "MARKETING":
        raise errors.GreetingNeedsMarketing
    if other := GreetingPlan.objects.filter(occasion=plan.occasion, is_on=True).exclude(pk=plan.pk).first():
        raise errors.OccasionTaken(name=other.name)
    guard.refuse_stopped(plan, organization=Organization.objects.get(), now=now)


def _keep(plan: GreetingPlan, *, now: datetime, by: UUID | None) -> None:
    plan.changed_at, plan.changed_by_id, plan.version = now, by, plan.version + 1
    plan.save()
    audit.record(
        "greeting_plan.saved", target=("greeting_plan", plan.pk),
        details={"occasion": plan.occasion, "on": plan.is_on, "gives": plan.gives}, now=now,
    )  # fmt: skip


# -- whose day it is ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Days:
    """Which birthdays or which festival a plan greets for on one day, as columns for SQL.

    A surprise: of those whose birthday is `offset` days away, the ones whose number of the year is that offset.
    """

    years: list[int] = field(default_factory=list)
    mmdds: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    lunar_years: list[int] = field(default_factory=list)
    lunar_months: list[int] = field(default_factory=list)
    lunar_days: list[int] = field(default_factory=list)
    lunar_offsets: list[int] = field(default_factory=list)
    festival_year: int | None = None


def days_for(plan: GreetingPlan, on: date) -> Days:
    """Return whom a plan greets on this day, by their dates.

    >>> plan = GreetingPlan(occasion="BIRTHDAY", window_days=1)
    >>> days_for(plan, date(2026, 3, 1)).mmdds, days_for(plan, date(2026, 3, 1)).offsets
    ([302, 301, 228, 229], [-1, 0, 1, 1])
    >>> days_for(GreetingPlan(occasion="MID_AUTUMN", days_before=3), date(2026, 9, 22)).festival_year
    2026
    """
    if not plan.is_birthday:
        day = on + timedelta(days=plan.days_before)
        return Days(festival_year=day.year if lunar.day_of(plan.occasion, day.year) == day else None)
    found = Days()
    for offset in range(-plan.window_days, plan.window_days + 1):
        day = on - timedelta(days=offset) + timedelta(days=plan.days_before)
        for mmdd in lunar.born_on(day):
            found.years.append(day.year)
            found.mmdds.append(mmdd)
            found.offsets.append(offset)
        for month, number in lunar.lunar_birthdays_on(day):
            found.lunar_years.append(lunar.lunar_day(day)[0])
            found.lunar_months.append(month)
            found.lunar_days.append(number)
            found.lunar_offsets.append(offset)
    return found


# a number of the patient and the year, the same every time it is asked for
_OFFSET = (
    "mod(('x' || substr(md5({patient}::text || ':' || {year}::text), 1, 7))::bit(28)::int, %(width)s) - %(window)s"
)

_BIRTHDAYS = f"""
    select f.patient_id, day.year
      from unnest(%(years)s::int[], %(mmdds)s::smallint[], %(offsets)s::int[]) as day(year, mmdd, apart)
      join facts_patient f on f.birth_mmdd = day.mmdd
      left join loyalty_thanks_wish w on w.patient_id = f.patient_id
     where w.calendar is distinct from 'LUNAR' and {_OFFSET.format(patient="f.patient_id", year="day.year")} = day.apart
    union
    select w.patient_id, day.year
      from unnest(%(lunar_years)s::int[], %(lunar_months)s::smallint[], %(lunar_days)s::smallint[], %(lunar_offsets)s::int[])
           as day(year, month, number, apart)
      join loyalty_thanks_wish w on w.lunar_month = day.month and w.lunar_day = day.number and w.calendar = 'LUNAR'
     where {_OFFSET.format(patient="w.patient_id", year="day.year")} = day.apart
"""
_EVERYBODY = (
    "select f.patient_id, %(festival_year)s::int as year from facts_patient f where %(festival_year)s is not null"
)

_GREETED = """
    select d.patient_id, d.year
      from ({days}) as d
      join facts_patient f on f.patient_id = d.patient_id
      join patients_patient p on p.id = d.patient_id
      left join loyalty_thanks_wish w on w.patient_id = d.patient_id
     where f.stage <= %(living)s and p.active and not p.deceased and p.merged_into_id is null
       and coalesce(w.wants_greetings, true) and {consent} {who} {seen} {home}
       and not exists (select from loyalty_greeting g where g.patient_id = d.patient_id
                        and (g.occasion = %(occasion)s and g.year = d.year or g.on_date = %(on)s
                             or %(is_birthday)s and g.occasion = 'BIRTHDAY' and g.on_date > %(apart)s))
       and not exists (select from patients_patient_tag pt join patients_tag t on t.id = pt.tag_id
                        where pt.patient_id = d.patient_id and lower(t.name) = any(%(complaints)s))
       and not exists (select from messaging_message m
                        where m.patient_id = d.patient_id and m.answer = 'UNWELL' and m.answered_at > %(unwell)s)
       and not (%(is_birthday)s and exists ({birthday}))
"""
_MEMBERS = """and exists (select from loyalty_account a join loyalty_programme o on o.id = a.programme_id and o.state = 'OPEN'
                           where a.patient_id = d.patient_id and a.kind = 'PATIENT' and a.state = 'ACTIVE')"""


def _audience(plan: GreetingPlan, *, on: date, now: datetime, message_class: str) -> tuple[str, dict[str, Any]]:
    """Return the query for those greeted by a plan on a day (patient_id, year), with its parameters."""
    days = days_for(plan, on)
    home, at = at_home("p.home_location_id")
    query = _GREETED.format(
        days=_BIRTHDAYS if plan.is_birthday else _EVERYBODY, consent=allowed_sql(message_class, patient="d.patient_id"),
        who=_MEMBERS if plan.who == GreetingPlan.Who.MEMBERS else "", home=home,
        seen="and f.last_visit_on >= %(seen_since)s" if plan.seen_within_months else "",
        birthday=birthday_messages_sql(patient="d.patient_id", besides="greeting"),
    )  # fmt: skip
    return query, {
        **at, **vars(days), "width": 2 * plan.window_days + 1, "window": plan.window_days, "living": LAST_LIVING_STAGE,
        "occasion": plan.occasion, "on": on, "is_birthday": plan.is_birthday, "apart": on - timedelta(days=APART_DAYS),
        "complaints": list(COMPLAINTS), "unwell": now - timedelta(days=UNWELL_DAYS),
        "seen_since": on - timedelta(days=plan.seen_within_months * 30.4375), "birthday_since": now - timedelta(days=60),
    }  # fmt: skip


# -- the daily round ---------------------------------------------------------------------------------------------


def plan_day(*, now: datetime) -> dict[UUID, Planned]:
    """Plan today's greetings of every plan that is on and lawful today; return what became of each plan's.

    Idempotent: the greeting's row is unique for patient, occasion and year, and so is the message's key.
    """
    plans = list(GreetingPlan.objects.filter(is_on=True).order_by("created_at", "id"))
    if not plans:
        return {}
    refresh_lunar_birthdays()
    organization = Organization.objects.get()
    lawful = guard.in_force(plans, organization=organization, now=now)
    done: dict[UUID, Planned] = {}
    for plan in lawful:
        try:
            done[plan.pk] = _greet(plan, organization, now=now)
        except UnknownTemplate:
            # its text was put away: the others are greeted all the same, and its page says so
            continue
    return done


def _greet(plan: GreetingPlan, organization: Organization, *, now: datetime) -> Planned:
    on = clinic_day(now)
    message_class = texts.published_version(plan.template_key).template.message_class
    query, params = _audience(plan, on=on, now=now, message_class=message_class)
    greeted = sql.rows(
        f"""insert into loyalty_greeting (plan_id, patient_id, occasion, year, on_date, planned_at, given)
            select %(plan)s, one.patient_id, %(occasion)s, one.year, %(on)s, %(now)s, '' from ({query}) as one
            on conflict (organization_id, patient_id, occasion, year) do nothing returning id, patient_id, year""",
        {**params, "plan": plan.pk, "now": now},
    )
    if not greeted:
        return Planned()
    given = _give(plan, greeted, now=now)
    done = messaging.plan_many(
        template_key=plan.template_key, key_prefix=f"greeting:{plan.occasion}", due_at=max(now, _hour(on, plan.hour, organization)),
        now=now, origin="greeting", origin_id=f"{plan.occasion}:{plan.pk}", expires_at=_hour(on + timedelta(days=1), 0, organization),
        only_reachable=True, once_per_address=False,
        patients=Audience(
            """select g.patient_id, 'greeting:' || g.occasion || ':' || g.year || ':' || g.patient_id as key
                 from loyalty_greeting g where g.id = any(%(greetings)s)""",
            {"greetings": [row["id"] for row in greeted]}, frozenset({"key"}),
        ),
    )  # fmt: skip
    _tell(plan, greeted, given, now=now)
    return done


def _hour(on: date, hour: int, organization: Organization) -> datetime:
    return datetime(on.year, on.month, on.day, hour, tzinfo=ZoneInfo(organization.time_zone))


def _give(plan: GreetingPlan, greeted: list[dict[str, Any]], *, now: datetime) -> set[UUID]:
    """Give members what comes with the greeting; return who got it. Points in one go; a coupon that has run out is not given."""
    if not plan.gives:
        return set()
    members = membership.accounts_of([row["patient_id"] for row in greeted])
    accounts = {patient: row["id"] for patient, row in members.items()}
    because = Because("BIRTHDAY" if plan.is_birthday else "FESTIVAL", str(plan.pk), plan.name)
    keys = {row["patient_id"]: f"greeting:{plan.occasion}:{row['year']}:{row['patient_id']}" for row in greeted}
    got: set[UUID] = set()
    if plan.gives == GreetingPlan.Gives.POINTS:
        ledger.earn_many(
            [
                Earning(account_id=account, points=plan.points, key=keys[patient], because=because)
                for patient, account in accounts.items()
            ],
            now=now,
        )
        got = set(accounts)
    else:
        assert plan.coupon_id is not None
        for patient, account in accounts.items():
            try:
                with transaction.atomic():
                    rewards.grant_coupon(
                        account_id=account,
                        coupon_id=plan.coupon_id,
                        key=keys[patient],
                        because=because,
                        now=now,
                        by=None,
                    )
            except DomainError:
                continue
            got.add(patient)
    if got:
        sql.execute(
            "update loyalty_greeting set given = %s where plan_id = %s and id = any(%s) and patient_id = any(%s)",
            [plan.gives, plan.pk, [row["id"] for row in greeted], list(got)],
        )
    return got


def _tell(plan: GreetingPlan, greeted: list[dict[str, Any]], given: set[UUID], *, now: datetime) -> None:
    sql.execute(
        """insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, source, payload)
           select 'loyalty.greeted', g.patient_id, %(now)s, %(now)s, 'reader', 'loyalty',
                  jsonb_build_object('plan_id', g.plan_id, 'occasion', g.occasion, 'year', g.year, 'given', g.given)
             from loyalty_greeting g where g.id = any(%(ids)s)""",
        {"now": now, "ids": [row["id"] for row in greeted]},
    )


def refresh_lunar_birthdays() -> int:
    """Work out lunar birthdays anew where a birth date was corrected; return how many."""
    outdated = sql.rows(
        """select w.id, f.birth_date from loyalty_thanks_wish w join facts_patient f on f.patient_id = w.patient_id
            where w.calendar = 'LUNAR' and w.lunar_of is distinct from case when f.birth_mmdd is not null then f.birth_date end"""
    )
    for row in outdated:
        _year, month, day = lunar.lunar_day(row["birth_date"]) if row["birth_date"] else (None, None, None)
        sql.execute(
            "update loyalty_thanks_wish set lunar_of = %s, lunar_month = %s, lunar_day = %s where id = %s",
            [row["birth_date"], month, day, row["id"]],
        )
    return len(outdated)


# -- looking ahead -----------------------------------------------------------------------------------------------


def preview(plan: GreetingPlan, *, on: date, now: datetime) -> int:
    """Return how many would be greeted on a day, as things are now."""
    message_class = texts.published_version(plan.template_key).template.message_class
    query, params = _audience(plan, on=on, now=now, message_class=message_class)
    return int(sql.value(f"select count(*) from ({query}) as one", params))


def next_festival(plan: GreetingPlan, *, today: date) -> date | None:
    """Return on which day a festival's greeting goes next; None for birthdays, which are every day."""
    if plan.is_birthday:
        return None
    since = today + timedelta(days=plan.days_before)
    return lunar.next_day(Occasion(plan.occasion), since=since) - timedelta(days=plan.days_before)


guard.register(
    guard.Guarded(
        GreetingPlan, _("Greetings"), lambda: GreetingPlan.objects.order_by("-is_on", "occasion", "id"), lambda one: bool(one.is_on),
        screen="greetings:plan", title=lambda one: str(one.name),
    )
)  # fmt: skip
