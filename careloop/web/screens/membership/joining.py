"""Joining at the desk, and leaving."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty.figures import in_groups
from careloop.loyalty.join import members, membership
from careloop.web.addresses import address
from careloop.web.http import redirect_to, respond
from careloop.web.screens.membership.forms import JoinForm, LeaveForm


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Show the terms, note that the patient agrees, give the member number."""
    member: Any = request.member  # type: ignore[attr-defined]
    patient, url = _patient(patient_id), _tab(patient_id)
    programme = membership.may_join(patient_id)
    if programme is None:
        if mine := membership.account_of(patient_id):
            return redirect_to(
                request, url, message=_("Already a member: %(number)s.") % {"number": in_groups(mine["member_number"])}
            )
        return redirect_to(request, url, message=_("No programme is open that this patient could join."), tone="warning")  # fmt: skip
    form = JoinForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            account = membership.join(
                patient_id=patient_id, programme_id=programme.pk, how="DESK", now=timezone.now(), by=member.user_id
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = _("Welcome. The member number is %(number)s.") % {"number": in_groups(account.member_number)}
            return redirect_to(request, url, message=said)
    audit.record("patient.viewed", patients=[patient_id])
    context = {"patient": patient, "programme": programme, "form": form, "back_url": url}
    return respond(request, "membership/join.html", context, status=422 if form.errors else 200)


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask, then end a membership."""
    member: Any = request.member  # type: ignore[attr-defined]
    one = members.of_account(account_id)
    if one is None:
        raise Http404
    url = _tab(one["patient_id"])
    form = LeaveForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        membership.leave(
            account_id=account_id, now=timezone.now(), by=member.user_id, reason=form.cleaned_data["reason"]
        )
        return redirect_to(request, url, message=_("The membership has ended."))
    audit.record("patient.viewed", patients=[one["patient_id"]])
    facts = [
        {"label": _("Patient"), "value": one["name"]}, {"label": _("Member number"), "value": in_groups(one["member_number"])},
        {"label": pgettext("member", "Points"), "value": f"{one['balance']:,}"},
        {"label": pgettext("member", "Waiting"), "value": f"{one['pending']:,}"},
    ]  # fmt: skip
    context = {
        "title": _("End this membership?"), "label": _("End the membership"), "tone": "danger", "form": form, "action": request.path,
        "text": _("What waits is not given any more. The points stay with the number and count again if the patient comes back."),
        "facts": facts, "warning": "", "cancel_url": url, "back_url": url, "back_label": one["name"], "hidden": [],
    }  # fmt: skip
    return respond(request, "membership/ask.html", context, fragment="membership/_ask.html")


def _tab(patient_id: UUID) -> str:
    return f"{address('patients:page', patient_id)}membership/"


def _patient(patient_id: UUID) -> dict[str, Any]:
    here, params = at_home("p.home_location_id")
    found = sql.row(
        f"select p.id, p.name, p.chart_number from patients_patient p where p.id = %(id)s and p.merged_into_id is null{here}",
        {**params, "id": patient_id},
    )
    if found is None:
        raise Http404
    return found
