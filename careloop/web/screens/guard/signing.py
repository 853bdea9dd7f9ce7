"""Signing an offer off in one of its forms, and taking a sign-off back. For named approvers only."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from careloop.accounts import organization as organizations
from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.loyalty.guard_report import FORMS, Watched, watched
from careloop.policy.answers import Answer
from careloop.policy.models import PolicySignOff
from careloop.policy.services import sign_off_offer, withdraw_sign_off
from careloop.web.http import next_url, redirect_to, respond
from careloop.web.screens.guard.common import FORM_LABELS, TONES, load
from careloop.web.screens.guard.forms import SignForm, WithdrawForm


@requires("policy.sign_off")
def sign(request: HttpRequest, model: str, item_id: UUID, audience: str) -> HttpResponse:
    """Take responsibility for exactly this offer in this form. What was changed meanwhile is shown again instead of signed."""
    form_of = next((form for form in FORMS if form == audience), None)
    if form_of is None:
        raise Http404
    one = load(model, item_id)
    verdict = one.one if form_of == "one" else one.public
    fingerprint = one.offer.fingerprint(form_of).hex()
    here = reverse("guard:item", args=[model, item_id])
    form = SignForm(request.POST or None, request.FILES or None, initial={"fingerprint": fingerprint})
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["fingerprint"] != fingerprint:
            form.add_error(None, _("It was changed since you opened this page. Read it again, then sign."))
            form.data = {**request.POST.dict(), "fingerprint": fingerprint}
        else:
            try:
                sign_off_offer(
                    offer=one.offer, audience=form_of, organization=organizations.current(), reason=form.cleaned_data["reason"],
                    by=request.member, now=timezone.now(), **form.evidence(),  # type: ignore[attr-defined]
                )  # fmt: skip
            except DomainError as error:
                form.add_error(None, str(error))
            else:
                return redirect_to(request, here, message=_("Signed off with your name. It counts from now on."))
    asks = any(match.answer == Answer.SIGN_OFF for match in verdict.matches)
    context = {
        "one": one, "verdict": verdict, "tone": TONES[verdict.answer], "form": form, "label": FORM_LABELS[form_of], "back": here,
        "is_forbidden": verdict.answer == Answer.BLOCK, "is_open": asks and verdict.answer != Answer.BLOCK,
    }  # fmt: skip
    return respond(request, "guard/sign.html", context, status=422 if request.method == "POST" else 200)


@requires("policy.sign_off")
def withdraw(request: HttpRequest, sign_off_id: UUID) -> HttpResponse:
    """Take a sign-off back, with a reason; what it carried is stopped from now on."""
    row = get_object_or_404(PolicySignOff.objects.select_related("approver"), pk=sign_off_id)
    form = WithdrawForm(request.POST or None)
    back = next_url(request, reverse("guard:report"))
    if request.method == "POST" and form.is_valid():
        try:
            withdraw_sign_off(sign_off=row, reason=form.cleaned_data["reason"], by=request.member, now=timezone.now())  # type: ignore[attr-defined]
        except DomainError as error:
            form.add_error(None, str(error))
        else:
            return redirect_to(request, back, message=_("Taken back. What it carried is stopped from now on."))
    context = {"row": row, "form": form, "back": back, "carried": _carried(row)}
    return respond(request, "guard/withdraw.html", context, status=422 if request.method == "POST" else 200)


def _carried(row: PolicySignOff) -> list[Watched]:
    """What is offered today on the strength of this sign-off."""
    digest = bytes(row.text_hash)
    return [
        one
        for one in watched(organization=organizations.current(), now=timezone.now())
        if any(one.offer.fingerprint(form) == digest for form in FORMS)
    ]
