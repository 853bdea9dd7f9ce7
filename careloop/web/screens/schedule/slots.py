"""What the schedule adds to a patient's page and to the first page of the day."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careloop.accounts.scope import location_ids
from careloop.patients import panels
from careloop.patients.panels import Panel, PatientHead
from careloop.scheduling import selectors, waiting
from careloop.web.http import clinic_zone
from careloop.web.screens.schedule.common import ICONS, STATES, TONES, address, bounds, span, when_words
from careloop.web.screens.schedule.waitlist import wish_words
from careloop.web.screens.today import blocks
from careloop.web.screens.today.blocks import Block


def appointments(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]]:
    """The next appointments and the latest past ones, with a way to book."""
    zone, here = clinic_zone(request), request.path
    rows = [
        {**one, "when": when_words(one, zone), "state_label": STATES[one["state"]], "tone": TONES[one["state"]], "icon": ICONS[one["state"]],
         "url": address("appointment", one["id"], next=here)}
        for one in selectors.of_patient(patient.id, now=timezone.now())
    ]  # fmt: skip
    member: Any = request.member  # type: ignore[attr-defined]
    may_book = member.can("schedule.book") and patient.active and not patient.deceased
    waits = [
        {"service": one["service"], "words": wish_words(one), "url": address("wish", one["id"]), "is_offered": one["state"] == "OFFERED"}
        for one in waiting.of_patient(patient.id)
    ]  # fmt: skip
    return "schedule/_patient_next.html", {
        "waits": waits, "wait_url": address("wish_new", patient=patient.id, next=here) if may_book else "",
        "coming": [one for one in rows if one["is_coming"]], "past": [one for one in rows if not one["is_coming"]],
        "book_url": address("find", patient=patient.id) if may_book else "",
    }  # fmt: skip


def todays_sessions(request: HttpRequest) -> tuple[str, dict[str, Any]] | None:
    """Today's sessions with who is booked, here and seen."""
    now, zone = timezone.now(), clinic_zone(request)
    member: Any = request.member  # type: ignore[attr-defined]
    today = now.astimezone(zone).date()
    limit = location_ids(member)
    since, until = bounds(today, 1, zone)
    rows = selectors.day_sessions(since=since, until=until, limit=sorted(limit) if limit is not None else None)
    if not rows and not selectors.practitioners():
        return None
    shown = [
        {
            **one, "time": span(one["starts_at"], one["ends_at"], zone), "url": address("session", one["id"]),
            "is_closed": one["state"] == "CLOSED", "is_over": one["ends_at"] <= now or one["state"] == "FINISHED",
            "is_now": one["starts_at"] <= now < one["ends_at"] and one["state"] == "OPEN",
        }
        for one in rows
    ]  # fmt: skip
    # what is over stands last; a long day goes on in the calendar
    shown.sort(key=lambda one: one["is_over"])
    sums = {name: sum(one[name] for one in rows) for name in ("booked", "here", "seen")}
    return "schedule/_today.html", {
        "rows": shown[:SHOWN], "more": max(0, len(shown) - SHOWN), "sums": sums, "url": address("home"),
    }  # fmt: skip


def waiting_now(request: HttpRequest) -> tuple[str, dict[str, Any]] | None:
    """How many wait for a place, and how many have an offer they have not answered."""
    member: Any = request.member  # type: ignore[attr-defined]
    limit = location_ids(member)
    counts = waiting.counts(limit=sorted(limit) if limit is not None else None)
    if not counts["waiting"]:
        return None
    return "schedule/_today_waiting.html", {
        **counts, "url": address("waitlist"), "offered_url": address("waitlist", state="OFFERED"),
    }  # fmt: skip


SHOWN = 9

panels.register(
    Panel(
        "appointments",
        _("Appointments"),
        appointments,
        order=5,
        permission="schedule.view",
        place="next",
        icon="calendar",
    )
)
blocks.register(Block("waitlist", waiting_now, order=30, permission="schedule.view"))
blocks.register(Block("sessions", todays_sessions, order=10, permission="schedule.view"))
