"""What buttons of the rewards' screens do in the same way: saving, acting once, asking for a reason."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.loyalty.reward import rewards
from careloop.web.http import redirect_to, respond
from careloop.web.screens.rewards.common import pairs_shown
from careloop.web.screens.rewards.forms import ReasonForm


def saved(form: Any, one: Any, *, by: UUID) -> bool:
    """Save what a valid form says of a Reward or Coupon; write on the form what was refused."""
    if not form.is_valid():
        return False
    try:
        rewards.save(
            type(one), id=one.pk, values=form.values(), version=form.cleaned_data["version"], now=timezone.now(), by=by
        )
    except DomainError as refused:
        form.add_error(None, str(refused))
        return False
    return True


def desk_key(request: HttpRequest) -> str:
    """Return what makes a second click on this page's button the same act."""
    return f"desk:{request.POST.get('key', '')[:40] or uuid7().hex}"


def ask_why(
    request: HttpRequest, do: Callable[..., object], *, back: str, title: str, text: str, label: str, done: str, facts: list[tuple[str, Any]]
) -> HttpResponse:  # fmt: skip
    """Ask for a reason before something is taken from a member, then do it with `now`, `by` and `reason`."""
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            do(now=timezone.now(), by=request.member.user_id, **form.cleaned_data)  # type: ignore[attr-defined]
        except DomainError as refused:
            form.add_error(None, str(refused))
        else:
            return redirect_to(request, back, message=done)
    context = {
        "title": title, "text": text, "label": label, "tone": "danger", "form": form, "action": request.path, "cancel_url": back,
        "may_do": True, "facts": pairs_shown(*facts),
    }  # fmt: skip
    return respond(
        request, "rewards/confirm.html", context, fragment="rewards/_ask.html", status=422 if form.errors else 200
    )
