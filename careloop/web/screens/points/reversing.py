"""Reversing one entry of a statement: what it was, how many of its points, why; sent twice it is reversed once."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.loyalty import errors
from careloop.loyalty.figures import signed
from careloop.loyalty.points import reversing
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, refuse
from careloop.web.screens.points.common import ask, load
from careloop.web.screens.points.forms import ReverseForm


@requires("loyalty.view", "loyalty.adjust")
@require_http_methods(["GET", "POST"])
def reverse(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Say what the entry (`entry`) was and what reversing it does; then reverse it, wholly or in part."""
    now = timezone.now()
    one = load(account_id, now=now)
    member: Any = request.member  # type: ignore[attr-defined]
    back = address("points:statement", account_id)
    asked = request.POST.get("entry") or request.GET.get("entry", "")
    if not asked.isdecimal() or len(asked) > 18:
        raise Http404
    entry_id = int(asked)
    try:
        entry = reversing.entry_on(account_id, entry_id)
        refusal = reversing.why_not(entry)
    except errors.UnknownEntry:
        raise Http404 from None
    form = ReverseForm(request.POST or None, left=entry["left"])
    if request.method == "POST" and form.is_valid():
        try:
            # asked again after a double click the entry may be reversed already: the key says so, not the page
            reversing.reverse_entry(
                account_id=account_id, entry_id=entry_id, points=form.cleaned_data["points"], reason=form.cleaned_data["note"],
                key=f"hand:{form.cleaned_data['key']}", now=now, by=member.user_id,
            )  # fmt: skip
        except DomainError as error:
            refusal = refusal or error
            form.add_error(None, str(error))
        else:
            return redirect_to(request, back, message=_("The entry is reversed. Both stand on the statement."))
    if refusal is not None and not form.errors:
        return refuse(request, str(refusal), back_url=back, back_label=_("Points"))
    facts = [
        {"label": pgettext("points", "Entry"), "value": entry["reason"]},
        {"label": _("When"), "value": f"{entry['occurred_at'].astimezone(clinic_zone(request)):%Y-%m-%d}"},
        {"label": _("Points"), "value": signed(entry["signed_points"])},
    ]
    return ask(
        request, one, form, title=_("Reverse this entry?"), text=_text(entry), label=pgettext("points", "Reverse"), back=back, tone="danger",
        facts=facts, warning=_warning(one, entry), hidden=[{"name": "entry", "value": asked}], status=422 if request.method == "POST" else 200,
    )  # fmt: skip


def _text(entry: dict[str, Any]) -> str:
    if entry["side"] < 0:
        return _("The points come back to the member, with the last days they had. The entry stays, and another one says that it was reversed.")  # fmt: skip
    return _("The points are taken from the member again. The entry stays, and another one says that it was reversed.")


def _warning(one: dict[str, Any], entry: dict[str, Any]) -> str:
    """Say what happens where the member has fewer points than are taken."""
    if entry["side"] < 0 or entry["left"] <= one["balance"]:
        return ""
    if one["when_spent"] == "NEGATIVE":
        return _("The member has fewer points than that: the balance goes below zero, and the next points pay it back first.")  # fmt: skip
    return _("The member has fewer points than that: only what is there is taken.")
