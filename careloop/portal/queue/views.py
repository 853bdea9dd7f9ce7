"""A patient's number on the phone, check-in by the code at the clinic, and the screens of the waiting room.

The pages that are asked again and again answer from `waitingroom.live`: no session, no sign-in, no statement of their own.
"""

import hashlib
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from careloop.accounts.access import public
from careloop.accounts.trail import address_of
from careloop.audit import services as audit
from careloop.audit.services import Actor, acting_as
from careloop.kernel import sql
from careloop.kernel.dates import read_date
from careloop.kernel.errors import DomainError
from careloop.patients.sealing import last3_range
from careloop.portal.queue import words
from careloop.portal.queue.doors import Screen, screen_behind, ticket_behind
from careloop.tenancy.context import in_organization
from careloop.waitingroom import errors, links, live, qr, rules, services
from careloop.waitingroom.queues import look

BY_NUMBER = "opened by a 256-bit token that only the patient was given; shows a number, never a name"
BY_SCREEN = "opened by a 256-bit token of a screen that staff can end; shows numbers and masked names only"
BY_CODE = "opened by a code that the clinic shows for a minute; tells nobody who is a patient"
COOKIE, COOKIE_SECONDS = "careloop_ticket", 12 * 60 * 60
# Tries to check in by birth date and telephone: everybody in a waiting room may come from one address.
# how a television is divided
SIZES = {0: "one", 1: "one", 2: "two", 3: "three", 4: "four"}
TRIES, TRIES_FROM_ONE_ADDRESS, TRIES_SECONDS = 5, 60, 600


# -- my number ---------------------------------------------------------------------------------------------------


@public(BY_NUMBER)
@require_safe
def number_now(request: HttpRequest, token: str) -> HttpResponse:
    """My number, the number now, people ahead, the wait: as JSON, and 304 while nothing changes."""
    found = ticket_behind(token)
    said = _said(found) if found else None
    if said is None:
        return _json(b'{"state":"GONE"}', status=404)
    if request.headers.get("If-None-Match") == said.etag:
        response = HttpResponse(status=304)
    else:
        response = _json(said.body)
    response.headers["ETag"] = said.etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _json(body: bytes, *, status: int = 200) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json")


def _said(found: tuple[UUID, UUID]) -> live.Said | None:
    snap = live.snapshot(found[0])
    return live.said_to(snap, found[1], words.for_phone(snap.organization["language"]))


