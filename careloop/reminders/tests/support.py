"""A small clinic with a clock that can be turned, whose messages arrive on the sandbox phone."""

from datetime import datetime, timedelta
from uuid import UUID

from careloop.events.readers import run_reader
from careloop.events.registry import READERS
from careloop.messaging import texts
from careloop.messaging.dispatch import Dispatcher
from careloop.messaging.models import Message
from careloop.messaging.tests.support import account, patient
from careloop.reminders import handlers
from careloop.scheduling import services as scheduling
from careloop.scheduling.places import Place
from careloop.scheduling.tests import make
from careloop.tenancy.context import in_organization

DAY = timedelta(days=1)


class Story:
    """One clinic of a test; `now` is its clock. Enter the organization for whatever is not a method here."""

    def __init__(self, organization, now: datetime, *, channels=("line", "sms", "email"), **service) -> None:
        self.organization, self.now = organization, now
        with self.inside():
            texts.install_library(now=now)
            for channel in channels:
                account(channel, now=now)
            self.clinic = make.clinic(**service)
        self.dispatcher = Dispatcher(clock=lambda: self.now)

    def inside(self):
        return in_organization(self.organization.id)

    def close(self) -> None:
        self.dispatcher.close()

    def read(self) -> None:
        """Let the readers catch up."""
        for name in ("reminders", "messaging.answers"):
            while run_reader(READERS[name], self.organization.id, now=self.now):
                pass

    def plan(self) -> None:
        """What the worker does by the clock."""
        handlers.by_the_clock(self.organization.id, now=self.now)

    def send(self):
        return self.dispatcher.pass_over(self.organization.id)

    def turn(self, **later) -> None:
        """Let time pass, and the worker do all of its work."""
        self.now += timedelta(**later)
        self.read()
        self.plan()
        self.send()

    def until(self, then: datetime) -> None:
        """Let the hours pass until then: one by one in the last day, in strides of five through the days before."""
        while self.now < then:
            stride = timedelta(hours=1 if then - self.now <= DAY + timedelta(hours=5) else 5)
            self.now = min(self.now + stride, then)
            self.turn()

    # -- what happens --------------------------------------------------------------------------------------------

    def patient(self, **how) -> UUID:
        with self.inside():
            return patient(now=self.now, **(how or {"line": True}))

    def session(self, *, days=1, hour=1, **more):
        """A session that begins `days` from the story's day, at `hour` UTC (1 is nine in the morning in Taipei)."""
        starts_at = (self.now + days * DAY).replace(hour=hour, minute=0, second=0, microsecond=0)
        with self.inside():
            return make.session(self.clinic, starts_at=starts_at, **more)

    def book(self, session, someone, **more):
        with self.inside():
            return make.book(self.clinic, session, someone, now=self.now, **more)

    def move(self, one, session, *, at=None, **more):
        with self.inside():
            one.refresh_from_db()
            place = Place(session.pk, starts_at=(at or session.starts_at) if session.mode == "SLOTS" else None)
            return scheduling.move(
                appointment_id=one.pk, place=place, version=one.version, now=self.now, by=None, **more
            )

    def cancel(self, one, reason="patient", **more):
        with self.inside():
            return scheduling.cancel(appointment_id=one.pk, reason=reason, now=self.now, by=None, **more)

    # -- what came of it -----------------------------------------------------------------------------------------

    def messages(self, one=None, *, state="accepted") -> list[Message]:
        with self.inside():
            found = Message.objects.exclude(appointment_id=None).order_by("accepted_at", "planned_at", "id")
            if state:
                found = found.filter(state=state)
            return list(found.filter(appointment_id=one.pk) if one is not None else found)

    def said(self, one=None) -> list[str]:
        """The last part of the keys of what was accepted: booked, early, day, today, moved, …"""
        return [message.key.split(":")[3] for message in self.messages(one)]
