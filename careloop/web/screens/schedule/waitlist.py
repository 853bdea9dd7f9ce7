"""The waitlist: who waits for what, in which order; one wish with every offer; offering a place by hand, and answers by telephone."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.scheduling import availability, rules, selectors, waiting, wishes
from careloop.scheduling import waitlist as services
from careloop.scheduling.availability import Free
from careloop.scheduling.models import WaitlistEntry, WaitlistOffer
from careloop.scheduling.places import Place
from careloop.web.http import Keyset, clinic_zone, next_url, redirect_to, respond
from careloop.web.screens.schedule.booking import by_day
from careloop.web.screens.schedule.common import (
    PARTS,
    SOURCES,
    WEEKDAYS_ABBR,
    address,
    day_words,
    locations_of,
    read_place,
    seen_patients,
    shown_name,
    tabs,
    uuid_of,
    when_words,
)

ENTRY_STATES = dict(WaitlistEntry.State.choices)
OFFER_STATES = dict(WaitlistOffer.State.choices)
REASONS = dict(wishes.Reason.choices)
PRIORITIES = {1: gettext_lazy("urgent"), 2: pgettext_lazy("waitlist", "normal"), 3: gettext_lazy("can wait")}
ENTRY_TONES = {"WAITING": "neutral", "OFFERED": "info", "BOOKED": "success", "LEFT": "neutral", "EXPIRED": "warning"}
OFFER_TONES = {
    "OPEN": "info",
    "ACCEPTED": "success",
    "DECLINED": "neutral",
    "EXPIRED": "warning",
    "WITHDRAWN": "neutral",
}
PRIORITY_TONES = {1: "danger", 2: "neutral", 3: "neutral"}
# what became of the message that asked
TOLD = {
    "planned": gettext_lazy("the message has not left yet"), "claimed": gettext_lazy("the message is leaving"),
    "accepted": gettext_lazy("told by message"), "unknown": gettext_lazy("probably told by message"),
    "blocked": gettext_lazy("no message could be sent: please call"), "failed": gettext_lazy("no message could be sent: please call"),
    "cancelled": gettext_lazy("the offer was over before the message left"),
}  # fmt: skip


class FilterForm(forms.Form):
    """Which wishes are shown; all of it stays in the address."""

    state = forms.ChoiceField(label=gettext_lazy("State"), required=False)
    service = forms.ChoiceField(label=gettext_lazy("Service"), required=False)
    practitioner = forms.ChoiceField(label=gettext_lazy("Practitioner"), required=False)
    location = forms.ChoiceField(label=gettext_lazy("Clinic"), required=False)

    def __init__(self, *args: Any, known: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        states = [("", _("On the list")), *((one, ENTRY_STATES[one]) for one in ENTRY_TONES)]
        self.fields["state"].choices = states  # type: ignore[attr-defined]
        for name, plural in (("service", "services"), ("practitioner", "practitioners"), ("location", "locations")):
            self.fields[name].choices = [("", _("All")), *((one["id"], one["name"]) for one in known[plural])]  # type: ignore[attr-defined]
        if len(known["locations"]) < 2:
            del self.fields["location"]


class PriorityForm(forms.Form):
    """Another turn, and why."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    priority = forms.TypedChoiceField(
        label=gettext_lazy("Turn"), coerce=int, choices=list(PRIORITIES.items()), widget=forms.RadioSelect
    )
    reason = forms.ChoiceField(
        label=pgettext_lazy("schedule", "Why"), choices=wishes.Reason.choices, widget=forms.RadioSelect,
        help_text=gettext_lazy("It stays in the wish’s history."),
    )  # fmt: skip


def wish_words(row: Any) -> str:
    """With whom, where and when somebody would come, in a few words."""
    parts = [row["practitioner"] or _("anybody"), row["location"] or ""]
    if row["weekdays"]:
        parts.append(" ".join(str(WEEKDAYS_ABBR[day - 1]) for day in sorted(row["weekdays"])))
    if row["parts"]:
        parts.append(" ".join(str(PARTS[part]) for part in PARTS if part in row["parts"]))
    return " · ".join(part for part in parts if part)


