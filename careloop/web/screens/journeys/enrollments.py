"""Who is on a journey, and one patient's way with every step and reason."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.followups.models import FollowUp
from careloop.journeys import selectors, sentences, services
from careloop.journeys.models import Enrollment
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.messaging.models import Message
from careloop.messaging.reasons import reason_label
from careloop.messaging.words import answer_label
from careloop.web.http import Keyset, clinic_zone, next_url, redirect_to, refuse, respond
from careloop.web.screens.journeys.shared import ENROLLMENT_TONES, base, found

STATES = dict(Enrollment.State.choices)
MESSAGE_STATES = dict(Message.State.choices)
TASK_STATES = dict(FollowUp.State.choices)
OUTCOMES = dict(FollowUp.Outcome.choices)
FILTERS = {
    "": "true", "active": "e.state = 'ACTIVE' and not e.held_out", "answered": "e.answered_at is not null", "goal": "e.goal_at is not null",
    "left": "e.state <> 'ACTIVE'", "held_out": "e.held_out",
}  # fmt: skip


class FilterForm(forms.Form):
    """Which patients of the journey."""

    show = forms.ChoiceField(
        label=gettext_lazy("Show"), required=False,
        choices=[
            ("", gettext_lazy("All")), ("active", gettext_lazy("On the way")), ("answered", gettext_lazy("Answered")),
            ("goal", gettext_lazy("Reached the goal")), ("left", gettext_lazy("Ended")),
            ("held_out", gettext_lazy("Comparison group")),
        ],
    )  # fmt: skip


@requires("journeys.view")
@require_GET
def listed(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """The patients of a journey, latest first."""
    member: Any = request.member  # type: ignore[attr-defined]
    if not member.can("patients.view"):
        return refuse(request, _("Your role does not see patients."), status=403)
    journey = found(journey_id)
    form = FilterForm(request.GET)
    form.is_valid()
    wanted = FILTERS.get(form.cleaned_data.get("show", ""), "true")
    keyset = Keyset(request, order=("-entered_at", "-id"), size=50)
    beyond, values = keyset.where(entered_at="e.entered_at", id="e.id")
    here, params = at_home("p.home_location_id")
    for number, value in enumerate(values):
        params[f"after_{number}"] = value
        beyond = beyond.replace("%s", f"%(after_{number})s", 1)
    rows = sql.rows(
        f"""select {selectors.ENROLLMENT}, v.definition {selectors.ENROLLMENT_FROM}
             where e.journey_id = %(journey)s and {wanted}{here} and {beyond}
             order by {keyset.order_by(entered_at="e.entered_at", id="e.id")} limit %(limit)s""",
        {**params, "journey": journey_id, "limit": keyset.limit},
    )
    page = keyset.cut(rows)
    known = sentences.names()
    audit.record(
        "enrollments.listed", patients=[row["patient_id"] for row in page.rows], target=("journey", journey_id)
    )
    context = base(request, journey, "enrollments") | {
        "page": page, "rows": [shown(row, known) for row in page.rows], "form": form,
        "is_filtered": bool(form.cleaned_data.get("show")),
    }  # fmt: skip
    return respond(request, "journeys/enrollments.html", context)


def shown(row: dict[str, Any], known: sentences.Names | None = None) -> dict[str, Any]:
    """An enrollment as lists and panels show it."""
    now_at = ""
    if row["state"] == "ACTIVE" and not row["held_out"] and known is not None:
        step = next((one for one in row["definition"].get("steps") or [] if one.get("id") == row["step"]), None)
        now_at = sentences.step_sentence(step, known) if step else ""
    return {
        **row, "tone": "info" if row["held_out"] else ENROLLMENT_TONES[row["state"]], "now_at": now_at,
        "state_label": _("comparison group") if row["held_out"] else STATES[row["state"]],
        "exit_label": sentences.EXITS.get(row["exit_reason"], row["exit_reason"]),
        "answer_label": sentences.OTHER_WORDS if row["answer"] == "TEXT" else answer_label(row["answer"]) if row["answer"] else "",
        "url": reverse("journeys:enrollment", args=[row["id"]]), "patient_url": reverse("patients:page", args=[row["patient_id"]]),
        "because": sentences.entered_because(row["entered_because"]),
    }  # fmt: skip


def _load(request: HttpRequest, enrollment_id: UUID) -> dict[str, Any]:
    member: Any = request.member  # type: ignore[attr-defined]
    here, limit = at_home("p.home_location_id")
    row = sql.row(
        f"select {selectors.ENROLLMENT}, v.definition {selectors.ENROLLMENT_FROM} where e.id = %(id)s{here}",
        {"id": enrollment_id, **limit},
    )
    if row is None or not member.can("patients.view"):
        raise Http404
    return row


@requires("journeys.view")
@require_GET
def page(request: HttpRequest, enrollment_id: UUID) -> HttpResponse:
    """One patient on one journey: every step, when, and why."""
    member: Any = request.member  # type: ignore[attr-defined]
    row = _load(request, enrollment_id)
    known, zone = sentences.names(), clinic_zone(request)
    steps = {str(step.get("id")): step for step in row["definition"].get("steps") or []}
    entries = [_entry(one, steps, known, zone) for one in selectors.history(enrollment_id)]
    audit.record("enrollment.viewed", patients=[row["patient_id"]], target=("enrollment", enrollment_id))
    one = shown(row, known)
    context = {
        "one": one, "entries": entries, "entered_at": row["entered_at"].astimezone(zone), "may_edit": member.can("journeys.edit"),
        "due_at": row["due_at"].astimezone(zone) if row["due_at"] else None, "journey": found(row["journey_id"]),
        "is_active": row["state"] == "ACTIVE",
    }  # fmt: skip
    context["is_demo"] = base(request, context["journey"], "enrollments")["is_demo"]  # type: ignore[arg-type]
    return respond(request, "journeys/enrollment.html", context)


def _entry(one: dict[str, Any], steps: dict[str, Any], known: sentences.Names, zone: Any) -> dict[str, Any]:
    step = steps.get(one["step"])
    state = ""
    if one["message_state"]:
        state = str(MESSAGE_STATES.get(one["message_state"], one["message_state"]))
        if one["message_reason"]:
            state += " · " + str(reason_label(one["message_reason"]))
    elif one["task_state"]:
        state = str(
            OUTCOMES.get(one["task_outcome"], "") if one["task_state"] == "DONE" else TASK_STATES[one["task_state"]]
        )
    tones = {"not_sent": "warning", "answered": "success", "left": "neutral", "skipped": "warning"}
    return {
        "icon": "door-exit" if one["what"] == "left" else sentences.ICONS.get(str(step.get("kind")) if step else "", "circle-dot"),
        "tone": tones.get(one["what"], "accent"), "title": sentences.WHAT.get(one["what"], one["what"]),
        "reason": sentences.reason_of(one["what"], one["reason"]), "sentence": sentences.step_sentence(step, known) if step else "",
        "at": one["at"].astimezone(zone), "state": state,
        "task_url": reverse("followups:page", args=[one["follow_up_id"]]) if one["follow_up_id"] and one["task_state"] else "",
    }  # fmt: skip


class ReasonForm(forms.Form):
    """Why a patient is taken out."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=200, required=False)


