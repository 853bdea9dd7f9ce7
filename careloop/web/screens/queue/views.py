"""The desk's overview, a session's list, the practitioner's console, one ticket, and walk-ins."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import location_ids
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.dates import age_in_years
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import token_hash
from careloop.kernel.masking import mask_name
from careloop.patients import selectors as patients
from careloop.tenancy.context import current_organization_id
from careloop.waitingroom import links, qr, rules, selectors, services
from careloop.waitingroom.models import IN_FRONT, Ticket
from careloop.waitingroom.queues import look, order_for, standing
from careloop.web.http import clinic_zone, next_url, redirect_to, refuse, respond
from careloop.web.screens.patients.words import SEX_SHORT, birth
from careloop.web.screens.queue.forms import HoldForm, ScanForm, TransferForm, WalkInForm

STATES = dict(Ticket.State.choices)
TONES = {
    "CALLED": "accent", "IN_ROOM": "info", "MISSED": "warning", "HELD": "neutral", "DONE": "success", "LEFT": "neutral",
    "WAITING": "neutral", "EXPECTED": "neutral",
}  # fmt: skip
HOWS = dict(Ticket.How.choices)
PARTS = {
    "MORNING": pgettext_lazy("queue", "morning"), "AFTERNOON": pgettext_lazy("queue", "afternoon"), "EVENING": pgettext_lazy("queue", "evening"),
}  # fmt: skip
NO_CHANGE = 204

# -- whose -------------------------------------------------------------------------------------------------------


def session_or_404(request: HttpRequest, session_id: UUID) -> dict[str, Any]:
    """A session at one of the member's locations."""
    found = selectors.session_page(session_id)
    limit = location_ids(request.member)  # type: ignore[attr-defined]
    if found is None or (limit is not None and found["location_id"] not in limit):
        raise Http404
    zone = clinic_zone(request)
    return {
        **found, "part_label": PARTS.get(found["part"], ""), "starts": found["starts_at"].astimezone(zone),
        "ends": found["ends_at"].astimezone(zone),
    }  # fmt: skip


def _ticket_or_404(request: HttpRequest, ticket_id: UUID) -> tuple[dict[str, Any], dict[str, Any]]:
    found = sql.value("select session_id from waitingroom_ticket where id = %s", [ticket_id])
    if found is None:
        raise Http404
    session = session_or_404(request, found)
    one = next(row for row in selectors.tickets_of(found) if row["id"] == ticket_id)
    return session, _shown(request, one, clinic_zone(request), timezone.now())


