"""Points for several members at once: who was at the lecture, who filled in the questionnaire."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty import guard
from careloop.loyalty.earn import awards
from careloop.loyalty.join import members
from careloop.loyalty.models import EarnRule, Programme
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, respond
from careloop.web.screens.membership.common import address_or_none
from careloop.web.screens.membership.forms import AwardForm


@requires("loyalty.desk")
@require_http_methods(["GET", "POST"])
def award(request: HttpRequest) -> HttpResponse:
    """Write who took part; look at who was found; then give the points."""
    member: Any = request.member  # type: ignore[attr-defined]
    now = timezone.now()
    switched_on = EarnRule.objects.filter(kind__in=awards.BY_HAND, is_on=True, programme__state=Programme.State.OPEN)
    usable = guard.in_force(list(switched_on.order_by("priority", "id")), organization=member.organization, now=now)
    rules = EarnRule.objects.filter(pk__in=[one.pk for one in usable]).order_by("priority", "id")
    form = AwardForm(request.POST or None, rules=rules, initial={"on": now.astimezone(clinic_zone(request)).date()})
    people: list[dict[str, Any]] = []
    nobody: list[str] = []
    if request.method == "POST" and form.is_valid():
        people, nobody = members.people_of(form.lines())
        if people and request.POST.get("sure") and not nobody:
            given = form.cleaned_data
            try:
                done = awards.award(
                    rule_id=given["rule"].pk, patient_ids=[one["id"] for one in people], on=given["on"], note=given["note"], now=now,
                    by=member.user_id,
                )  # fmt: skip
            except DomainError as refusal:
                form.add_error(None, str(refusal))
            else:
                return redirect_to(request, address("membership:home"), message=_said(done))
        if not people and not nobody:
            form.add_error("people", _("Write at least one number."))
        audit.record("members.looked_up", patients=[one["id"] for one in people])
    context = {
        "form": form, "people": people, "nobody": nobody, "has_rules": bool(usable), "is_sure": bool(people) and not nobody,
        "is_stopped": bool(switched_on) and not usable, "rules_url": address_or_none("membership:programmes") if member.can("loyalty.manage") else "",
    }  # fmt: skip
    return respond(request, "membership/award.html", context, status=422 if form.errors else 200)


def _said(done: awards.Awarded) -> str:
    count = len(done.given)
    said = [ngettext("%(count)s member got points.", "%(count)s members got points.", count) % {"count": count}]
    if done.already:
        said.append(_("%(count)s had them already.") % {"count": len(done.already)})
    if done.nothing:
        said.append(_("%(count)s had reached their limit.") % {"count": len(done.nothing)})
    if done.no_members:
        said.append(_("%(count)s are no members.") % {"count": len(done.no_members)})
    return " ".join(said)
