"""The builder: rows and groups by plain POST, with a live count where there is JavaScript."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.segments import fields, language, selectors, services
from careloop.segments.errors import ClinicalMarketing, RuleRefused
from careloop.segments.models import Segment
from careloop.tenancy.models import Organization
from careloop.web.http import is_htmx, redirect_to, respond
from careloop.web.screens.segments import draft
from careloop.web.screens.segments.access import may_see_members

__all__ = ["edit", "new", "preview"]


def _currency() -> str:
    return Organization.objects.get().currency


@requires("segments.edit")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Build a segment from nothing."""
    if request.method == "POST":
        return _work(request, None)
    start = draft.numbered(draft.Group("all", [draft.Condition("last_visit", "more_than_days_ago")]))
    return _show(request, None, start, {"purpose": Segment.Purpose.CARE, "needs_written_consent": False})


@requires("segments.edit")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, segment_id: UUID) -> HttpResponse:
    """Change a segment's rule, name or purpose."""
    segment = get_object_or_404(Segment, id=segment_id, archived_at=None)
    if request.method == "POST":
        return _work(request, segment)
    given = {
        "name": segment.name, "description": segment.description, "purpose": segment.purpose,
        "needs_written_consent": segment.needs_written_consent, "version": segment.version,
    }  # fmt: skip
    return _show(request, segment, draft.from_rule(segment.rule, currency=_currency()), given)


def _work(request: HttpRequest, segment: Segment | None) -> HttpResponse:
    root = draft.from_post(request.POST, currency=_currency())
    action = request.POST.get("do", "")
    given = _given(request)
    if action != "save":
        root = draft.change(root, action)
        response = _show(request, segment, root, given, status=200)
        response["HX-Trigger-After-Settle"] = "segment-rule-changed"
        return response
    rule, places = draft.rule_of(root)
    common: dict[str, Any] = {
        "name": given["name"], "description": given["description"], "rule": rule, "purpose": given["purpose"],
        "needs_written_consent": given["needs_written_consent"], "by": request.user, "now": timezone.now(),
    }  # fmt: skip
    try:
        if segment is None:
            saved = services.create_segment(**common)
        else:
            saved = services.change_segment(segment_id=segment.id, version=given["version"], **common)
    except RuleRefused as refusal:
        elsewhere = draft.show_problems(root, places, refusal)
        return _show(request, segment, root, given, refusal=str(refusal), elsewhere=elsewhere, status=422)
    except ClinicalMarketing as refusal:
        return _show(request, segment, root, given, law=refusal, status=422)
    except DomainError as refusal:
        return _show(request, segment, root, given, refusal=str(refusal), status=422)
    message = _("Saved. %(size)d patients are in it now.") % {"size": saved.size or 0}
    return redirect_to(request, reverse("segments:page", args=[saved.id]), message=message)


def _given(request: HttpRequest) -> dict[str, Any]:
    purpose = request.POST.get("purpose", "")
    version = request.POST.get("version", "")
    return {
        "name": request.POST.get("name", "")[:200], "description": request.POST.get("description", "")[:400],
        "purpose": purpose if purpose in Segment.Purpose.values else Segment.Purpose.CARE.value,
        "needs_written_consent": request.POST.get("needs_written_consent") == "on",
        "version": int(version) if version.isdecimal() and len(version) < 9 else 0,
    }  # fmt: skip


def _show(
    request: HttpRequest, segment: Segment | None, root: draft.Group, given: dict[str, Any], *,
    refusal: str = "", law: Any = None, elsewhere: list[str] | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    context = {
        "segment": segment, "root": root, "given": given, "groups": fields.groups(), "refusal": refusal, "law": law,
        "elsewhere": elsewhere or [], "purposes": Segment.Purpose.choices, "joins": _joins(),
    }  # fmt: skip
    if not is_htmx(request):
        context["found"] = _found(request, root, given)
    return respond(request, "segments/build.html", context, fragment="segments/_rule.html", status=status)


def _joins() -> list[tuple[str, str]]:
    return [
        ("all", _("all of these are true")), ("any", _("at least one is true")), ("none", _("none of these is true")),
    ]  # fmt: skip


@requires("segments.edit")
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The number and a sample for what stands in the form now."""
    root = draft.from_post(request.POST, currency=_currency())
    context = {"found": _found(request, root, _given(request))}
    return respond(request, "segments/preview.html", context, fragment="segments/_preview.html")


def _found(request: HttpRequest, root: draft.Group, given: dict[str, Any]) -> dict[str, Any]:
    """Who fits: the number, who is left out and why, whom we reach, and some of them by name."""
    now = timezone.now()
    rule, _places = draft.rule_of(root)
    try:
        node = language.read(rule)
    except RuleRefused as refusal:
        return {"incomplete": len(refusal.problems)}
    limited = given["needs_written_consent"]
    try:
        clinical = services.check_purpose(node, purpose=given["purpose"], needs_written_consent=limited, now=now)
    except ClinicalMarketing as law:
        return {"law": law}
    limited = limited and bool(clinical) and given["purpose"] == Segment.Purpose.MARKETING
    count = selectors.preview(node, now=now, purpose=given["purpose"], needs_written_consent=limited)
    found: dict[str, Any] = {
        "count": count, "purpose": given["purpose"], "clinical": bool(clinical), "words": selectors.in_words(node),
        "everybody": selectors.living_patients(), "hidden": not may_see_members(request, clinical=bool(clinical)),
    }  # fmt: skip
    if count.size and not found["hidden"]:
        found["sample"] = selectors.sample(node, now=now, needs_written_consent=limited)
        audit.record(
            "segment.sampled", patients=[one["patient_id"] for one in found["sample"]],
            details={"purpose": given["purpose"], "size": count.size},
        )  # fmt: skip
    return found