@requires("journeys.edit")
def remove(request: HttpRequest, enrollment_id: UUID) -> HttpResponse:
    """Take one patient out, after saying what that means."""
    member: Any = request.member  # type: ignore[attr-defined]
    row = _load(request, enrollment_id)
    back = reverse("journeys:enrollment", args=[enrollment_id])
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.remove_patient(
            enrollment_id=enrollment_id, reason=form.cleaned_data["reason"], now=timezone.now(), by=member.user_id
        )
        return redirect_to(
            request, next_url(request, back), message=_("Taken out. Messages that had not left were cancelled.")
        )
    context = {
        "journey": found(row["journey_id"]), "back": back, "action": request.path, "hidden": [], "form": form, "tone": "danger",
        "title": _("Take %(name)s out of this journey?") % {"name": row["patient_name"]}, "label": _("Take out"),
        "text": _("The path ends here for this patient, and messages that have not left are cancelled."),
    }  # fmt: skip
    return respond(request, "journeys/confirm.html", context, fragment="journeys/_confirm.html")


@requires("journeys.edit")
@require_POST
def skip(request: HttpRequest, enrollment_id: UUID) -> HttpResponse:
    """Let this patient's wait be over now; in a demo clinic only."""
    member: Any = request.member  # type: ignore[attr-defined]
    _load(request, enrollment_id)
    back = reverse("journeys:enrollment", args=[enrollment_id])
    try:
        services.skip_ahead(enrollment_id=enrollment_id, now=timezone.now(), by=member.user_id)
    except DomainError as refusal:
        return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(request, back, message=_("The wait is over; the next step follows in a moment."))
