"""The audit log: read it, filter it, download it, check that it is whole. Reading it is itself recorded."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.audit import selectors
from careloop.audit.actions import label_of
from careloop.audit.services import record
from careloop.audit.verify import verify_chain
from careloop.kernel import sql
from careloop.patients import selectors as patients
from careloop.web.http import Keyset, csv_download, redirect_to, respond
from careloop.web.screens.audit.forms import KINDS, FilterForm

PAGE = 50
MOST_EXPORTED = 100_000
NAMES_SHOWN = 3


@requires("audit.view")
@require_GET
def entries(request: HttpRequest) -> HttpResponse:
    """A page of the log, newest first."""
    form, patient_id, choices = _asked(request)
    wanted = form.wanted(patient_id=patient_id, zone=_zone())
    keyset = Keyset(request, order=("-number",), size=PAGE)
    where, params = keyset.where(number="e.number")
    nothing = bool(choices is not None and patient_id is None)
    found = [] if nothing else selectors.entries(
        wanted, where=where, params=params, order=keyset.order_by(number="e.number"), limit=keyset.limit
    )  # fmt: skip
    page = keyset.cut(found)
    shown = _shown(request, page.rows)
    used = sorted(name for name, value in request.GET.items() if value and name != "after")
    record(
        "audit.viewed", patients=[patient_id] if patient_id else [], details={"filters": used, "entries": len(shown)}
    )
    context = {
        "form": form, "page": page, "entries": shown, "head": selectors.head(), "choices": choices, "export_query": request.GET.urlencode(),
        "may_see_patients": _may_see_patients(request), "is_filtered": bool(used),
    }  # fmt: skip
    return respond(request, "audit/list.html", context)


@requires("audit.view")
@require_GET
def export(request: HttpRequest) -> HttpResponseBase:
    """The filtered log as a file; what leaves is recorded with how much it was."""
    form, patient_id, _choices = _asked(request)
    wanted = form.wanted(patient_id=patient_id, zone=_zone())
    found = selectors.entries(wanted, limit=MOST_EXPORTED, whose=selectors.EVERYBODY)
    here = ZoneInfo(_zone())
    record("audit.exported", patients=[patient_id] if patient_id else [], details={"entries": len(found)})
    header = ["number", "time", "who", "kind", "address", "action", "what", "patients", "target", "reason"]
    rows = (
        [
            one["number"], one["recorded_at"].astimezone(here).isoformat(timespec="seconds"), one["actor_name"], one["actor_kind"],
            one["address"], one["action"], str(label_of(one["action"])), " ".join(map(str, one["patients"])),
            f"{one['target_kind']} {one['target_id']}".strip(), one["reason"],
        ]
        for one in found
    )  # fmt: skip
    return csv_download(f"audit-{timezone.localdate():%Y%m%d}.csv", header, rows)


@requires("audit.view")
@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Recompute the whole chain and say whether it is whole."""
    report = verify_chain(request.member.organization_id)  # type: ignore[attr-defined]
    record("audit.verified", details={"whole": report["whole"], "entries": report["entries"]})
    if report["whole"]:
        sentence = ngettext(
            "The chain is whole: %(count)s entry, none changed, missing or moved.",
            "The chain is whole: %(count)s entries, none changed, missing or moved.", report["entries"],
        ) % {"count": f"{report['entries']:,}"}  # fmt: skip
        return redirect_to(request, reverse("audit:list"), message=sentence)
    return respond(request, "audit/broken.html", {"report": report}, status=200)


def _asked(request: HttpRequest) -> tuple[FilterForm, UUID | None, list[Any] | None]:
    """Return the filters, the patient they mean, and the patients they could mean when it is not clear (None: no patient asked for)."""
    may = _may_see_patients(request)
    form = FilterForm(request.GET, may_see_patients=may)
    text = request.GET.get("patient", "").replace("\0", "").strip()
    if not may or not text:
        return form, None, None
    try:
        known = UUID(text)
    except ValueError:
        known = None
    if known is not None:
        return form, known, None
    found = patients.search(text, today=timezone.localdate(), limit=10)
    record("patients.searched", patients=[one.id for one in found], details={"found": len(found)})
    if len(found) == 1:
        return form, found[0].id, None
    return form, None, found


def _may_see_patients(request: HttpRequest) -> bool:
    return bool(request.member.can("patients.view"))  # type: ignore[attr-defined]


def _zone() -> str:
    zone: str = sql.value("select time_zone from tenancy_organization")
    return zone


def _shown(request: HttpRequest, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = list(rows)
    names: dict[UUID, str] = {}
    if _may_see_patients(request):
        names = patients.names_of({one for row in rows for one in row["patients"][:NAMES_SHOWN]})
    kinds = dict(KINDS)
    staff = {str(one["id"]): one["name"] for one in selectors.actors()}
    here = ZoneInfo(_zone())
    return [
        {
            "number": row["number"], "at": row["recorded_at"].astimezone(here), "who": row["actor_name"] or kinds.get(row["actor_kind"], row["actor_kind"]),
            "kind": kinds.get(row["actor_kind"], row["actor_kind"]) if row["actor_kind"] != "staff" else "",
            "what": label_of(row["action"]), "action": row["action"], "address": row["address"], "reason": row["reason"],
            "people": [{"name": names[one], "url": _patient_url(one)} for one in row["patients"][:NAMES_SHOWN] if one in names],
            "more": row["patient_count"] - len([one for one in row["patients"][:NAMES_SHOWN] if one in names]),
            "about": staff.get(row["target_id"], "") if row["target_kind"] == "user" else row["details"].get("email", ""),
            "details": [{"label": name, "value": _plain(value)} for name, value in sorted(row["details"].items()) if name != "email"],
            "via": row["via"],
        }
        for row in rows
    ]  # fmt: skip


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(one)}" for name, one in value.items())
    return str(value)


def _patient_url(patient_id: UUID) -> str:
    try:
        return reverse("patients:page", args=[patient_id])
    except NoReverseMatch:
        return ""
