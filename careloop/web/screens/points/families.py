"""Families that share points, at the desk: who is in it, what each brought and used; asking, signing, leaving; handing points over."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_http_methods

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.loyalty import errors
from careloop.loyalty.models import PoolMember
from careloop.loyalty.points import ledger, pools, statements
from careloop.loyalty.points.pools import Consent
from careloop.web.addresses import address
from careloop.web.http import clinic_zone, redirect_to, refuse, respond
from careloop.web.screens.points.common import agreeing, ask, load, shown
from careloop.web.screens.points.forms import HandOverForm, InviteForm, PaperForm

LAST = 50
HOW = dict(PoolMember.How.choices)


@requires("loyalty.view")
@require_GET
def family(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """The family whose points this member shares, or how to begin."""
    now, zone = timezone.now(), clinic_zone(request)
    member: Any = request.member  # type: ignore[attr-defined]
    one = load(account_id, now=now)
    people = pools.members_of(one["pool_id"]) if one["pool_id"] else []
    if people:
        audit.record(
            "loyalty.points_viewed",
            patients=[row["patient_id"] for row in people],
            target=("loyalty_pool", one["pool_id"]),
            now=now,
        )
    context = {
        "one": one, "question": pools.open_question(account_id), "may_work": member.can("loyalty.desk") and one["is_active"],
        "people": [
            {**row, "how": HOW.get(row["consent_how"], ""), "url": address("points:statement", row["account_id"]),
             "leave_url": address("points:family_leave", row["account_id"]) if row["state"] == "IN" else "",
             "answer_url": address("points:family_answer", row["account_id"]) if row["state"] == "INVITED" else "",
             "since": row["answered_at"].astimezone(zone) if row["answered_at"] else None}
            for row in people
        ],
        "entries": [shown(row, zone) for row in statements.entries_of_pool(one["pool_id"], LAST)] if one["pool_id"] else [],
        "expiring": statements.expiring(account_id, now) if one["pool_id"] else [],
    }  # fmt: skip
    return respond(request, "points/family.html", context)


@requires("loyalty.view", "loyalty.desk")
@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Begin a family's account, with the paper that this adult signed."""
    return _signed(
        request, account_id, title=_("Share points with the family"), label=_("Begin sharing"),
        text=_("All points of this member go into the family’s account and keep their last days. The others are asked next."),
        done=_("The family’s account is open. Ask the others next."),
        act=lambda consent, now, by: pools.found(account_id=account_id, consent=consent, now=now, by=by),
    )  # fmt: skip


@requires("loyalty.view", "loyalty.desk")
@require_http_methods(["GET", "POST"])
def answer(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Note that somebody who was asked signed at the desk."""
    return _signed(
        request, account_id, title=_("Share points with the family"), label=_("Note the signature"),
        text=_("Only with the paper before you: an adult signs alone, for a child the guardian does."), done=_("The points are shared."),
        act=lambda consent, now, by: pools.answer(account_id=account_id, agrees=True, consent=consent, now=now, by=by),
    )  # fmt: skip


@requires("loyalty.view", "loyalty.desk")
@require_http_methods(["GET", "POST"])
def leave(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Note that somebody shares no longer."""
    return _signed(
        request, account_id, title=_("Share points no longer"), label=_("Leave the family’s account"), tone="danger",
        text=_("What is left of the points this member brought comes along; the last one takes what is there."), done=_("The points are shared no longer."),
        act=lambda consent, now, by: pools.leave(account_id=account_id, consent=consent, now=now, by=by),
    )  # fmt: skip


def _signed(
    request: HttpRequest,
    account_id: UUID,
    *,
    title: str,
    text: str,
    label: str,
    done: str,
    act: Any,
    tone: str = "primary",
) -> HttpResponse:
    now = timezone.now()
    one = load(account_id, now=now)
    member: Any = request.member  # type: ignore[attr-defined]
    back = address("points:family", account_id)
    form = PaperForm(request.POST or None, agreeing=agreeing(one))
    if request.method == "POST" and form.is_valid():
        try:
            act(Consent(UUID(form.cleaned_data["agreed"]), "PAPER"), now, member.user_id)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, back, message=done)
    return ask(
        request,
        one,
        form,
        title=title,
        text=text,
        label=label,
        back=back,
        tone=tone,
        status=422 if request.method == "POST" else 200,
    )


@requires("loyalty.view", "loyalty.desk")
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask somebody of the family: a child shares at once when its guardian asks, an adult answers alone."""
    now = timezone.now()
    one = load(account_id, now=now)
    member: Any = request.member  # type: ignore[attr-defined]
    back = address("points:family", account_id)
    if not one["pool_id"]:
        return redirect_to(request, back)
    relatives = [
        (str(row["account_id"]), row["name"])
        for row in pools.relatives_to_ask(one["patient_id"], one["programme_id"], both_ways=True)
    ]
    if not relatives:
        return refuse(request, _nobody(), back_url=back, back_label=_("Family points"))
    form = InviteForm(request.POST or None, relatives=relatives)
    if request.method == "POST" and form.is_valid():
        try:
            made = pools.invite(
                pool_id=one["pool_id"],
                account_id=UUID(form.cleaned_data["who"]),
                asked_by=one["patient_id"],
                now=now,
                by=member.user_id,
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = (
                _("The points are shared.")
                if made.state == "IN"
                else _("Asked. It begins once they agree, on their own pages or with a signature here.")
            )
            return redirect_to(request, back, message=said)
    return ask(
        request, one, form, title=_("Ask somebody of the family"), label=pgettext("points", "Ask"), back=back,
        text=_("A child shares at once when the guardian asks. An adult decides alone."), status=422 if request.method == "POST" else 200,
    )  # fmt: skip


def _nobody() -> str:
    return _(
        "Nobody else of this family is a member. Write who belongs to whom on the patient’s page, and let them join first."
    )


@requires("loyalty.view", "loyalty.desk")
@require_http_methods(["GET", "POST"])
def hand_over(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Hand points to somebody of the family, where the programme allows it."""
    now = timezone.now()
    one = load(account_id, now=now)
    member: Any = request.member  # type: ignore[attr-defined]
    back = address("points:statement", account_id)
    takers = [
        (str(row["account_id"]), row["name"])
        for row in pools.relatives_to_ask(one["patient_id"], one["programme_id"], both_ways=True)
    ]
    if not one["allows_transfers"]:
        return refuse(request, str(errors.NoTransfers()), back_url=back, back_label=_("Points"))
    if not takers:
        return refuse(request, _nobody(), back_url=back, back_label=_("Points"))
    form = HandOverForm(request.POST or None, takers=takers, agreeing=agreeing(one))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            ledger.transfer(
                from_account_id=account_id, to_account_id=UUID(data["to"]), points=data["points"], key=f"hand-over:{data['key']}",
                because=ledger.Because("TRANSFER"), agreed_by=UUID(data["agreed"]), now=now, by=member.user_id,
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect_to(request, back, message=_("The points are handed over."))
    return ask(
        request, one, form, title=_("Hand points over"), label=pgettext("points", "Hand over"), back=back,
        text=_("The points keep their last days. A child’s points go only with the guardian’s word."), status=422 if request.method == "POST" else 200,
    )  # fmt: skip
