"""Start from the day: what must be done now, each number a link to its list."""

from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from careloop.accounts.access import members_only, requires
from careloop.accounts.scope import at_home, location_ids
from careloop.audit import services as audit
from careloop.followups import selectors as followups
from careloop.followups.selectors import Filters
from careloop.insights import selectors
from careloop.insights.selectors import Today
from careloop.integrations.imports.models import ImportBatch
from careloop.kernel import sql
from careloop.web.http import clinic_zone, respond
from careloop.web.screens.followups.views import shown
from careloop.web.screens.today import blocks

LISTED = 8
TITLES = {
    "birthdays": gettext_lazy("Birthdays today"),
    "refills": gettext_lazy("Next fill can be fetched"),
    "new": gettext_lazy("New patients in the last seven days"),
}
DATES = {"birthdays": "birth_date", "refills": "supply_ends_on", "new": "registered_on"}
DATE_LABELS = {
    "birthdays": gettext_lazy("Birth date"),
    "refills": gettext_lazy("Supply ends on"),
    "new": gettext_lazy("Registered on"),
}


@members_only
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What must I do now: urgent things first, then what waits, then what is good to know. Each role sees its own."""
    member: Any = request.member  # type: ignore[attr-defined]
    now, zone = timezone.now(), clinic_zone(request)
    local = now.astimezone(zone)
    tonight = datetime.combine(local.date(), time.max, zone)
    limit = location_ids(member)
    numbers = selectors.today(now=now, tonight=tonight, day=local.date(), me=member.user_id, locations=limit)
    tasks = _tasks(member, now, tonight, zone) if member.can("followups.view") else []
    answers = selectors.unread(locations=limit, limit=LISTED) if member.can("messages.view") else []
    seen = [row["patient_id"] for row in tasks] + [row["patient_id"] for row in answers]
    if seen:
        audit.record("today.viewed", patients=seen)
    context = {
        "numbers": numbers, "stats": _stats(member, numbers), "tasks": tasks, "answers": answers, "day": local,
        "greeting": _greeting(local.hour, member.user.name), "more_tasks": max(0, numbers.follow_ups.due - len(tasks)),
        "first_steps": _first_steps(member), "blocks": blocks.drawn(request),
    }  # fmt: skip
    return respond(request, "today/home.html", context)


def _greeting(hour: int, name: str) -> str:
    if hour < 12:
        return _("Good morning, %(name)s") % {"name": name}
    if hour < 18:
        return _("Good afternoon, %(name)s") % {"name": name}
    return _("Good evening, %(name)s") % {"name": name}


def _tasks(member: Any, now: datetime, tonight: datetime, zone: Any) -> list[dict[str, Any]]:
    """The most pressing follow-ups: one's own and those of nobody."""
    where, params = followups.worklist_sql(Filters(), now=now, tonight=tonight)
    here, limit = at_home("p.home_location_id")
    rows = sql.rows(
        f"select {followups.COLUMNS} {followups.FROM} where {where}{here} and (f.owner_id is null or f.owner_id = %(me)s) "
        f"order by f.priority, {followups.COMES_UP}, f.id limit %(few)s",
        {**params, **limit, "me": member.user_id, "few": LISTED},
    )
    return [shown(row, now, zone) for row in rows]


def _url(name: str, *args: Any, **query: Any) -> str:
    """An address, or nothing when that part is not installed."""
    try:
        url = reverse(name, args=args)
    except NoReverseMatch:
        return ""
    return f"{url}?{urlencode(query)}" if query else url


def _stats(member: Any, numbers: Today) -> list[dict[str, Any]]:
    """The numbers of the day, those first that somebody must act on; only what the role may see."""
    found: list[dict[str, Any]] = []

    def add(permission: str, label: str, value: int, href: str, icon: str, *, tone: str = "", hint: str = "") -> None:
        if member.can(permission):
            found.append(
                {
                    "label": label,
                    "value": value,
                    "href": href,
                    "icon": icon,
                    "tone": tone if value else "",
                    "hint": hint,
                }
            )

    counts = numbers.follow_ups
    add(
        "followups.view",
        _("Urgent"),
        numbers.urgent,
        _url("followups:list", priority=1),
        "alert-octagon",
        tone="danger",
    )
    add(
        "followups.view", _("Follow-ups due"), counts.due, _url("followups:list"), "checklist",
        hint=_("%(mine)d mine, %(nobody)d nobody’s") % {"mine": counts.mine, "nobody": counts.unassigned} if counts.due else "",
    )  # fmt: skip
    add(
        "followups.view",
        _("Overdue"),
        counts.overdue,
        _url("followups:list", when="overdue"),
        "alert-triangle",
        tone="warning",
    )
    add(
        "messages.view",
        _("Unread answers"),
        numbers.unanswered,
        _url("messaging:answers"),
        "message-circle",
        tone="warning",
    )
    add(
        "messages.view",
        _("Failed messages"),
        numbers.failed,
        _url("messaging:list", state="failed", days=7),
        "mail-off",
        tone="danger",
    )
    if numbers.unknown:
        add(
            "messages.view",
            _("Perhaps arrived"),
            numbers.unknown,
            _url("messaging:list", state="unknown"),
            "zoom-question",
            tone="warning",
        )
    add("patients.view", str(TITLES["refills"]), numbers.refills, _url("today:patients", "refills"), "pill")
    add("patients.view", str(TITLES["birthdays"]), numbers.birthdays, _url("today:patients", "birthdays"), "cake")
    add("patients.view", _("New patients, 7 days"), numbers.new_patients, _url("today:patients", "new"), "user-plus")
    add("journeys.view", _("Entered a journey today"), numbers.entered_journeys, _url("journeys:list"), "route")
    if member.can("imports.run"):
        refused = _refusals()
        if refused:
            add(
                "imports.run",
                _("Imports with refused rows"),
                refused,
                _url("imports:list"),
                "file-import",
                tone="warning",
            )
    return found


def _refusals() -> int:
    """Imports of the last month that refused rows which nobody mended."""
    since = timezone.now() - timedelta(days=30)
    return ImportBatch.objects.filter(
        state=ImportBatch.State.DONE, dry_run=False, refused__gt=0, created_at__gte=since
    ).count()


def _first_steps(member: Any) -> list[dict[str, str]]:
    """What a new clinic does first; nothing once there are patients."""
    if not member.can("patients.view") or sql.value("select 1 from patients_patient limit 1"):
        return []
    steps = [
        ("imports.run", _("Bring in the records of your other system"), _url("imports:list")),
        ("patients.edit", _("Register the first patient"), _url("patients:new")),
        ("journeys.edit", _("Look at the ready care journeys"), _url("journeys:library")),
    ]
    return [{"label": label, "url": url} for permission, label, url in steps if member.can(permission) and url]


@requires("patients.view")
@require_GET
def patients(request: HttpRequest, what: str) -> HttpResponse:
    """The patients behind one of the day's numbers."""
    if what not in TITLES:
        raise Http404
    day = timezone.now().astimezone(clinic_zone(request)).date()
    rows = selectors.patients_of(what, day=day, locations=location_ids(request.member))  # type: ignore[attr-defined]
    audit.record("patients.listed", patients=[row["id"] for row in rows], details={"what": what})
    for row in rows:
        row["date"] = row[DATES[what]]
    context = {"rows": rows, "title": TITLES[what], "date_label": DATE_LABELS[what]}
    return respond(request, "today/patients.html", context)
