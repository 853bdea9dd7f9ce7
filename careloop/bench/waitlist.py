"""Waitlist: a month of a full clinic with cancellations, filled with the waitlist and without it: who gets the places that come free.

Both months begin with the same visits, of which the same are called off, and the same people look for a place, by the same seed. Without the waitlist a freed
place is filled only when somebody who suits happens to look for one in time. Everything is done by the real services, on a clock
that is turned, in transactions that are rolled back at the end.
"""

import argparse
import heapq
import itertools
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

NAME = "waitlist"
ZONE = ZoneInfo("Asia/Taipei")
FIRST_DAY = date(2026, 3, 2)  # a Monday; the month is past or to come, the clock is turned
AWAKE = (8, 22)
SESSIONS = (("MORNING", 9), ("AFTERNOON", 14))
PLACES, MINUTES = 6, 30
CLOCK = timedelta(seconds=15)
"""How often `scheduling-clock` ends offers nobody answered."""

# How long before their visit people call off. No source gives the shares; reminders leave 5 to 3 days and 1 day before, and
# reminders raise cancellations (McLean 2016), so the two waves follow them.
# Up to which share (of all who call off), at least and at most how many hours before.
LEADS = ((0.20, 24 * 7, 24 * 14), (0.50, 24 * 3, 24 * 5), (0.80, 14, 26), (1.01, 1, 10))


@dataclass(frozen=True)
class Month:
    """What is assumed; every number can be given on the command line. `cancels` and the answers are assumptions, not findings."""

    practitioners: int = 3
    days: int = 22
    seed: int = 1
    cancels: float = 0.12
    visitors: float = 4.0
    waiting: int = 30
    joins: float = 0.6
    answers: float = 0.7
    accepts: float = 0.6
    answer_minutes: float = 12.0


