"""The page of an offered place, opened by the link in its message: take it, leave it, or wait no longer. Looking does nothing."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from careloop.messaging.variables import spoken_date
from careloop.portal.doors import Opened
from careloop.portal.views import _note_opened, _page
from careloop.reminders import offers, services
from careloop.reminders.offers import Offered
from careloop.scheduling import waitlist
from careloop.scheduling.errors import OfferOver

ANSWERS = {"take": "TAKE", "pass": "PASS", "leave": "OFF_LIST"}


def answered(request: HttpRequest, door: Opened, *, now: datetime) -> HttpResponse | str:
    """Show the offered place, or do what the patient chose.

    Returns a word instead when it is their visit by now: `taken` if this very tap made it so, else nothing; the visit's own page
    goes on from there.
    """
    found = offers.offered_by(door.message)
    if found is None:
        return "taken" if request.method == "POST" and request.POST.get("do") == "take" else ""
    if request.method != "POST":
        _note_opened(door)
        return _show(request, door, found, step="leave" if request.GET.get("a") == "OFF_LIST" else "")
    do = request.POST.get("do", "")
    if do not in ANSWERS:
        return _show(request, door, found, status=422)
    try:
        if do == "take":
            waitlist.accept(offer_id=found.id, now=now, by=None)
        elif do == "pass":
            waitlist.decline(offer_id=found.id, now=now, by=None)
        else:
            waitlist.leave(entry_id=found.entry_id, reason="patient", now=now, by=None)
    except OfferOver:
        return _show(request, door, offers.offered_by(door.message) or found, was_late=True, status=409)
    services.answer(door.message, ANSWERS[do], now=now)
    if do == "take":
        return "taken"
    return _show(request, door, offers.offered_by(door.message) or found)


def _show(
    request: HttpRequest, door: Opened, found: Offered, *, step: str = "", was_late: bool = False, status: int = 200
) -> HttpResponse:
    zone, language = ZoneInfo(door.organization.time_zone), door.message.language

    def words(at: datetime) -> str:
        local = at.astimezone(zone)
        return f"{spoken_date(local.date(), language)} {local:%H:%M}"

    problem = _("This place is no longer kept for you.") if was_late else ""
    return _page(
        request, "portal/linked_offer.html", door, status=status, offer=found, at=words(found.starts_at), until=words(found.answer_by),
        later=words(found.later_at) if found.later_at else "", problem=problem, phone=found.phone or door.organization.phone,
        step=step if found.is_waiting else "",
    )  # fmt: skip
