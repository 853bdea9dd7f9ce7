"""The page of one visit, opened by the link in its message: confirm, move, call off. Looking at it never does anything."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import public
from careloop.kernel.errors import DomainError
from careloop.messaging import links
from careloop.messaging.variables import spoken_date
from careloop.portal import linked_offers
from careloop.portal.booking import earlier
from careloop.portal.doors import Opened, opened
from careloop.portal.views import BY_WHAT, _gone, _note_opened, _page
from careloop.reminders import offers, pages, services
from careloop.reminders.pages import Visit
from careloop.scheduling.errors import ChangedMeanwhile, NoPlace

STEPS = {"CANCEL": "cancel", "MOVE": "move", "AGAIN": "again"}
ANSWERS = {"confirm": "CONFIRM", "cancel": "CANCEL", "move": "MOVE", "again": "AGAIN"}


@public(BY_WHAT)
@never_cache
@csrf_exempt  # the token is the proof; mail programs open pages without cookies
@require_http_methods(["GET", "HEAD", "POST"])
def visit(request: HttpRequest, token: str) -> HttpResponse:
    """Show the visit as it is now; a POST confirms, calls off, moves, or books anew, bound to the time the patient saw."""
    now = timezone.now()
    with opened(token, now=now) as door:
        found = pages.visit_of(door.message, now=now) if door is not None else None
        if door is None or found is None:
            return _gone(request)
        with translation.override(door.message.language):
            if door.message.appointment_state == offers.OFFERED:
                answer = linked_offers.answered(request, door, now=now)
                if isinstance(answer, HttpResponse):
                    return answer
                if answer:
                    current = _again(door, found, now=now)
                    return _show(
                        request, door, current, step="", now=now, done=answer if current.how == "booked" else ""
                    )
            if request.method == "POST":
                return _act(request, door, found, now=now)
            _note_opened(door)
            return _show(request, door, found, step=STEPS.get(request.GET.get("a", ""), ""), now=now)


def _act(request: HttpRequest, door: Opened, found: Visit, *, now: datetime) -> HttpResponse:
    do, given = request.POST.get("do", ""), request.POST.get("sequence", "")
    place = pages.read_place(request.POST.get("place", ""))
    if do not in ANSWERS or not given.isdecimal() or len(given) > 6 or (do in ("move", "again") and place is None):
        return _show(request, door, found, step=do if do in ("move", "again", "cancel") else "", now=now, status=422)
    sequence = int(given)
    if do == "again" and found.id != door.message.appointment_id and found.how == "booked":
        return _show(request, door, found, step="", now=now, done=do)  # the same click, a moment ago
    try:
        if do == "confirm":
            services.confirm(appointment_id=found.id, sequence=sequence, now=now)
        elif do == "cancel":
            services.call_off(appointment_id=found.id, sequence=sequence, now=now)
        elif do == "move":
            assert place is not None
            more_days = earlier(found.patient_id, now=now)
            services.move(appointment_id=found.id, sequence=sequence, place=place, now=now, more_days=more_days)
        else:
            assert place is not None
            more_days = earlier(found.patient_id, now=now)
            services.book_again(appointment_id=found.id, place=place, now=now, more_days=more_days)
    except ChangedMeanwhile:
        problem = _("The visit was changed in the meantime, so nothing was done. This is how it is now.")
        return _show(request, door, _again(door, found, now=now), step="", now=now, problem=problem, status=409)
    except NoPlace as refused:
        return _show(request, door, found, step=do, now=now, problem=str(refused), status=409)
    except DomainError as refused:
        return _show(request, door, _again(door, found, now=now), step="", now=now, problem=str(refused), status=409)
    services.answer(door.message, ANSWERS[do], now=now)
    return _show(request, door, _again(door, found, now=now), step="", now=now, done=do)


def _again(door: Opened, before: Visit, *, now: datetime) -> Visit:
    """The visit as it is after something was done, or refused."""
    return pages.visit_of(door.message, now=now) or before


def _show(
    request: HttpRequest, door: Opened, found: Visit, *, step: str, now: datetime, problem: str = "", done: str = "",
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    zone, language = ZoneInfo(door.organization.time_zone), door.message.language
    step = step if _fits(step, found) else ""
    context: dict[str, Any] = {
        "visit": found, "step": step, "problem": problem, "done": done, "phone": found.phone or door.organization.phone,
        "on": spoken_date(found.starts_at.astimezone(zone).date(), language), "at": f"{found.starts_at.astimezone(zone):%H:%M}",
        "number": _number_page(door, found, zone, now=now),
        "calendar": f"/p/ics/{links.token_of(door.organization.pk, door.message.pk)}/",
        "family": [
            {
                "name": one["name"], "url": f"/p/a/{links.token_of(door.organization.pk, one['message_id'])}/",
                "at": f"{one['starts_at'].astimezone(zone):%H:%M}",
            }
            for one in found.others
        ],
    }  # fmt: skip
    if step in ("move", "again"):
        anybody = request.GET.get("who") == "any" or request.POST.get("who") == "any"
        more_days = earlier(found.patient_id, now=now)
        days, more = pages.free_places(
            found, now=now, zone=zone, since=_since(request, now), anybody=anybody, more_days=more_days
        )
        context |= {
            "days": [{"on": spoken_date(day.on, language), "places": day.places} for day in days], "anybody": anybody,
            "more": more.isoformat() if more else "", "do": step, "code": step.upper(),
        }  # fmt: skip
    return _page(request, "portal/linked_visit.html", door, status=status, **context)


def _number_page(door: Opened, found: Visit, zone: ZoneInfo, *, now: datetime) -> str:
    """Where the patient says “I am here” and sees the number, on the day of the visit."""
    is_today = found.starts_at.astimezone(zone).date() == now.astimezone(zone).date()
    is_mine = found.patient_id == door.message.patient_id
    if not is_today or not is_mine or found.how not in ("booked", "moved", "here", "over"):
        return ""
    return f"/p/n/{links.token_of(door.organization.pk, door.message.pk)}/"


def _fits(step: str, found: Visit) -> bool:
    if step in ("cancel", "move"):
        return found.how in ("booked", "moved") and found.may_change and (step == "cancel" or found.may_book)
    return step == "again" and found.how == "cancelled" and found.may_book


def _since(request: HttpRequest, now: datetime) -> datetime | None:
    try:
        since = datetime.fromisoformat(request.GET.get("since", ""))
    except ValueError:
        return None
    return max(since, now) if since.tzinfo else None