@dataclass
class Outcome:
    """What came of one month."""

    cancelled: int = 0
    freed: int = 0
    searches: int = 0
    found_nothing: int = 0
    joined: int = 0
    offers: int = 0
    said: Counter[str] = field(default_factory=Counter)
    filled: dict[str, list[float]] = field(default_factory=lambda: {"waitlist": [], "by chance": []})
    double: int = 0

    @property
    def fill_rate(self) -> float:
        return (len(self.filled["waitlist"]) + len(self.filled["by chance"])) / max(1, self.freed)

    @property
    def median_minutes(self) -> float:
        every = [*self.filled["waitlist"], *self.filled["by chance"]]
        return round(statistics.median(every), 1) if every else 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    known = Month()
    parser.add_argument(
        "--practitioners", type=int, default=known.practitioners, help="each with two sessions a day of six places"
    )
    parser.add_argument("--days", type=int, default=known.days, help="working days of the month")
    parser.add_argument("--seed", type=int, default=known.seed, help="the same seed gives the same month")
    parser.add_argument("--cancels", type=float, default=known.cancels, help="share of visits that are called off")
    parser.add_argument(
        "--visitors", type=float, default=known.visitors, help="people a day who look for a place in a full clinic"
    )
    parser.add_argument("--waiting", type=int, default=known.waiting, help="wishes on the list when the month begins")
    parser.add_argument(
        "--joins", type=float, default=known.joins, help="share of those who find nothing that joins the list"
    )
    parser.add_argument("--answers", type=float, default=known.answers, help="share of offers that are answered at all")
    parser.add_argument("--accepts", type=float, default=known.accepts, help="share of answers that are yes")
    parser.add_argument(
        "--answer-minutes", type=float, default=known.answer_minutes, help="median minutes until an answer"
    )


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Let the month happen twice in an organization of its own, which is removed at the end. Nothing leaves this machine."""
    from careloop.bench import clinic
    from careloop.tenancy.services import create_organization

    month = Month(**{name: getattr(options, name) for name in Month.__dataclass_fields__})
    organization = create_organization(
        slug=f"bench-waitlist-{os.getpid()}", name="候補測量診所", now=datetime.now(UTC)
    ).id
    began = time.perf_counter()
    try:
        found = {with_list: _rolled_back(organization, month, with_list, say) for with_list in (False, True)}
    finally:
        clinic.remove(organization)
    alone, listed = found[False], found[True]
    filled = len(listed.filled["waitlist"])
    return {
        "bench": NAME,
        "size": {"practitioners": month.practitioners, "days": month.days, "places": month.practitioners * month.days * len(SESSIONS) * PLACES, "seed": month.seed},
        "figures": {
            "visits called off": listed.cancelled, "places freed": listed.freed, "offers": listed.offers,
            "offers accepted": listed.said["accepted"], "offers declined": listed.said["declined"],
            "offers nobody answered in time": listed.said["silent"], "answers that came too late": listed.said["late"],
            "places filled by the waitlist": filled, "places filled by chance beside it": len(listed.filled["by chance"]),
            "fill rate with the waitlist, %": round(100 * listed.fill_rate, 1),
            "median minutes from freed to filled, with the waitlist": listed.median_minutes,
            "offers per place filled by the waitlist": round(listed.offers / max(1, filled), 2),
            "two in one place": listed.double + alone.double, "seconds for both months": round(time.perf_counter() - began, 1),
        },
        "limits": {
            "without the waitlist: places freed": alone.freed, "without: people who looked and found nothing": alone.found_nothing,
            "without: fill rate, %": round(100 * alone.fill_rate, 1), "without: median minutes from freed to filled": alone.median_minutes,
        },
        "ratios": {"fill rate with over without": round(listed.fill_rate / max(alone.fill_rate, 0.001), 2)},
    }  # fmt: skip


class _Enough(Exception):
    """The month is over: nothing of it is kept."""


def _rolled_back(organization: UUID, month: Month, with_list: bool, say: Callable[[str], None]) -> Outcome:
    """Return what came of the month. One transaction, so that a running worker never sees it: its clock is another one."""
    from careloop.audit.services import Actor, acting_as
    from careloop.tenancy.context import in_organization

    outcome = Outcome()
    try:
        with acting_as(Actor("command", name="careloop bench waitlist", via="command")), in_organization(organization):
            say(f"a month {'with' if with_list else 'without'} the waitlist")
            outcome = simulate(month, with_list=with_list)
            raise _Enough
    except _Enough:
        return outcome


def simulate(month: Month, *, with_list: bool) -> Outcome:
    """Let a month happen in the current organization, which must be empty, and return what came of it."""
    return _Clinic(month, with_list=with_list).happen()


Moment = tuple[datetime, int, Callable[..., None], tuple[Any, ...]]


class _Clinic:
    """A full clinic, people who look for a place, and a clock that jumps from one thing that happens to the next."""

    def __init__(self, month: Month, *, with_list: bool) -> None:
        self.month, self.with_list = month, with_list
        self.outcome = Outcome()
        self.turns: list[Moment] = []
        self.order = itertools.count()
        self.now = self.starts = datetime.combine(FIRST_DAY - timedelta(days=3), datetime.min.time(), ZONE).replace(
            hour=9
        )
        self.open: dict[tuple[UUID, datetime], datetime] = {}
        self.known_offers: set[UUID] = set()
        # a die for each question, so that both months throw the same for what they have in common
        self.dice = {
            name: random.Random(f"{month.seed}:{name}") for name in ("cancel", "visitor", "join", "answer", "wish")
        }

    # -- the clinic ---------------------------------------------------------------------------------------------

    def happen(self) -> Outcome:
        self._furnish()
        self._fill()
        self._plan_visitors()
        if self.with_list:
            self._plan_waiting()
        while self.turns:
            self.now, _order, what, given = heapq.heappop(self.turns)
            what(*given)
        self.outcome.double = _doubles()
        return self.outcome

    def _at(self, moment: datetime, what: Callable[..., None], *given: Any) -> None:
        heapq.heappush(self.turns, (moment, next(self.order), what, given))

    def _furnish(self) -> None:
        from careloop.records.models import Practitioner
        from careloop.scheduling.models import Service, ServicePractitioner, Session
        from careloop.tenancy.models import Location

        location = Location.objects.get()
        self.service = Service.objects.create(name="回診", minutes=MINUTES)
        self.people = [
            Practitioner.objects.create(name=f"醫師 {number + 1}") for number in range(self.month.practitioners)
        ]
        for one in self.people:
            ServicePractitioner.objects.create(service=self.service, practitioner=one)
        workdays = (day for number in itertools.count() if (day := FIRST_DAY + timedelta(days=number)).isoweekday() < 6)
        self.sessions = [
            Session.objects.create(
                practitioner=who, location=location, on_date=day, part=part, starts_at=(starts := datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)),
                ends_at=starts + timedelta(minutes=PLACES * MINUTES), mode="SLOTS", slot_minutes=MINUTES,
            )
            for day in itertools.islice(workdays, self.month.days) for part, hour in SESSIONS for who in self.people
        ]  # fmt: skip
        visitors = round(self.month.visitors * self.month.days * 2) + self.month.waiting
        self.patients = iter(_patients(len(self.sessions) * PLACES + visitors, now=self.now))

    def _fill(self) -> None:
        for session in self.sessions:
            for number in range(PLACES):
                starts_at = session.starts_at + timedelta(minutes=MINUTES * number)
                self._visit(self._book(next(self.patients), session.pk, starts_at))

    def _book(self, patient_id: UUID, session_id: UUID, starts_at: datetime, *, source: str = "desk") -> Any:
        from careloop.scheduling import services
        from careloop.scheduling.places import Place

        return services.book(
            patient_id=patient_id, service_id=self.service.pk, place=Place(session_id, starts_at=starts_at), source=source, key="",
            now=self.now, by=None,
        )  # fmt: skip

    def _visit(self, visit: Any) -> None:
        """Somebody has a place; perhaps they call it off, some time before."""
        dice = self.dice["cancel"]
        chance, wave, within = dice.random(), dice.random(), dice.random()
        if chance >= self.month.cancels:
            return
        nearest, furthest = next(hours for share, *hours in LEADS if wave < share)
        moment = _awake(visit.starts_at - timedelta(hours=nearest + within * (furthest - nearest)))
        if self.now < moment < visit.starts_at:
            self._at(moment, self._cancel, visit.pk)

    def _cancel(self, visit_id: UUID) -> None:
        from careloop.scheduling import services
        from careloop.scheduling.models import Appointment

        visit = Appointment.objects.get(pk=visit_id)
        if visit.state == "booked":  # not given up for an earlier place meanwhile
            services.cancel(appointment_id=visit_id, reason="patient", now=self.now, by=None)
            self.outcome.cancelled += 1
            self._freed(visit)

    def _freed(self, visit: Any) -> None:
        self.outcome.freed += 1
        self.open[visit.session_id, visit.starts_at] = self.now
        self._offer(visit.session_id)

    def _filled(self, visit: Any, how: str) -> None:
        since = self.open.pop((visit.session_id, visit.starts_at))
        self.outcome.filled[how].append((self.now - since) / timedelta(minutes=1))
        self._visit(visit)

    # -- people who look for a place ---------------------------------------------------------------------------

    def _plan_visitors(self) -> None:
        dice, day = self.dice["visitor"], self.starts
        end = max(one.ends_at for one in self.sessions)
        while day < end:
            for _number in range(int(self.month.visitors) + (dice.random() < self.month.visitors % 1)):
                moment = day.replace(hour=0) + timedelta(hours=AWAKE[0] + dice.random() * (AWAKE[1] - AWAKE[0]))
                wish, patience = _wish(dice, self.people), dice.random()
                if self.now < moment < end:
                    self._at(moment, self._look, wish, patience)
            day += timedelta(days=1)

    def _look(self, wish: dict[str, Any], patience: float) -> None:
        from careloop.scheduling import availability

        patient_id = next(self.patients, None)
        if patient_id is None:
            return
        self.outcome.searches += 1
        found = availability.search(
            service_id=self.service.pk, now=self.now, since=self.now + timedelta(hours=1), until=self.now + timedelta(days=14), sessions=60, **wish
        )  # fmt: skip
        if found:
            place = min(found, key=lambda one: (one.starts_at, one.practitioner))
            self._filled(self._book(patient_id, place.session_id, place.starts_at, source="portal"), "by chance")
            return
        self.outcome.found_nothing += 1
        if self.with_list and patience < self.month.joins:
            self._join(patient_id, wish)

    def _plan_waiting(self) -> None:
        """Those who asked before the month began; a third has a later visit and would like an earlier one."""
        from careloop.scheduling.models import Appointment

        dice = self.dice["wish"]
        late = list(
            Appointment.objects.filter(state="booked").order_by("-starts_at", "practitioner__name")[
                : self.month.waiting
            ]
        )
        for number in range(self.month.waiting):
            wish = _wish(dice, self.people)
            later = late[number] if dice.random() < 1 / 3 else None
            moment = self.starts + timedelta(minutes=number)
            self._at(
                moment,
                self._join,
                later.patient_id if later else next(self.patients),
                wish,
                later.pk if later else None,
            )

    def _join(self, patient_id: UUID, wish: dict[str, Any], later: UUID | None = None) -> None:
        from careloop.scheduling import waitlist

        today = self.now.astimezone(ZONE).date()
        waitlist.join(
            patient_id=patient_id, service_id=self.service.pk, first_date=today, last_date=today + timedelta(days=21), now=self.now, by=None,
            source="portal", instead_of_id=later, **wish,
        )  # fmt: skip
        self.outcome.joined += 1
        self._ask()

    # -- offers -------------------------------------------------------------------------------------------------

    def _offer(self, session_id: UUID) -> None:
        """What the reader of `place.freed` does."""
        from careloop.scheduling import waitlist

        if self.with_list:
            waitlist.offer_in(session_id, now=self.now)
            self._ask()

    def _ask(self) -> None:
        """Whoever has just been asked answers some time later, or not at all."""
        from careloop.scheduling.models import WaitlistOffer

        dice = self.dice["answer"]
        new = (
            WaitlistOffer.objects.filter(state="OPEN")
            .exclude(pk__in=self.known_offers)
            .order_by("appointment__starts_at", "appointment__practitioner__name")
        )
        for offer in new:
            self.known_offers.add(offer.pk)
            self.outcome.offers += 1
            self._at(offer.answer_by + CLOCK, self._expire)
            answers, says, delay = dice.random(), dice.random(), dice.lognormvariate(0.0, 1.0)
            if answers < self.month.answers:
                moment = _awake(self.now) + timedelta(minutes=self.month.answer_minutes * delay)
                self._at(moment, self._answer, offer.pk, says < self.month.accepts)

    def _answer(self, offer_id: UUID, is_yes: bool) -> None:
        from careloop.scheduling import errors, waitlist
        from careloop.scheduling.models import Appointment, WaitlistOffer

        offer = WaitlistOffer.objects.select_related("appointment", "entry").get(pk=offer_id)
        try:
            (waitlist.accept if is_yes else waitlist.decline)(offer_id=offer_id, now=self.now, by=None)
        except errors.OfferOver:
            self.outcome.said["late"] += 1
            return
        self.outcome.said["accepted" if is_yes else "declined"] += 1
        if not is_yes:
            self._offer(offer.appointment.session_id)
            return
        self._filled(offer.appointment, "waitlist")
        if offer.entry.instead_of_id:
            later = Appointment.objects.get(pk=offer.entry.instead_of_id)
            if later.cancel_reason == "replaced":
                self._freed(later)

    def _expire(self) -> None:
        from careloop.scheduling import waitlist
        from careloop.scheduling.models import WaitlistOffer

        due = list(
            WaitlistOffer.objects.filter(state="OPEN", answer_by__lte=self.now)
            .select_related("appointment")
            .order_by("answer_by", "pk")
        )
        waitlist.expire(now=self.now)
        self.outcome.said["silent"] += len(due)
        for session_id in dict.fromkeys(one.appointment.session_id for one in due):
            self._offer(session_id)


def _wish(dice: random.Random, people: list[Any]) -> dict[str, Any]:
    """With whom and when somebody would come: half want a certain practitioner, some only certain days or one part of the day."""
    who, days, part = dice.random(), dice.random(), dice.random()
    return {
        "practitioner_id": people[int(who * 2 * len(people))].pk if who < 0.5 else None,
        "weekdays": sorted(dice.sample(range(1, 6), 2)) if days < 0.4 else [],
        "parts": [SESSIONS[part < 0.25][0]] if part < 0.5 else [],
    }  # fmt: skip


def _awake(moment: datetime) -> datetime:
    """Return the moment, or the next morning if people sleep."""
    local = moment.astimezone(ZONE)
    if local.hour < AWAKE[0]:
        return local.replace(hour=AWAKE[0], minute=local.minute)
    if local.hour >= AWAKE[1]:
        return (local + timedelta(days=1)).replace(hour=AWAKE[0])
    return local


def _patients(count: int, *, now: datetime) -> list[UUID]:
    from careloop.kernel import sql

    return [
        row["id"]
        for row in sql.rows(
            """insert into patients_patient (name, name_grams, sex, created_at, updated_at)
               select '病友' || n, '{}', 'unknown', %(now)s, %(now)s from generate_series(1, %(count)s) as n returning id""",
            {"now": now, "count": count},
        )
    ]


def _doubles() -> int:
    """Return how many pairs of appointments have the same practitioner or the same patient at one time."""
    from careloop.kernel import sql
    from careloop.scheduling.models import HOLDS

    return int(
        sql.value(
            """select count(*) from scheduling_appointment a join scheduling_appointment b
                on a.id < b.id and a.starts_at < b.ends_at and b.starts_at < a.ends_at
               and (a.practitioner_id = b.practitioner_id or a.patient_id = b.patient_id)
             where a.state = any(%(holds)s) and b.state = any(%(holds)s)""",
            {"holds": list(HOLDS)},
        )
    )