def _stamp(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""


def _shown(row: Any, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "id": row["id"], "name": shown_name(row), "is_visible": row["is_visible"], "patient_id": row["patient_id"], "service": row["service"],
        "wish": wish_words(row), "state": row["state"], "state_label": ENTRY_STATES[row["state"]], "tone": ENTRY_TONES[row["state"]],
        "priority": row["priority"], "priority_label": PRIORITIES[row["priority"]], "priority_tone": PRIORITY_TONES[row["priority"]],
        "first": day_words(row["first_date"]), "last": day_words(row["last_date"]), "since": _stamp(row["created_at"], zone),
        "instead_of": _stamp(row["instead_of_at"], zone) if row["instead_of_state"] == "booked" else "",
        "note": row["note"] if row["is_visible"] else "", "url": address("wish", row["id"]),
    }  # fmt: skip


@requires("schedule.view")
@require_GET
def waiting_list(request: HttpRequest) -> HttpResponse:
    """Who waits, in the order in which freed places are offered."""
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone, limit = timezone.now(), clinic_zone(request), locations_of(request)
    form = FilterForm({name: request.GET.get(name, "") for name in ("state", "service", "practitioner", "location")},
                      known=selectors.choices(limit=limit))  # fmt: skip
    form.is_valid()
    asked = form.cleaned_data
    keyset = Keyset(request, order=("priority", "created_at", "id"), size=50)
    names = {"priority": "w.priority", "created_at": "w.created_at", "id": "w.id"}
    beyond, values = keyset.where(**names)
    given = {f"after_{number}": value for number, value in enumerate(values)}
    for name in given:
        beyond = beyond.replace("%s", f"%({name})s", 1)
    found = waiting.listed(
        now=now, limit=limit, state=asked.get("state", ""), service_id=uuid_of(asked.get("service")),
        practitioner_id=uuid_of(asked.get("practitioner")), location_id=uuid_of(asked.get("location")), beyond=beyond, values=given,
        order=keyset.order_by(**names), most=keyset.limit,
    )  # fmt: skip
    page = keyset.cut(found)
    if page.rows:
        audit.record("waitlist.listed", patients=seen_patients(list(page.rows)))
    rows = [
        {**_shown(one, zone), "offers": one["offers"], "offer_is_open": one["offer_state"] == "OPEN",
         "offer_at": when_words({"starts_at": one["offered_at"]}, zone) if one["offered_at"] else "",
         "answer_by": _stamp(one["answer_by"], zone)[-5:]}
        for one in page.rows
    ]  # fmt: skip
    context = {
        "rows": rows, "page": page, "form": form, "tabs": tabs(member, "waitlist"), "may_book": member.can("schedule.book"),
        "new_url": address("wish_new"), "is_filtered": any(asked.values()),
    }  # fmt: skip
    return respond(request, "schedule/waitlist.html", context)


def load(request: HttpRequest, entry_id: UUID) -> dict[str, Any]:
    """The wish, if the member may see it."""
    found = waiting.wish(entry_id, limit=locations_of(request))
    if found is None:
        raise Http404
    return found


@requires("schedule.view")
@require_GET
def wish(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """One wish: what is waited for, every offer and what became of it."""
    row, zone = load(request, entry_id), clinic_zone(request)
    member: Any = request.member  # type: ignore[attr-defined]
    audit.record("waitlist.viewed", patients=[row["patient_id"]], target=("waitlist_entry", row["id"]))
    shown = _shown(row, zone)
    told = _told([one["appointment_id"] for one in row["offers"]])
    pairs = [
        (_("Service"), shown["service"]), (_("Wish"), shown["wish"]), (_("From"), shown["first"]), (_("Until"), shown["last"]),
        (_("Gives up for it"), shown["instead_of"]), (_("Waits since"), shown["since"]), (_("Asked for"), SOURCES.get(row["source"], "")),
        (_("Note"), shown["note"]),
    ]  # fmt: skip
    is_waiting, may_book = row["state"] == "WAITING", member.can("schedule.book")
    context = {
        "one": shown, "pairs": [{"label": label, "value": value, "href": ""} for label, value in pairs if value],
        "offers": [
            {
                "when": when_words(one, zone), "who": one["practitioner"], "where": one["location"], "offered": _stamp(one["offered_at"], zone),
                "answer_by": _stamp(one["answer_by"], zone), "answered": _stamp(one["answered_at"], zone), "label": OFFER_STATES[one["state"]],
                "tone": OFFER_TONES[one["state"]], "is_open": one["state"] == "OPEN", "told": TOLD.get(told.get(one["appointment_id"], ""), ""),
                "id": one["id"],
            }
            for one in row["offers"]
        ],
        "changes": [
            {"at": _stamp(one["at"], zone), "who": one["who"] or "", "label": PRIORITIES.get(one["priority"], ""), "why": REASONS.get(one["reason"] or "", "")}
            for one in row["changes"]
        ],
        "may_change": may_book and is_waiting, "may_leave": may_book and row["state"] in ("WAITING", "OFFERED"), "may_answer": may_book,
        "back_url": address("waitlist"),
    }  # fmt: skip
    return respond(request, "schedule/wish.html", context)


def _told(appointment_ids: list[UUID]) -> dict[UUID, str]:
    """What became of the messages that asked about these places."""
    keys = [f"appointment:{one}:0:offer" for one in appointment_ids]
    found = sql.rows("select appointment_id, state from messaging_message where key = any(%s)", [keys]) if keys else []
    return {row["appointment_id"]: row["state"] for row in found}


@requires("schedule.book")
def priority(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """Put a wish into another turn, with the reason."""
    row = load(request, entry_id)
    form = PriorityForm(
        request.POST or None, initial={"version": row["version"], "priority": row["priority"], "reason": "medical"}
    )
    if request.method == "POST" and form.is_valid():
        try:
            wishes.set_priority(entry_id=entry_id, now=timezone.now(), by=request.member.user_id, **form.cleaned_data)  # type: ignore[attr-defined]
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, address("wish", entry_id), message=_("The turn is changed."))
    return _ask(
        request, row, form, title=_("Change whose turn it is"), label=_("Change the turn"),
        text=_("Freed places are offered to urgent wishes first; among equals to whoever has waited longest."),
    )  # fmt: skip


@requires("schedule.book")
def leave(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """Take a wish off the list; a place that is just offered goes to the next."""
    row = load(request, entry_id)
    if request.method == "POST":
        services.leave(entry_id=entry_id, reason="clinic", now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
        return redirect_to(request, next_url(request, address("waitlist")), message=_("The wish is off the waitlist."))
    text = _("No further place is offered. The history of offers stays.")
    if row["state"] == "OFFERED":
        text += " " + _("The place that is offered just now goes to the next.")
    return _ask(
        request, row, None, title=_("Take off the waitlist?"), label=_("Take off the list"), tone="danger", text=text
    )


def _ask(
    request: HttpRequest, row: Any, form: Any, *, title: str, text: str, label: str, tone: str = "primary"
) -> HttpResponse:
    shown = _shown(row, clinic_zone(request))
    audit.record("waitlist.viewed", patients=[row["patient_id"]], target=("waitlist_entry", row["id"]))
    context = {
        "title": title, "text": text, "label": label, "tone": tone, "form": form or "", "action": request.path, "hidden": [], "warning": "",
        "facts": [{"label": _("Patient"), "value": shown["name"]}, {"label": _("Service"), "value": shown["service"]},
                  {"label": _("Wish"), "value": shown["wish"]}],
        "cancel_url": shown["url"], "back_label": shown["name"], "back_url": shown["url"],
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return respond(request, "schedule/ask.html", context, fragment="schedule/_ask.html", status=status)


# -- offering by hand -------------------------------------------------------------------------------------------------


@requires("schedule.book")
def offer(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """Offer a certain free place out of turn: the patient is asked by message, as always."""
    row = load(request, entry_id)
    now, zone, limit = timezone.now(), clinic_zone(request), locations_of(request)
    problem = ""
    if request.method == "POST":
        session_id, at = read_place(request.POST.get("place", ""))
        if session_id is None or selectors.board(session_id, now=now, limit=limit) is None:
            raise Http404
        try:
            made = services.offer_by_hand(
                entry_id=entry_id,
                place=Place(session_id, starts_at=at),
                now=now,
                by=request.member.user_id,  # type: ignore[attr-defined]
            )
        except DomainError as refusal:
            problem = str(refusal)
        else:
            said = _("The place is offered until %(time)s.") % {"time": _stamp(made.answer_by, zone)}
            return redirect_to(request, address("wish", entry_id), message=said)
    audit.record("waitlist.viewed", patients=[row["patient_id"]], target=("waitlist_entry", row["id"]))
    is_any = bool(request.GET.get("any"))
    places = _fitting(row, now=now, limit=limit, is_any=is_any)
    context = {
        "one": _shown(row, zone), "days": by_day(places, zone, lambda _place: ""), "problem": problem, "is_any": is_any,
        "is_waiting": row["state"] == "WAITING", "any_url": address("wish_offer", entry_id, any=1), "back_url": address("wish", entry_id),
    }  # fmt: skip
    return respond(request, "schedule/wish_offer.html", context, status=409 if problem else 200)


def _fitting(row: Any, *, now: datetime, limit: list[UUID] | None, is_any: bool) -> list[Free]:
    """Free places for the wish, or (`is_any`) all of its service: whether one suits is then asked on the telephone."""
    location_ids = [row["location_id"]] if row["location_id"] and not is_any else limit
    found = availability.search(
        service_id=row["service_id"], now=now, since=rules.first_offered(now), patient_id=row["patient_id"], location_ids=location_ids,
        practitioner_id=None if is_any else row["practitioner_id"], weekdays=() if is_any else row["weekdays"],
        parts=() if is_any else row["parts"], is_first_visit=selectors.is_first_visit(row["patient_id"]), sessions=12, per_session=24,
    )  # fmt: skip
    return found if is_any else [one for one in found if row["first_date"] <= one.on_date <= row["last_date"]]


@requires("schedule.book")
@require_POST
def answer(request: HttpRequest, entry_id: UUID) -> HttpResponse:
    """Note what the patient said on the telephone about the open offer."""
    row = load(request, entry_id)
    offer_id = next((one["id"] for one in row["offers"] if str(one["id"]) == request.POST.get("offer")), None)
    do = {"take": services.accept, "pass": services.decline}.get(request.POST.get("do", ""))
    if offer_id is None or do is None:
        raise Http404
    try:
        do(offer_id=offer_id, now=timezone.now(), by=request.member.user_id)  # type: ignore[attr-defined]
    except DomainError as refusal:
        return redirect_to(request, address("wish", entry_id), message=str(refusal), tone="warning")
    taken = request.POST["do"] == "take"
    said = (
        _("The place is the patient’s; the confirmation follows.")
        if taken
        else _("The place goes to the next; the wish stays.")
    )
    return redirect_to(request, address("wish", entry_id), message=said)
