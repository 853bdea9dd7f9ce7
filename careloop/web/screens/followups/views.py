"""The worklist, one follow-up, and opening a new one."""

from datetime import date, datetime, time
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home, current_location_ids
from careloop.audit import services as audit
from careloop.followups import selectors, services
from careloop.followups.models import FollowUp
from careloop.followups.selectors import Filters
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.patients import selectors as patients
from careloop.web.http import Keyset, clinic_zone, next_url, redirect_to, refuse, respond
from careloop.web.screens.followups.forms import FilterForm, NewForm, OutcomeForm, SnoozeForm, moment_of

KINDS = dict(FollowUp.Kind.choices)
OUTCOMES = dict(FollowUp.Outcome.choices)
STATES = dict(FollowUp.State.choices)
ICONS = {"CALL": "phone", "REPLY": "message", "CHECK": "clipboard-check", "VISIT": "calendar", "OTHER": "checklist"}
TONES = {1: "danger", 2: "neutral", 3: "neutral"}
MOST_ASSIGNED = 500


def end_of_day(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the last moment of the clinic's day: what is due today is due now."""
    return datetime.combine(now.astimezone(zone).date(), time.max, zone)


@requires("followups.view")
@require_GET
def worklist(request: HttpRequest) -> HttpResponse:
    """What is to be done, most pressing first: one statement for the page, one for the numbers."""
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    tonight = end_of_day(now, zone)
    staff, locations = selectors.staff(), selectors.locations()
    form = FilterForm(request.GET, staff=staff, locations=locations)
    filters = _filters(form, member)
    where, params = selectors.worklist_sql(filters, now=now, tonight=tonight)
    here, limit = at_home("p.home_location_id")
    done = filters.when == "done"
    order = ("-closed_at", "-id") if done else ("priority", "comes_up_at", "id")
    keyset = Keyset(request, order=order, size=50)
    names = {"closed_at": "f.closed_at", "id": "f.id", "priority": "f.priority", "comes_up_at": selectors.COMES_UP}
    beyond, values = keyset.where(**{name: names[name] for name in keyset.columns})
    for number, value in enumerate(values):
        params[f"after_{number}"] = value
        beyond = beyond.replace("%s", f"%(after_{number})s", 1)
    rows = sql.rows(
        f"select {selectors.COLUMNS} {selectors.FROM} where {where}{here} and {beyond} "
        f"order by {keyset.order_by(**{name: names[name] for name in keyset.columns})} limit %(limit)s",
        {**params, **limit, "limit": keyset.limit},
    )
    page = keyset.cut(rows)
    counts = selectors.counts(now=now, tonight=tonight, me=member.user_id, locations=current_location_ids())
    audit.record("follow_ups.listed", patients=[row["patient_id"] for row in page.rows], details={"when": filters.when})
    context = {
        "page": page, "rows": [shown(row, now, zone) for row in page.rows], "form": form, "staff": staff, "filters": filters,
        "tabs": _tabs(request, filters, counts), "counts": counts, "done": done, "chips": _chips(request, form),
        "is_filtered": bool(filters.owner or filters.location or filters.kind or filters.priority),
    }  # fmt: skip
    return respond(request, "followups/list.html", context)


def _filters(form: FilterForm, member: Any) -> Filters:
    form.is_valid()
    given = form.cleaned_data
    when = given.get("when", "")
    owner = given.get("owner", "")
    location = given.get("location")
    return Filters(
        when=when if when in selectors.WHEN else "due",
        owner=str(member.user_id) if owner == "me" else owner,
        location=UUID(location) if location else None,
        kind=given.get("kind", ""),
        priority=given.get("priority"),
    )


def _tabs(request: HttpRequest, filters: Filters, counts: selectors.Counts) -> list[dict[str, Any]]:
    labels = {
        "due": (_("Due today"), counts.due), "overdue": (_("Overdue"), counts.overdue), "later": (pgettext("follow-up", "Later"), counts.later),
        "done": (_("Done"), 0),
    }  # fmt: skip
    kept = {
        name: value
        for name, value in request.GET.items()
        if name in ("owner", "location", "kind", "priority") and value
    }
    return [
        {
            "label": label,
            "count": count,
            "url": f"?{urlencode({**kept, 'when': when})}",
            "is_current": filters.when == when,
        }
        for when, (label, count) in labels.items()
    ]


def _chips(request: HttpRequest, form: FilterForm) -> list[dict[str, Any]]:
    chips = []
    for name in ("owner", "location", "kind", "priority"):
        value = form.data.get(name)
        if value and name in form.fields and not form.errors.get(name):
            choices = {str(key): label for key, label in form.fields[name].choices}  # type: ignore[attr-defined]
            kept = {key: one for key, one in request.GET.items() if key not in (name, "after") and one}
            chips.append({"label": choices.get(value, value), "url": f"?{urlencode(kept)}"})
    return chips


def shown(row: dict[str, Any], now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """A follow-up as lists and panels show it."""
    open_ = row["state"] == FollowUp.State.OPEN
    late = open_ and row["comes_up_at"] < now - selectors.OVERDUE_AFTER
    return {
        **row, "kind_label": KINDS.get(row["kind"], row["kind"]), "icon": ICONS.get(row["kind"], "checklist"),
        "tone": TONES.get(row["priority"], "neutral"), "is_urgent": row["priority"] == 1 and open_, "is_late": late,
        "is_open": open_, "outcome_label": OUTCOMES.get(row["outcome"], ""), "state_label": STATES.get(row["state"], ""),
        "at": (row["comes_up_at"] if open_ else row["closed_at"]).astimezone(zone),
        "is_snoozed": open_ and row["snoozed_until"] is not None and row["snoozed_until"] > now,
        "url": reverse("followups:page", args=[row["id"]]), "patient_url": reverse("patients:page", args=[row["patient_id"]]),
        "age": _age(row["birth_date"], now.astimezone(zone).date()),
    }  # fmt: skip


def _age(born: date | None, today: date) -> str:
    if born is None or born > today:
        return ""
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return _("%(age)d years") % {"age": years}


def _load(follow_up_id: UUID) -> dict[str, Any]:
    here, limit = at_home("p.home_location_id")
    row = sql.row(
        f"select {selectors.COLUMNS} {selectors.FROM} where f.id = %(id)s{here}", {"id": follow_up_id, **limit}
    )
    if row is None:
        raise Http404
    return row


@requires("followups.view")
def page(request: HttpRequest, follow_up_id: UUID) -> HttpResponse:
    """One follow-up: script, how to reach the patient, and the outcome in one form."""
    member: Any = request.member  # type: ignore[attr-defined]
    row = _load(follow_up_id)
    form = OutcomeForm(request.POST or None, initial={"version": row["version"]})
    refusal = ""
    if request.method == "POST":
        if not member.can("followups.edit"):
            return refuse(request, _("Your role may see follow-ups but not work on them."), status=403)
        if form.is_valid():
            try:
                return _settle(request, row, form.cleaned_data, member)
            except DomainError as error:
                refusal = str(error)
    return _page(request, row, form, SnoozeForm(initial={"version": row["version"], "until": "tomorrow"}), refusal)


def _settle(request: HttpRequest, row: dict[str, Any], given: dict[str, Any], member: Any) -> HttpResponse:
    now = timezone.now()
    if given["again"]:
        until = moment_of(given["again"], now=now, zone=clinic_zone(request))
        services.snooze(
            follow_up_id=row["id"], until=until, version=given["version"], now=now, by=member.user_id, outcome=given["outcome"],
            note=given["note"],
        )  # fmt: skip
        done = _("Noted. It comes back when it is time to try again.")
    else:
        services.close(
            follow_up_id=row["id"], outcome=given["outcome"], version=given["version"], now=now, by=member.user_id,
            note=given["note"],
        )  # fmt: skip
        done = _("Done. The outcome is on the patient’s timeline.")
    return redirect_to(request, next_url(request, reverse("followups:list")), message=done)


def _page(
    request: HttpRequest, row: dict[str, Any], form: OutcomeForm, snoozing: SnoozeForm, refusal: str
) -> HttpResponse:
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    phones = [
        {"masked": one.masked, "use": one.use, "reveal": reverse("patients:reveal", args=[row["patient_id"], one.id])}
        for one in patients.secrets_of(row["patient_id"]) if one.kind == "phone"
    ]  # fmt: skip
    audit.record("follow_up.viewed", patients=[row["patient_id"]], target=("follow_up", row["id"]))
    context = {
        "one": shown(row, now, zone), "form": form, "snooze_form": snoozing, "phones": phones, "refusal": refusal,
        "may_edit": member.can("followups.edit"), "may_reveal": member.can("patients.reveal"), "next": request.GET.get("next", ""),
        "origin_url": _origin_url(row), "priorities": {1: _("urgent"), 2: pgettext("priority", "normal"), 3: _("low")},
        "others": [
            shown(one, now, zone) for one in selectors.of_patient(row["patient_id"], limit=6) if one["id"] != row["id"]
        ],
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return respond(request, "followups/page.html", context, status=status)


def _origin_url(row: dict[str, Any]) -> str:
    """Where the follow-up comes from, if that has a page."""
    try:
        if row["origin"] == "journey":
            return reverse("journeys:enrollment", args=[UUID(row["origin_id"].split(":")[0])])
        if row["origin"] == "message":
            return reverse("patients:tab", args=[row["patient_id"], "messages"])
    except (NoReverseMatch, ValueError):
        return ""
    return ""


@requires("followups.edit")
@require_POST
def snooze(request: HttpRequest, follow_up_id: UUID) -> HttpResponse:
    """Put one off."""
    member: Any = request.member  # type: ignore[attr-defined]
    row = _load(follow_up_id)
    form = SnoozeForm(request.POST)
    if not form.is_valid():
        return _page(request, row, OutcomeForm(initial={"version": row["version"]}), form, "")
    now = timezone.now()
    until = moment_of(form.cleaned_data["until"], now=now, zone=clinic_zone(request))
    try:
        services.snooze(
            follow_up_id=follow_up_id, until=until, version=form.cleaned_data["version"], now=now, by=member.user_id
        )
    except DomainError as error:
        return _page(request, row, OutcomeForm(initial={"version": row["version"]}), form, str(error))
    return redirect_to(
        request, next_url(request, reverse("followups:list")), message=_("Put off. It comes back by itself.")
    )


@requires("followups.edit")
@require_POST
def assign(request: HttpRequest) -> HttpResponse:
    """Give the ticked follow-ups to somebody."""
    member: Any = request.member  # type: ignore[attr-defined]
    try:
        wanted = [UUID(one) for one in request.POST.getlist("follow_up")][:MOST_ASSIGNED]
        chosen = request.POST.get("to", "")
        owner = member.user_id if chosen == "me" else UUID(chosen) if chosen else None
    except ValueError:
        raise BadRequest("follow_up") from None
    back = next_url(request, reverse("followups:list"))
    if not wanted:
        return redirect_to(request, back, message=_("Tick the follow-ups first."), tone="warning")
    here, limit = at_home("p.home_location_id")
    ids = [
        row["id"]
        for row in sql.rows(f"select f.id {selectors.FROM} where f.id = any(%(ids)s){here}", {"ids": wanted, **limit})
    ]
    try:
        count = services.assign(follow_up_ids=ids, owner_id=owner, now=timezone.now(), by=member.user_id)
    except DomainError as refusal:
        return refuse(request, str(refusal), status=refusal.status)
    words = ngettext("%(count)d follow-up has changed hands.", "%(count)d follow-ups have changed hands.", count)
    return redirect_to(request, back, message=words % {"count": count})


@requires("followups.edit")
def new(request: HttpRequest) -> HttpResponse:
    """Open a follow-up for a patient."""
    member: Any = request.member  # type: ignore[attr-defined]
    try:
        patient_id = UUID(request.POST.get("patient") or request.GET.get("patient") or "")
    except ValueError:
        return redirect_to(
            request, reverse("patients:list"), message=_("Open the patient’s page first; a follow-up belongs to a patient."),
            tone="warning",
        )  # fmt: skip
    here, limit = at_home("p.home_location_id")
    person = sql.row(
        f"select p.id, p.name from patients_patient p where p.id = %(id)s{here}", {"id": patient_id, **limit}
    )
    if person is None:
        raise Http404
    form = NewForm(request.POST or None, staff=selectors.staff())
    if request.method == "POST" and form.is_valid():
        given, now = form.cleaned_data, timezone.now()
        due = now if given["due"] == "now" else moment_of(given["due"], now=now, zone=clinic_zone(request))
        try:
            services.create(
                patient_id=patient_id, title=given["title"], kind=given["kind"], priority=given["priority"], due_at=due,
                script=given["script"], owner_id=UUID(given["owner"]) if given["owner"] else None, now=now, by=member.user_id,
                origin="staff", origin_id=given["key"],
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            back = next_url(request, reverse("patients:page", args=[patient_id]))
            return redirect_to(request, back, message=_("The follow-up is on the worklist."))
    audit.record("patient.viewed", patients=[patient_id], details={"for": "follow_up"})
    context = {"form": form, "person": person, "next": request.GET.get("next", "")}
    status = 422 if request.method == "POST" else 200
    return respond(request, "followups/new.html", context, fragment="followups/_new.html", status=status)
