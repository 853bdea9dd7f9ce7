"""The door for calendar programs."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from careloop.accounts.access import public
from careloop.accounts.trail import address_of
from careloop.audit import services as audit
from careloop.integrations.icalendar import feed, limits, links

CONTENT_TYPE = "text/calendar; charset=utf-8"


@public(
    "opened by a 256-bit token that its maker was shown once; reads one practitioner's calendar, and can be revoked"
)
@require_safe
def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """Give a practitioner's calendar to the program that holds the link; 304 when it has not changed."""
    address = address_of(request)
    if wait := limits.wait_for(token, limits.PER_LINK):
        return _closed(429, wait)
    now = timezone.now()
    with links.opened(token, address=address) as door:
        if door is not None:
            return _answer(request, door, now)
    wait = limits.wait_for(f"unknown from {address}", limits.PER_ADDRESS)
    return _closed(429, wait) if wait else _closed(404)


def _answer(request: HttpRequest, door: links.Opened, now: datetime) -> HttpResponse:
    found = feed.rows(door, now=now)
    changed_at = feed.noticed(door.link, found, now=now)
    links.note_fetched(door.link, now=now)
    etag = f'"{found.digest.hex()[:40]}"'
    response = get_conditional_response(request, etag=etag, last_modified=int(changed_at.timestamp()))
    if response is None:
        response = HttpResponse(feed.write(door, found, now=now), content_type=CONTENT_TYPE)
        response["Content-Disposition"] = 'inline; filename="calendar.ics"'
        if request.method == "GET":
            audit.record(
                "calendar.fetched", patients=found.patients, target=("calendar_link", door.link.pk), now=now,
                details={"appointments": len(found.appointments), "with_names": door.link.with_names},
            )  # fmt: skip
    response["ETag"] = etag
    response["Last-Modified"] = http_date(changed_at.timestamp())
    # asked again each time, so that a revoked link is closed at once
    response["Cache-Control"] = "private, max-age=0, must-revalidate"
    response["X-Robots-Tag"] = "noindex"
    return response


def _closed(status: int, wait: int = 0) -> HttpResponse:
    """Refuse in a line: no person reads it."""
    words = "Asked too often." if status == 429 else "There is no such calendar, or its link was revoked."
    response = HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-store"
    if wait:
        response["Retry-After"] = str(wait)
    return response
