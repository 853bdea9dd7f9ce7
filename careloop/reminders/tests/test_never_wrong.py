"""Ten thousand random lives of visits, with the dispatcher running: nothing wrong is said, nothing twice, nothing is missing.

What is checked knows nothing of how messages are planned or stopped: the words that were accepted are compared with the visit
as it stood at that moment, what was said last with how things are, and the reminders with the plain rules of `rules.py`.
"""

import os
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from careloop.bench.send import make_patients
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.policy.timing import is_quiet
from careloop.reminders import rules, services
from careloop.scheduling import services as scheduling
from careloop.scheduling import sessions
from careloop.scheduling.models import Appointment
from careloop.scheduling.places import Place
from careloop.scheduling.tests import make

from .support import DAY, Story

# all ten thousand: CARELOOP_TEST_LIVES=10000 (four chunks of a minute each); an ordinary run takes the first eighth
LIVES = int(os.environ.get("CARELOOP_TEST_LIVES", "1250"))
CHUNKS = max(1, LIVES // 2500)
DAYS = 12
TAIPEI = ZoneInfo("Asia/Taipei")
START = datetime(2026, 3, 16, 0, 0, tzinfo=UTC)


class Lives:
    """One chunk: a clinic, its patients, and chance."""

    def __init__(self, organization, seed: int, count: int) -> None:
        self.chance, self.count = random.Random(seed), count
        self.story = Story(organization, START, channels=("line",))
        self.turns: list[datetime] = []
        self.full_turns: list[datetime] = []
        self.ended: dict = {}  # (visit, sequence) → when it stopped being so
        self.confirmed: set = set()
        self.done: Counter[str] = Counter()
        self.accepted = 0
        with self.story.inside():
            make_patients(count, START)
            self.people = [row["id"] for row in sql.rows("select id from patients_patient order by name, id")]
            self.substitutes = [make.practitioner(f"代診{n}") for n in range(3)]
            self.sessions = []
            for day in range(1, DAYS + 1):
                for n, hour in enumerate((0, 1, 5, 10)):  # 8:00, 9:00, 13:00, 18:00 in Taipei
                    if n == 0:
                        self.story.clinic.physician = make.practitioner(f"醫師{day}")
                        make.offers(self.story.clinic.service, self.story.clinic.physician)
                    self.sessions.append(self._session(day, hour, hours={0: 1, 1: 3, 5: 4, 10: 3}[hour]))

    def _session(self, day, hour, hours):
        return make.session(
            self.story.clinic, starts_at=START + day * DAY + timedelta(hours=hour), hours=hours, mode="NUMBERS", numbers=400,
            slot_minutes=1, room=None,
        )  # fmt: skip

    def run(self) -> None:
        waiting = list(self.people)
        self.chance.shuffle(waiting)
        visits: list = []
        end = START + (DAYS + 1) * DAY
        each_step = self.count // 30
        while self.story.now < end:
            self.story.now += timedelta(minutes=self.chance.choice((30, 60, 180, 300, 480)))
            with self.story.inside():
                for _n in range(min(each_step, len(waiting))):
                    if (made := self._book(waiting.pop())) is not None:
                        visits.append(made)
                self._some_of(visits, int(each_step * 0.6))
                if self.chance.random() < 0.25:
                    self._to_a_session()
            self._turn()

    # -- what people do --------------------------------------------------------------------------------------------

    def _free_session(self):
        return self.chance.choice(
            [one for one in self.sessions if one.starts_at > self.story.now] or self.sessions[-1:]
        )

    def _try(self, name, act):
        try:
            made = act()
        except DomainError:
            self.done[f"{name} refused"] += 1
            return None
        self.done[name] += 1
        return made

    def _book(self, someone):
        source = self.chance.choice(("desk", "phone", "portal", "line"))
        return self._try("book", lambda: scheduling.book(
            patient_id=someone, service_id=self.story.clinic.service.pk, source=source, key="", now=self.story.now, by=None,
            place=Place(self._free_session().pk),
        ))  # fmt: skip

    def _some_of(self, visits, count) -> None:
        """Let something happen to some of those who are still to come."""
        chosen = {visit.pk for visit in self.chance.sample(visits, min(count, len(visits)))}
        found = Appointment.objects.filter(pk__in=chosen, state="booked", starts_at__gt=self.story.now).order_by("pk")
        for visit in found:
            self._something(visit)

    def _something(self, visit) -> None:
        what = self.chance.choices(("move", "cancel", "confirm", "tap"), (4, 2, 3, 2))[0]
        now, before = self.story.now, visit.sequence
        if what == "move":
            if self._try(what, lambda: scheduling.move(
                appointment_id=visit.pk, place=Place(self._free_session().pk), version=visit.version, now=now, by=None,
            )):  # fmt: skip
                self.ended[visit.pk, before] = now
        elif what == "cancel":
            reason = self.chance.choice(("patient", "clinic"))
            self._try(what, lambda: scheduling.cancel(appointment_id=visit.pk, reason=reason, now=now, by=None))
            self.ended[visit.pk, before] = now
        elif what == "confirm":
            self._try(
                what, lambda: scheduling.confirm(appointment_id=visit.pk, sequence=visit.sequence, now=now, by=None)
            )
            self.confirmed.add((visit.pk, visit.sequence))
        else:
            # a tap on any message the patient ever got, also one about an old time
            row = sql.rows(
                "select id, appointment_sequence from messaging_message where origin = 'appointment' and origin_id = %s and origin_id <> '' and state = 'accepted' "
                "and appointment_state = 'booked' order by id", [str(visit.pk)],
            )  # fmt: skip
            if row:
                tapped = self.chance.choice(row)
                came = services.answer_by_tap(message_id=tapped["id"], inbound_id=make.uuid7(), now=now)
                self.done[f"tap {came}"] += 1
                if came == "confirmed":
                    self.confirmed.add((visit.pk, visit.sequence))
                assert (came == "confirmed") == (tapped["appointment_sequence"] == visit.sequence)

    def _to_a_session(self) -> None:
        session = self._free_session()
        touched = sql.rows(
            "select id, sequence from scheduling_appointment where session_id = %s and state = 'booked'", [session.pk]
        )
        now = self.story.now
        if self.chance.random() < 0.4:
            self._try("close", lambda: sessions.close_session(session_id=session.pk, reason="", now=now, by=None))
            self.sessions = [one for one in self.sessions if one.pk != session.pk]
        else:
            other = self.chance.choice(self.substitutes)
            done = self._try(
                "substitute",
                lambda: sessions.substitute(session_id=session.pk, practitioner_id=other.pk, now=now, by=None),
            )
            if not done:
                return
        for row in touched:
            self.ended[row["id"], row["sequence"]] = now

    # -- what the worker does, and what must be true after it --------------------------------------------------------

    def _turn(self) -> None:
        """The worker's parts run in any order and not always; what was planned earlier meets visits that have changed."""
        kind = self.chance.random()
        self.turns.append(self.story.now)
        if kind < 0.25:
            self.story.send()
        elif kind < 0.35:
            self.story.plan()
            self.story.send()
        elif kind < 0.45:
            self.story.read()
        else:
            self.story.read()
            self.story.plan()
            self.story.send()
            if not self._is_quiet():
                self.full_turns.append(self.story.now)
                with self.story.inside():
                    self.nothing_is_missing()
        with self.story.inside():
            self.nothing_is_wrong()

    def _is_quiet(self) -> bool:
        return is_quiet(self.story.now.astimezone(TAIPEI).time())

    def nothing_is_wrong(self) -> None:
        """What was accepted just now says of time, practitioner and state what is true just now."""
        wrong = sql.rows(
            """select m.key, m.params from messaging_message m
                 left join scheduling_appointment a on a.id = m.appointment_id
                 left join records_practitioner p on p.id = a.practitioner_id
                where m.accepted_at = %s and (
                      a.id is null or (m.params ->> 'visit_date')::timestamptz <> a.starts_at or m.params ->> 'practitioner' <> p.name
                      or a.starts_at <= %s or m.params ->> 'visit_number' <> a.number::text
                      or (split_part(m.key, ':', 4) in ('cancelled', 'closed', 'gone')) <> (a.state = 'cancelled')
                      or a.state not in ('booked', 'cancelled'))""",
            [self.story.now, self.story.now],
        )
        assert wrong == []

    def nothing_is_missing(self) -> None:
        """Everybody whose visit is to come was last told how it is."""
        untold = sql.rows(
            """select a.id, a.state, a.sequence, said.key from scheduling_appointment a
                 join records_practitioner p on p.id = a.practitioner_id
                 left join lateral (
                    select m.key, m.params, m.appointment_state from messaging_message m
                     where m.origin = 'appointment' and m.origin_id = a.id::text and m.origin_id <> '' and m.state = 'accepted'
                       and split_part(m.key, ':', 4) in ('booked', 'moved', 'substitute', 'cancelled', 'closed')
                     order by m.accepted_at desc, m.planned_at desc limit 1) as said on true
                where a.starts_at > %s and a.state in ('booked', 'cancelled')
                  and (said.key is null or said.appointment_state <> a.state
                       or (said.params ->> 'visit_date')::timestamptz <> a.starts_at or said.params ->> 'practitioner' <> p.name)""",
            [self.story.now],
        )
        assert untold == []

    def nothing_came_twice(self) -> None:
        deliveries = sql.row(
            "select count(*)::int as n, count(distinct message_key)::int as different from channels_sandbox_delivery"
        )
        accepted = sql.row(
            "select count(*)::int as n, count(distinct key)::int as different from messaging_message where state = 'accepted'"
        )
        self.accepted = accepted["n"]
        assert deliveries["n"] == deliveries["different"] == accepted["n"] == accepted["different"]
        # nor the same words about the same time under another name
        assert (
            sql.rows(
                """select origin_id, appointment_sequence, params ->> 'visit_date', split_part(key, ':', 4), count(*)
                 from messaging_message where state = 'accepted' and split_part(key, ':', 4) not in ('now', 'gone')
                group by 1, 2, 3, 4 having count(*) > 1"""
            )
            == []
        )

    def reminders_are_those_of_the_rules(self) -> None:
        said = defaultdict(set)
        for row in sql.rows(
            "select appointment_id, appointment_sequence, split_part(key, ':', 4) as which from messaging_message "
            "where state = 'accepted' and split_part(key, ':', 4) in ('early', 'day', 'today')"
        ):
            said[row["appointment_id"], row["appointment_sequence"]].add(row["which"])
        checked = 0
        for row in sql.rows(
            """select m.appointment_id, m.appointment_sequence, m.planned_at, a.created_at,
                      (m.params ->> 'visit_date')::timestamptz as starts_at
                 from messaging_message m join scheduling_appointment a on a.id = m.appointment_id
                where split_part(m.key, ':', 4) in ('booked', 'moved', 'substitute') and m.reason <> 'version'"""
        ):
            segment = row["appointment_id"], row["appointment_sequence"]
            # a notice that waits for its reader longer than `SETTLED` does not hold the reminders back
            by_notice, by_booking = (
                self._expected(row["starts_at"], at, row["planned_at"], segment)
                for at in (row["planned_at"], row["created_at"])
            )
            must = by_notice[0] if row["appointment_sequence"] else by_notice[0] & by_booking[0]
            may = by_notice[1] | by_booking[1]
            if segment in self.confirmed:
                must.discard("early")
            assert must <= said[segment] <= may, (segment, must, said[segment], may)
            checked += 1
        assert checked > self.count / 2

    def _expected(self, starts_at, told_at, known_at, segment) -> tuple[set[str], set[str]]:
        """Which reminders must have gone, because all of the worker's parts ran in their time, and which may have."""
        end = self.ended.get(segment, starts_at)
        found, possible = set(), set()
        for which, rule in (("early", rules.early), ("day", rules.day_before), ("today", rules.same_day)):
            due = rule(starts_at=starts_at, told_at=told_at, zone=TAIPEI, times=rules.Times())
            if due and any(max(due.at, known_at) <= at < min(end, due.until) for at in self.full_turns):
                found.add(which)
            if due and any(due.at <= at <= min(end, due.until) for at in self.turns):
                possible.add(which)
        return found, possible


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_nothing_wrong_nothing_twice_nothing_missing(committed_organization, chunk):
    lives = Lives(committed_organization, seed=20260316 + chunk, count=LIVES // CHUNKS)
    try:
        lives.run()
        with lives.story.inside():
            lives.nothing_came_twice()
            lives.reminders_are_those_of_the_rules()
        assert lives.accepted > LIVES / CHUNKS
        assert all(
            lives.done[name] for name in ("book", "move", "cancel", "confirm", "close", "substitute", "tap changed")
        )
    finally:
        print(chunk, lives.accepted, dict(lives.done))
        lives.story.close()