def _shown(request: HttpRequest, row: dict[str, Any], zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """A ticket or an appointment as the lists show it; patients of other branches by number and masked name only."""
    limit = location_ids(request.member)  # type: ignore[attr-defined]
    is_mine = limit is None or row["home_location_id"] in limit
    state = row.get("state", "")
    today = now.astimezone(zone).date()

    def local(name: str) -> datetime | None:
        value = row.get(name)
        return value.astimezone(zone) if value else None

    return {
        **row, "is_mine": is_mine, "patient_name": row["name"] if is_mine else mask_name(row["name"]),
        "patient_url": reverse("patients:page", args=[row["patient_id"]]) if is_mine and request.member.can("patients.view") else "",  # type: ignore[attr-defined]
        "age": age_in_years(row["birth_date"], on=today) if is_mine and row["birth_date"] else None,
        "sex_label": SEX_SHORT.get(row["sex"], "") if is_mine else "", "chart": row["chart_number"] if is_mine else "",
        "state_label": STATES.get(state, ""), "tone": TONES.get(state, "neutral"), "how_label": HOWS.get(row.get("how", ""), ""),
        "since": local("checked_in_at"), "called": local("called_at"), "started": local("started_at"), "finished": local("finished_at"),
        "at": local("starts_at"), "is_in_front": state in IN_FRONT,
        "waited": int((now - row["checked_in_at"]).total_seconds() // 60) if row.get("checked_in_at") else 0,
    }  # fmt: skip


def _note(rows: list[dict[str, Any]], session_id: UUID) -> None:
    seen = [row["patient_id"] for row in rows if row["is_mine"]]
    if seen:
        audit.record("queue.listed", patients=seen, target=("session", session_id))


def _stamp(session: dict[str, Any], now: datetime) -> str:
    """Changes when a page about this queue would: with every change of the queue or its appointments, and every five minutes."""
    return f"{session['version']}-{session['appointments_changed']}-{int(now.timestamp()) // 300}"


def _is_unchanged(request: HttpRequest, stamp: str) -> bool:
    return bool(request.headers.get("HX-Request")) and request.GET.get("v") == stamp


# -- the day -----------------------------------------------------------------------------------------------------


@requires("queue.run")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Today's sessions with who is called, who waits, who is still expected; one's own first."""
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    rows = [
        {
            **row, "starts": row["starts_at"].astimezone(zone), "ends": row["ends_at"].astimezone(zone), "part_label": PARTS.get(row["part"], ""),
            "is_own": row["user_id"] == member.user_id, "is_over": row["ends_at"] < now and not (row["waiting"] or row["now_called"]),
            "is_running": row["starts_at"] <= now < row["ends_at"],
        }
        for row in selectors.todays_sessions(now=now, locations=location_ids(member))
    ]  # fmt: skip
    rows.sort(key=lambda row: (row["is_over"], not row["is_own"], row["starts_at"]))
    context = {"rows": rows, "scan": ScanForm(), "day": now.astimezone(zone)}
    return respond(request, "queue/home.html", context, fragment="queue/_home.html")


@requires("queue.run")
@require_POST
def scan(request: HttpRequest) -> HttpResponse:
    """Check in by the code on a patient's phone."""
    form = ScanForm(request.POST)
    token = links.token_in(form.cleaned_data["code"]) if form.is_valid() else ""
    found = token and sql.row(
        "select appointment_id, session_id from waitingroom_ticket where token_hash = %s", [token_hash(token)]
    )
    if not found:
        return redirect_to(request, reverse("queue:home"), message=_("This is not the code of a visit here. Look the patient up in the list instead."), tone="danger")  # fmt: skip
    session = session_or_404(request, found["session_id"])
    try:
        made = services.check_in(appointment_id=found["appointment_id"], how="QR", now=timezone.now(), by=_me(request), at_desk=True)  # fmt: skip
    except DomainError as refusal:
        return redirect_to(request, reverse("queue:home"), message=str(refusal), tone="danger")
    said = _("Number %(label)s is checked in: %(practitioner)s.") % {
        "label": made["label"],
        "practitioner": session["practitioner"],
    }
    return redirect_to(request, reverse("queue:home"), message=said)


def _me(request: HttpRequest) -> UUID:
    found: UUID = request.member.user_id  # type: ignore[attr-defined]
    return found


# -- one session -------------------------------------------------------------------------------------------------


@requires("queue.run")
@require_GET
def session(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Who is expected, who waits in which order, who was seen; the desk's page."""
    one, now, zone = session_or_404(request, session_id), timezone.now(), clinic_zone(request)
    stamp = _stamp(one, now)
    if _is_unchanged(request, stamp):
        return HttpResponse(status=NO_CHANGE)
    everybody = [_shown(request, row, zone, now) for row in selectors.tickets_of(session_id)]
    coming = [_shown(request, row, zone, now) for row in selectors.not_here_yet(session_id)]
    queue = _queue(session_id, everybody, now)
    _note([*everybody, *coming], session_id)
    context = {
        "one": one, "stamp": stamp, "coming": coming, **queue, "may_book": request.member.can("schedule.book"),  # type: ignore[attr-defined]
        "may_set_rules": request.member.can("schedule.manage"),  # type: ignore[attr-defined]
        "may_walk_in": one["mode"] == "NUMBERS" and one["state"] == "OPEN",
    }  # fmt: skip
    return respond(request, "queue/session.html", context, fragment="queue/_session.html")


def _queue(session_id: UUID, everybody: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """The tickets of a session by what is to be done with them; who waits in the order in which they are called."""
    head = look(session_id)
    known = {row["id"]: row for row in everybody}
    order = order_for(head, [standing(row) for row in everybody if row["checked_in_at"]], now=now)
    waiting = [known[one.id] for one in order]
    places = {row["id"] for row in waiting}
    return {
        "front": sorted((row for row in everybody if row["is_in_front"]), key=lambda row: row["called_at"]),
        "waiting": waiting,
        "missed": [
            {**row, "must_check_in": rules.must_check_in(row["missed_count"], head.rules)}
            for row in everybody
            if row["state"] == "MISSED" and row["id"] not in places
        ],
        "held": [row for row in everybody if row["state"] == "HELD"],
        "gone": sorted((row for row in everybody if row["state"] in ("DONE", "LEFT")), key=lambda row: row["finished_at"] or now, reverse=True),
    }  # fmt: skip


@requires("queue.run")
@require_POST
def check_in(request: HttpRequest, appointment_id: UUID) -> HttpResponse:
    """Check a patient in at the desk."""
    session_id = _session_of(request, appointment_id)
    back = next_url(request, reverse("queue:session", args=[session_id]))
    try:
        made = services.check_in(appointment_id=appointment_id, how="DESK", now=timezone.now(), by=_me(request))
    except DomainError as refusal:
        return redirect_to(request, back, message=str(refusal), tone="danger")
    return redirect_to(request, back, message=_("Number %(label)s is checked in.") % {"label": made["label"]})


@requires("queue.run")
@require_POST
def make_pass(request: HttpRequest, appointment_id: UUID) -> HttpResponse:
    """Make the patient's link and code, and show it."""
    _session_of(request, appointment_id)
    try:
        ticket_id, _url = services.pass_for(appointment_id=appointment_id, now=timezone.now())
    except DomainError as refusal:
        return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(request, reverse("queue:ticket", args=[ticket_id]))


def _session_of(request: HttpRequest, appointment_id: UUID) -> UUID:
    found = sql.value(
        """select coalesce(t.session_id, a.session_id) from scheduling_appointment a
             left join waitingroom_ticket t on t.appointment_id = a.id where a.id = %s""",
        [appointment_id],
    )
    if found is None:
        raise Http404
    return UUID(str(session_or_404(request, found)["id"]))


@requires("queue.run", "schedule.book")
def walk_in(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Give somebody who walked in a number: find the patient, say what for, done."""
    one, now = session_or_404(request, session_id), timezone.now()
    offered = [(str(row["id"]), row["name"]) for row in selectors.services_in(session_id)]
    text = request.POST.get("q", request.GET.get("q", "")).strip()
    found = patients.search(text, today=now.astimezone(clinic_zone(request)).date(), limit=12) if text else []
    if found:
        audit.record("patients.searched", patients=[person.id for person in found], details={"for": "queue"})
    people = [
        (str(person.id), " · ".join(filter(None, (
            person.name, str(SEX_SHORT.get(person.sex, "")), birth(person.birth_date, person.birth_precision), person.chart_number, *person.phones[:1],
        )))) for person in found
    ]  # fmt: skip
    form = WalkInForm(request.POST if request.method == "POST" else None, patients=people, services=offered)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = services.check_in_walk_in(
                session_id=session_id, patient_id=UUID(given["patient"]), service_id=UUID(given["service"]), key=f"walk-in:{given['key']}",
                extra=given["extra"], now=now, by=_me(request),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = _("Number %(label)s is checked in.") % {"label": made["label"]}
            return redirect_to(request, reverse("queue:ticket", args=[made["id"]]), message=said)
    context = {"one": one, "form": form, "text": text, "people": people, "offered": offered}
    return respond(request, "queue/walk_in.html", context, status=422 if request.method == "POST" else 200)


# -- the console -------------------------------------------------------------------------------------------------


@requires("queue.run")
@require_GET
def console(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """The practitioner's page: who is in front of me, one button for what comes next, who is behind."""
    one, now, zone = session_or_404(request, session_id), timezone.now(), clinic_zone(request)
    rooms = selectors.rooms_at(one["location_id"])
    room_id = _room_of(request, one, rooms)
    stamp = _stamp(one, now)
    if _is_unchanged(request, stamp):
        return HttpResponse(status=NO_CHANGE)
    everybody = [_shown(request, row, zone, now) for row in selectors.tickets_of(session_id)]
    queue = _queue(session_id, everybody, now)
    here = [row for row in queue["front"] if row["room_id"] == room_id]
    current = here[0] if here else None
    _note([*([current] if current else []), *queue["waiting"], *queue["missed"], *queue["held"]], session_id)
    context = {
        "one": one, "stamp": stamp, "rooms": rooms, "room_id": room_id, "room": next((room["name"] for room in rooms if room["id"] == room_id), ""),
        "current": current, "elsewhere": [row for row in queue["front"] if row is not current], **queue,
        "others": selectors.others_today(session_id), "hold_form": HoldForm(), "done": sum(row["state"] == "DONE" for row in queue["gone"]),
        "expected": len(selectors.not_here_yet(session_id)),
    }  # fmt: skip
    return respond(request, "queue/console.html", context, fragment="queue/_console.html")


def _room_of(request: HttpRequest, one: dict[str, Any], rooms: list[dict[str, Any]]) -> UUID | None:
    """The room this console calls into: the chosen one, else the session's."""
    wanted = request.POST.get("room", request.GET.get("room", ""))
    if not wanted:
        found: UUID | None = one["room_id"]
        return found
    chosen = next((room["id"] for room in rooms if str(room["id"]) == wanted), None)
    if chosen is None:
        raise BadRequest("room")
    return UUID(str(chosen))


def _console_url(session_id: UUID, request: HttpRequest) -> str:
    room = request.POST.get("room", "")
    url = reverse("queue:console", args=[session_id])
    return f"{url}?room={UUID(room)}" if room else url


@requires("queue.run")
@require_POST
def call_next(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Call whoever is next; with `finish` the visit that goes on is ended first."""
    one = session_or_404(request, session_id)
    room_id = _room_of(request, one, selectors.rooms_at(one["location_id"]))
    now, back = timezone.now(), _console_url(session_id, request)
    try:
        if request.POST.get("finish"):
            finished, _one = _ticket_in(request, session_id)
            called = services.finish_and_call_next(ticket_id=finished, now=now, by=_me(request))
            if called is None:
                return redirect_to(request, back, message=_("The visit is finished. Nobody is waiting."))
        else:
            services.call_next(session_id=session_id, room_id=room_id, now=now, by=_me(request))
    except DomainError as refusal:
        return redirect_to(request, back, message=str(refusal), tone="warning")
    return redirect_to(request, back)


def _ticket_in(request: HttpRequest, session_id: UUID) -> tuple[UUID, dict[str, Any]]:
    try:
        ticket_id = UUID(request.POST["finish"])
    except ValueError:
        raise BadRequest("finish") from None
    found_session, one = _ticket_or_404(request, ticket_id)
    if found_session["id"] != session_id:
        raise Http404
    return ticket_id, one


# -- one ticket --------------------------------------------------------------------------------------------------


@requires("queue.run")
@require_GET
def ticket(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    """One number: whose, what happened to it, the patient's link and code, and what can be done."""
    one, row = _ticket_or_404(request, ticket_id)
    _note([row], one["id"])
    zone = clinic_zone(request)
    url = links.url_of(current_organization_id(), ticket_id)
    context = {
        "one": one, "ticket": row, "url": url, "code": qr.svg(url, title=_("Code of number %(label)s") % {"label": row["label"]}),
        "calls": [{**call, "at": call["called_at"].astimezone(zone)} for call in selectors.history_of(ticket_id)],
        "hold_form": HoldForm(), "transfer_form": _transfer_form(one["id"], zone), "rooms": selectors.rooms_at(one["location_id"]),
        "is_here": row["state"] in ("WAITING", "MISSED", "HELD", *IN_FRONT),
    }  # fmt: skip
    return respond(request, "queue/ticket.html", context)


def _transfer_form(session_id: UUID, zone: ZoneInfo, data: Any = None) -> TransferForm:
    choices = [
        (str(other["id"]), f"{other['practitioner']} · {other['starts_at'].astimezone(zone):%H:%M}–{other['ends_at'].astimezone(zone):%H:%M}{' · ' + other['room'] if other['room'] else ''}")
        for other in selectors.others_today(session_id)
    ]  # fmt: skip
    return TransferForm(data, sessions=choices)


@requires("queue.run")
@require_POST
def act(request: HttpRequest, ticket_id: UUID) -> HttpResponse:
    """What buttons do with one number."""
    one, _row = _ticket_or_404(request, ticket_id)
    now, by = timezone.now(), _me(request)
    back = next_url(request, reverse("queue:session", args=[one["id"]]))
    try:
        _do(request, request.POST.get("what", ""), ticket_id, one, now=now, by=by)
    except DomainError as refusal:
        return redirect_to(request, back, message=str(refusal), tone="warning")
    return redirect_to(request, back)


def _do(request: HttpRequest, what: str, ticket_id: UUID, one: dict[str, Any], *, now: datetime, by: UUID) -> None:
    given: dict[str, Any] = {"ticket_id": ticket_id, "now": now, "by": by}
    match what:
        case "recall":
            services.recall(**given)
        case "skip":
            services.skip(**given)
        case "start":
            services.start(**given)
        case "finish":
            services.finish(**given)
        case "resume":
            services.resume(**given)
        case "leave":
            services.leave(**given)
        case "call":
            services.call(**given, room_id=_room_of(request, one, selectors.rooms_at(one["location_id"])))
        case "hold":
            services.hold(**given, held_for=request.POST.get("held_for", ""))
        case "first" | "urgent" | "in_turn":
            services.prioritise(**given, priority={"first": 1, "urgent": 2, "in_turn": 0}[what])
        case "transfer":
            form = _transfer_form(one["id"], clinic_zone(request), request.POST)
            if not form.is_valid():
                raise BadRequest("transfer")
            services.transfer(**given, session_id=UUID(form.cleaned_data["session"]), place=form.cleaned_data["place"])
        case _:
            raise BadRequest("what")
