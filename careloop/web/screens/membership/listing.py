"""The list of members."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.loyalty.join import members as selectors
from careloop.loyalty.models import Programme
from careloop.web.http import Keyset, clinic_zone, respond
from careloop.web.screens.membership.common import shown_member
from careloop.web.screens.membership.forms import FilterForm


@requires("loyalty.view")
@require_GET
def members(request: HttpRequest) -> HttpResponse:
    """Members, who joined last first: one statement for the page, one for the sums."""
    member: Any = request.member  # type: ignore[attr-defined]
    zone = clinic_zone(request)
    programmes = list(Programme.objects.order_by("-state", "name"))
    form = FilterForm(request.GET, tiers=selectors.tiers(), programmes=programmes)
    keyset = Keyset(request, order=("-joined_at", "-id"), size=selectors.PAGE)
    columns = {"joined_at": "a.joined_at", "id": "a.id"}
    beyond, values = keyset.where(**columns)
    more = {f"after_{number}": value for number, value in enumerate(values)}
    for name in more:
        beyond = beyond.replace("%s", f"%({name})s", 1)
    page = keyset.cut(
        selectors.listed(form.filters(), beyond=beyond, order=keyset.order_by(**columns), limit=keyset.limit, more=more)
    )
    audit.record("members.listed", patients=[row["patient_id"] for row in page.rows])
    chips = _chips(request, form)
    sums = selectors.figures()
    context = {
        "page": page, "rows": [shown_member(row, zone) for row in page.rows], "form": form, "chips": chips, "is_filtered": bool(chips),
        "has_programme": bool(programmes), "is_open": any(one.state == Programme.State.OPEN for one in programmes),
        "many_programmes": len(programmes) > 1,
        "stats": [
            {"label": pgettext("members", "Members"), "value": f"{sums['members']:,}"},
            {"label": pgettext("members", "Points held"), "value": f"{sums['balance']:,}"},
            {"label": pgettext("members", "Points waiting"), "value": f"{sums['pending']:,}"},
        ],
        "may_manage": member.can("loyalty.manage"), "may_award": member.can("loyalty.desk"), "may_desk": member.can("loyalty.desk"), "may_report": member.can("reports.view"),
    }  # fmt: skip
    return respond(request, "membership/home.html", context)


def _chips(request: HttpRequest, form: FilterForm) -> list[dict[str, Any]]:
    chips = []
    for name in ("q", "tier", "programme", "state"):
        value = request.GET.get(name, "")
        if name in form.fields and value and not form.errors.get(name):
            choices = {str(key): label for key, label in getattr(form.fields[name], "choices", ())}
            kept = {key: one for key, one in request.GET.items() if key not in (name, "after") and one}
            chips.append({"label": choices.get(value, value), "url": f"?{urlencode(kept)}"})
    return chips
