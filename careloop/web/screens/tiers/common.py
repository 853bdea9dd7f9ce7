"""What the tiers' screens share."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest
from django.urls import NoReverseMatch
from django.utils.translation import gettext as _

from careloop.loyalty.models import Programme
from careloop.web.addresses import address


def currency_of(request: HttpRequest) -> str:
    return str(request.member.organization.currency)  # type: ignore[attr-defined]


def tabs(current: str) -> list[dict[str, Any]]:
    """The parts of the tiers' pages."""
    every = [("list", _("Tiers")), ("use", _("Use of benefits")), ("reports", _("Reports of the membership"))]
    return [{"label": label, "url": address(f"tiers:{name}"), "is_current": name == current} for name, label in every]


def programme_or_404(programme_id: UUID) -> Programme:
    found = Programme.objects.filter(pk=programme_id).exclude(state=Programme.State.CLOSED).first()
    if found is None:
        raise Http404
    return found


def address_or_none(name: str, *ids: Any) -> str:
    """Return a page's address; empty when that part of the program is not there."""
    try:
        return address(name, *ids)
    except NoReverseMatch:
        return ""
