"""One segment: its members, why somebody is in or not, how it grew, who uses it."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import current_location_ids
from careloop.audit import services as audit
from careloop.facts.models import Stage
from careloop.facts.rules import Reach
from careloop.facts.services import clinic_day
from careloop.kernel import sql
from careloop.kernel.dates import age_in_years
from careloop.kernel.errors import DomainError
from careloop.patients import selectors as patients
from careloop.patients.models import Patient
from careloop.segments import language, selectors, services
from careloop.segments.errors import RuleRefused
from careloop.segments.models import Segment
from careloop.segments.usage import uses_of
from careloop.web.http import Keyset, redirect_to, refuse, respond
from careloop.web.screens.segments.access import may_see_members, may_see_values
from careloop.web.screens.segments.library import language_tree

PAGE = 50


@requires("segments.view")
@require_GET
def page(request: HttpRequest, segment_id: UUID) -> HttpResponse:
    """A segment with its members, newest first; one note in the audit log for a page of them."""
    segment = get_object_or_404(Segment, id=segment_id)
    sees = may_see_members(request, clinical=segment.reads_clinical)
    context: dict[str, Any] = {
        "segment": segment, "purpose_label": Segment.Purpose(segment.purpose).label, "sees": sees,
        "uses": uses_of(segment_id), "everybody": selectors.living_patients(), "chart": _chart(segment_id),
    }  # fmt: skip
    try:
        context["tree"] = language_tree(language.read(segment.rule, saved=True))
    except RuleRefused as refusal:
        context["broken"] = str(refusal)
    if sees:
        listed = _members(request, segment_id)
        context["page"] = listed
        context["count"] = ngettext("%(count)s patient", "%(count)s patients", segment.size or 0) % {
            "count": f"{segment.size or 0:,}"
        }
        audit.record(
            "segment.members_listed", patients=[one["patient_id"] for one in listed],
            target=("segment", segment_id), details={"version": segment.version},
        )  # fmt: skip
    return respond(request, "segments/page.html", context, fragment="segments/_members.html")


def _members(request: HttpRequest, segment_id: UUID) -> Any:
    keyset = Keyset(request, order=("-entered_at", "-patient_id"), size=PAGE)
    condition, params = keyset.where(entered_at="m.entered_at", patient_id="m.patient_id")
    order = keyset.order_by(entered_at="m.entered_at", patient_id="m.patient_id")
    today = clinic_day(timezone.now())
    limit, here = current_location_ids(), ""
    if limit is not None:
        here = """ and exists (select 1 from facts_patient as h
                   where h.patient_id = m.patient_id and h.home_location_id = any(%s))"""
        params = [limit, *params]
    rows = sql.rows(
        f"""
        with few as (
            select m.entered_at, m.patient_id from segments_member as m
             where m.segment_id = %s{here} and {condition} order by {order} limit %s
        )
        select m.entered_at, m.patient_id, p.name, p.chart_number, p.birth_date, p.sex, f.last_visit_on, f.stage, f.reach
          from few as m join patients_patient as p on p.id = m.patient_id
          join facts_patient as f on f.patient_id = m.patient_id
         order by {order}
        """,
        [segment_id, *params, keyset.limit],
    )
    for row in rows:
        born = row["birth_date"]
        row["age"] = age_in_years(born, on=today) if born and born <= today else None
        row["stage_label"] = Stage(row["stage"]).label
        row["sex_label"] = Patient.Sex(row["sex"]).label
        row["by_line"] = bool(row["reach"] & Reach.LINE_ARRIVES)
        row["by_sms"] = bool(row["reach"] & Reach.SMS_ARRIVES)
        row["by_email"] = bool(row["reach"] & Reach.EMAIL_ARRIVES)
        row["url"] = _patient_url(row["patient_id"])
    return keyset.cut(rows)


def _patient_url(patient_id: UUID) -> str:
    try:
        return reverse("patients:page", args=[patient_id])
    except NoReverseMatch:
        return ""


def _chart(segment_id: UUID) -> dict[str, Any] | None:
    days = selectors.sizes(segment_id)
    if len(days) < 2:
        return None
    return {
        "data": {
            "kind": "line", "unit": _("patients"), "x": [day.isoformat() for day, _size in days], "time": True,
            "series": [{"name": _("members"), "values": [size for _day, size in days]}],
        },
        "columns": [{"key": "day", "label": _("Day")}, {"key": "size", "label": _("Members"), "number": True}],
        "rows": [{"day": day.isoformat(), "size": f"{size:,}"} for day, size in reversed(days)],
    }  # fmt: skip


@requires("segments.view")
@require_GET
def why(request: HttpRequest, segment_id: UUID, patient_id: UUID) -> HttpResponse:
    """Why this patient is in the segment or not, condition by condition."""
    segment = get_object_or_404(Segment, id=segment_id)
    if not may_see_members(request, clinical=segment.reads_clinical):
        raise PermissionDenied("segment members")
    patient = get_object_or_404(Patient, id=patient_id)
    node = language.read(segment.rule, saved=True)
    explanation = selectors.explain(
        node, patient_id, now=timezone.now(), needs_written_consent=segment.needs_written_consent
    )
    audit.record("segment.explained", patients=[patient_id], target=("segment", segment_id))
    context = {
        "segment": segment, "patient": patient, "why": explanation, "patient_url": _patient_url(patient_id),
        "shows_values": may_see_values(request, clinical=segment.reads_clinical),
    }  # fmt: skip
    return respond(request, "segments/why.html", context, fragment="segments/_why.html")


@requires("segments.view")
@require_GET
def why_search(request: HttpRequest, segment_id: UUID) -> HttpResponse:
    """Find a patient to ask about: also one who is not in the segment."""
    segment = get_object_or_404(Segment, id=segment_id)
    if not may_see_members(request, clinical=segment.reads_clinical):
        raise PermissionDenied("segment members")
    text = request.GET.get("q", "").replace("\0", "")[:100]
    found = patients.search(text, today=clinic_day(timezone.now()), limit=10) if text.strip() else []
    if found:
        audit.record("patients.searched", patients=[one.id for one in found], target=("segment", segment_id))
    context = {"segment": segment, "q": text, "found": found}
    return respond(request, "segments/why_search.html", context)


@requires("segments.edit")
@require_POST
def refresh(request: HttpRequest, segment_id: UUID) -> HttpResponse:
    """Work the members out anew, now."""
    get_object_or_404(Segment, id=segment_id, archived_at=None)
    change = services.refresh_segment(segment_id, now=timezone.now())
    message = _("Refreshed: %(entered)d entered, %(left)d left.") % {"entered": change.entered, "left": change.left}
    return redirect_to(request, reverse("segments:page", args=[segment_id]), message=message)


@requires("segments.edit")
@require_http_methods(["GET", "POST"])
def archive(request: HttpRequest, segment_id: UUID) -> HttpResponse:
    """Put a segment away, after saying what that means."""
    segment = get_object_or_404(Segment, id=segment_id, archived_at=None)
    if request.method == "POST":
        try:
            services.archive_segment(segment_id=segment_id, by=request.user, now=timezone.now())
        except DomainError as refusal:
            return refuse(request, str(refusal))
        return redirect_to(request, reverse("segments:list"), message=_("The segment is archived."))
    facts = [
        {"label": _("Members now"), "value": f"{segment.size or 0:,}"},
        {
            "label": pgettext("segment", "Used by"),
            "value": ", ".join(use.label for use in uses_of(segment_id)) or _("nothing"),
        },
    ]
    return respond(
        request, "segments/archive.html", {"segment": segment, "facts": facts}, fragment="segments/_archive.html"
    )


@requires("segments.edit")
@require_POST
def restore(request: HttpRequest, segment_id: UUID) -> HttpResponse:
    """Take an archived segment out again."""
    get_object_or_404(Segment, id=segment_id)
    try:
        services.restore_segment(segment_id=segment_id, by=request.user, now=timezone.now())
    except DomainError as refusal:
        return refuse(request, str(refusal))
    return redirect_to(request, reverse("segments:page", args=[segment_id]), message=_("The segment is back."))