@public(BY_NUMBER)
@never_cache
@csrf_exempt  # the token is the proof
@require_http_methods(["GET", "HEAD", "POST"])
def number(request: HttpRequest, token: str) -> HttpResponse:
    """A patient's number; a POST says “I am here” where the rules of the queue let the patient say so."""
    found = ticket_behind(token)
    if found is None:
        return _gone(request)
    organization_id, ticket_id = found
    now, refusal = timezone.now(), ""
    with in_organization(organization_id):
        ticket = _ticket(ticket_id)
        if ticket is None:
            return _gone(request)
        language = words.language_of(ticket, ticket["clinic_language"])
        with translation.override(language), acting_as(Actor("patient", id=ticket["patient_id"], via="link")):
            if request.method == "POST":
                try:
                    services.check_in(appointment_id=ticket["appointment_id"], how=_how(request), now=now, by=None)
                except DomainError as error:
                    refusal = str(error)
                else:
                    live.refresh(organization_id)
                    return redirect("queue_pages:number", token)
            elif request.method == "GET":
                _note_opened(ticket, now=now)
            may_check_in, opens = _self_check_in(ticket, now=now)
    with translation.override(language), timezone.override(ticket["time_zone"]):
        said = _said(found)
        context = {
            "clinic": ticket["clinic"], "accent": ticket["accent_color"][1:], "language": language, "token": token, "ticket": ticket,
            "said": said.value if said else None, "refusal": refusal, "may_check_in": may_check_in, "opens": opens,
            "code": qr.svg(links.base_url() + reverse("queue_pages:number", args=[token]), title=_("My code")),
        }  # fmt: skip
        response = render(request, "queue_pages/number.html", context, status=409 if refusal else 200)
    if ticket["is_today"]:
        response.set_cookie(
            COOKIE,
            token,
            max_age=COOKIE_SECONDS,
            path="/p/q/here/",
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
    return response


def _how(request: HttpRequest) -> str:
    return "LINE" if " Line/" in request.headers.get("User-Agent", "") else "PHONE"


def _ticket(ticket_id: UUID) -> dict[str, Any] | None:
    found = sql.row(
        """select t.id, t.state, t.label, t.patient_id, t.appointment_id, t.session_id, t.opened_at, x.language, p.name as practitioner, s.part,
                  s.starts_at, s.ends_at, s.on_date, s.state as session_state, l.name as location, r.name as room,
                  s.on_date = (now() at time zone o.time_zone)::date as is_today, o.name as clinic_name, o.phone, o.accent_color,
                  o.language as clinic_language, o.time_zone
             from waitingroom_ticket t join scheduling_session s on s.id = t.session_id
             join records_practitioner p on p.id = s.practitioner_id join tenancy_location l on l.id = s.location_id
             join patients_patient x on x.id = t.patient_id join tenancy_organization o on o.id = t.organization_id
             left join scheduling_resource r on r.id = s.room_id
            where t.id = %s and s.on_date >= (now() at time zone o.time_zone)::date - 1""",
        [ticket_id],
    )
    if found is None:
        return None
    return {**found, "clinic": {"name": found["clinic_name"], "phone": found["phone"]}}


def _note_opened(ticket: dict[str, Any], *, now: datetime) -> None:
    """One note when the patient first looks; a phone that asks every few seconds is the same look."""
    if ticket["opened_at"] is None and sql.execute(
        "update waitingroom_ticket set opened_at = %s where id = %s and opened_at is null", [now, ticket["id"]]
    ):
        audit.record("queue.opened", patients=[ticket["patient_id"]], target=("ticket", ticket["id"]), now=now)


def _self_check_in(ticket: dict[str, Any], *, now: datetime) -> tuple[str, datetime | None]:
    """Return whether the page offers “I am here”: yes, code, desk, later, over, or nothing; and when it opens."""
    if ticket["state"] not in ("EXPECTED", "MISSED", "LEFT") or ticket["session_state"] == "CLOSED":
        return "", None
    rule = look(ticket["session_id"]).rules
    opens, closes = rules.check_in_window(starts_at=ticket["starts_at"], ends_at=ticket["ends_at"], rules=rule)
    if rule.self_check_in == "OFF":
        return "desk", None
    if now < opens:
        return "later", opens
    if now > closes:
        return "over", None
    return ("code" if rule.self_check_in == "CODE" else "yes"), None


def _gone(request: HttpRequest, *, sentence: str = "", status: int = 404) -> HttpResponse:
    context = {"clinic": None, "language": translation.get_language(), "sentence": sentence}
    return render(request, "queue_pages/gone.html", context, status=status)


# -- check-in by the code at the clinic --------------------------------------------------------------------------


@public(BY_CODE)
@never_cache
@csrf_exempt  # the code is the proof, and LINE's browser may keep no cookie
@require_http_methods(["GET", "HEAD", "POST"])
def here(request: HttpRequest, code: str) -> HttpResponse:
    """Check in at the clinic: with the number this phone has looked at before, or by birth date and telephone."""
    now = timezone.now()
    shown = links.read_code(code, now=now)
    longest = links.MAY_SEND if request.method == "POST" else links.MAY_OPEN
    if shown is None:
        return _gone(request)
    if not -1 <= shown.age <= longest:
        return _gone(request, sentence=str(errors.CodeTooOld()), status=410)
    mine = ticket_behind(request.COOKIES.get(COOKIE, ""))
    with in_organization(shown.organization_id):
        clinic = sql.row(
            """select o.name, o.phone, o.accent_color, o.language, o.time_zone, l.name as location from tenancy_organization o
                 join tenancy_location l on l.id = %s""",
            [shown.location_id],
        )
        if clinic is None:
            return _gone(request)
        ticket = _ticket(mine[1]) if mine and mine[0] == shown.organization_id else None
        if ticket is not None and not ticket["is_today"]:
            ticket = None
        with translation.override(_reader(request, clinic["language"])), timezone.override(clinic["time_zone"]):
            context = {
                "clinic": clinic, "accent": clinic["accent_color"][1:], "language": translation.get_language(), "refusal": "",
                "ticket": None if request.GET.get("other") else ticket, "given": request.POST,
            }  # fmt: skip
            if request.method != "POST":
                return render(request, "queue_pages/here.html", context)
            try:
                if request.POST.get("what") == "mine" and ticket is not None:
                    token = _check_in(ticket["appointment_id"], ticket["patient_id"], shown, now=now)
                else:
                    token = _check_in_by_proof(request, shown, now=now)
            except DomainError as refusal:
                context |= {"refusal": str(refusal), "ticket": ticket if request.POST.get("what") == "mine" else None}
                return render(request, "queue_pages/here.html", context, status=refusal.status)
    live.refresh(shown.organization_id)
    return redirect("queue_pages:number", token)


def _reader(request: HttpRequest, clinic: str) -> str:
    """The language of somebody we do not know yet: chosen on this site, else the clinic's."""
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return chosen if chosen in dict(settings.LANGUAGES) else clinic


def _check_in(appointment_id: UUID, patient_id: UUID, shown: links.Code, *, now: datetime) -> str:
    with acting_as(Actor("patient", id=patient_id, via="code")):
        made = services.check_in(appointment_id=appointment_id, how="QR", now=now, by=None, has_code=True)
    return links.token_of(shown.organization_id, made["id"])


def _check_in_by_proof(request: HttpRequest, shown: links.Code, *, now: datetime) -> str:
    """Find the visit of today by birth date and the last three digits of the telephone; say the same whether one, none or several fit."""
    born, digits = _birth_date(request.POST.get("birth", "")), request.POST.get("digits", "").strip()
    _count_try(f"{shown.location_id}:{born}", TRIES)
    _count_try(f"{shown.location_id}:{address_of(request)}", TRIES_FROM_ONE_ADDRESS)
    if born is None or len(digits) != 3 or not digits.isdigit():
        raise errors.NotFoundToday
    first, last = last3_range(shown.organization_id, digits)
    found = sql.rows(
        """select a.id, a.patient_id from scheduling_appointment a join scheduling_session s on s.id = a.session_id
             join patients_patient p on p.id = a.patient_id join tenancy_organization o on o.id = a.organization_id
             left join waitingroom_ticket t on t.appointment_id = a.id
            where s.location_id = %(location)s and s.on_date = (%(now)s::timestamptz at time zone o.time_zone)::date and s.state <> 'CLOSED'
              and a.state in ('booked', 'arrived', 'checked-in') and p.birth_date = %(born)s and coalesce(t.state, '') <> 'DONE'
              and exists (select from patients_contact_point c where c.patient_id = p.id and c.system = 'phone'
                            and c.value_index >= %(first)s and c.value_index <= %(last)s)
            order by s.ends_at < %(now)s, a.starts_at""",
        {"location": shown.location_id, "now": now, "born": born, "first": first, "last": last},
    )
    if len({one["patient_id"] for one in found}) != 1:
        raise errors.NotFoundToday
    return _check_in(found[0]["id"], found[0]["patient_id"], shown, now=now)


def _birth_date(text: str) -> date | None:
    try:
        return read_date(text, latest=timezone.localdate()).value
    except ValueError:
        return None


def _count_try(whose: str, most: int) -> None:
    key = f"queue-here:{hashlib.sha256(whose.encode()).hexdigest()[:32]}"
    cache.add(key, 0, TRIES_SECONDS)
    try:
        if cache.incr(key) > most:
            raise errors.TooManyTries
    except ValueError:  # it ended between the two
        return


# -- screens -----------------------------------------------------------------------------------------------------


@public(BY_SCREEN)
@never_cache
@require_safe
def screen(request: HttpRequest, token: str) -> HttpResponse:
    """A television: numbers now, next numbers, last calls; or the check-in code at the entrance."""
    found = screen_behind(token)
    if found is None:
        return _gone(request)
    organization_id, one = found
    with translation.override(one.language):
        context = _on_screen(organization_id, one) | {
            "token": token, "language": one.language, "voice": words.VOICES.get(one.language, one.language),
        }  # fmt: skip
        return render(request, "queue_pages/screen.html", context)


@public(BY_SCREEN)
@require_safe
def screen_now(request: HttpRequest, token: str) -> HttpResponse:
    """What the television shows now; 304 while nothing changes."""
    found = screen_behind(token)
    if found is None:
        return HttpResponse(status=404)
    organization_id, one = found
    with translation.override(one.language):
        body = render_to_string("queue_pages/_screen.html", _on_screen(organization_id, one)).encode()
    etag = f'"{hashlib.blake2b(body, digest_size=9).hexdigest()}"'
    response = HttpResponse(body) if request.headers.get("If-None-Match") != etag else HttpResponse(status=304)
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _on_screen(organization_id: UUID, one: Screen) -> dict[str, Any]:
    snap, now = live.snapshot(organization_id), timezone.now()
    shown = live.for_screen(snap, one.location_id, shows_names=one.shows_names)
    code = ""
    if one.kind == "ENTRANCE" or one.shows_code:
        code = qr.svg(links.code_url(organization_id, one.location_id, now=now), title=_("Check-in code"))
    return {
        "screen": one, "clinic": snap.organization, "accent": snap.organization["accent_color"][1:], "rooms": shown["rooms"], "code": code,
        "calls": [{**call, "say": words.spoken(call)} for call in shown["calls"]],
        "size": SIZES.get(len(shown["rooms"]), "many"),
    }  # fmt: skip
