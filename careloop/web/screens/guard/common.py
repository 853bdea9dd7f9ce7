"""What the guard's pages share: tones of answers, finding one thing, its address."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careloop.accounts import organization as organizations
from careloop.loyalty.guard_report import Watched, watched
from careloop.policy.answers import Answer

TONES = {
    Answer.ALLOW: "success", Answer.WARN: "info", Answer.REQUIRE: "warning", Answer.SIGN_OFF: "warning", Answer.BLOCK: "danger",
}  # fmt: skip
FORM_LABELS = {"one": _("For members, after signing in"), "public": _("For everybody")}


def load(model: str, item_id: UUID, *, with_sign_offs: bool = True) -> Watched:
    """Return one guarded thing, judged today."""
    found = watched(
        organization=organizations.current(), now=timezone.now(), model=model, item_id=item_id, with_sign_offs=with_sign_offs
    )  # fmt: skip
    if not found:
        raise Http404
    return found[0]


def address_of(one: Watched) -> str:
    """Return the page where the thing itself is kept, if it has one."""
    if not one.guarded.screen:
        return ""
    try:
        return reverse(one.guarded.screen, args=[one.item.pk])
    except NoReverseMatch:
        return ""


def shown(one: Watched) -> dict[str, Any]:
    """Return a row of the list."""
    return {
        "one": one, "url": reverse("guard:item", args=[one.model, one.item.pk]), "tone": TONES[one.one.answer],
        "public_tone": TONES[one.public.answer], "why": one.why,
    }  # fmt: skip
