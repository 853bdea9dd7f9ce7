"""Who may open a page: every view says so with one of these decorators, and a guard test walks all URLs."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from careloop.accounts.permissions import PERMISSIONS


@dataclass(frozen=True)
class Access:
    """What a view asks of its visitor: a permission, just a membership, a patient's sign-in, or nothing, with the reason why."""

    kind: Literal["permission", "member", "patient", "public"]
    permission: str = ""
    why: str = ""
    permissions: tuple[str, ...] = ()  # any of them is enough
    also: tuple[str, ...] = ()  # and each of these

    def allows(self, held: frozenset[str]) -> bool:
        """Whether a role that holds these permissions may open the view."""
        return self.kind != "permission" or (
            any(one in held for one in self.permissions) and held.issuperset(self.also)
        )


View = Callable[..., HttpResponseBase]


def requires(permission: str, *also: str) -> Callable[[View], View]:
    """Let in members whose role holds `permission` (and each of `also`); others get 403, strangers the sign-in page."""
    return _guard((permission,), also)


def requires_any(*permissions: str) -> Callable[[View], View]:
    """Let in members whose role holds one of `permissions`; the refusal names the first."""
    return _guard(permissions, ())


def _guard(permissions: tuple[str, ...], also: tuple[str, ...]) -> Callable[[View], View]:
    unknown = {*permissions, *also} - set(PERMISSIONS)
    if unknown or not permissions:
        raise ValueError(f"unknown permissions: {unknown}")

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            member = getattr(request, "member", None)
            if member is None:
                return _turn_away(request)
            if not any(member.can(one) for one in permissions):
                raise PermissionDenied(permissions[0])
            for one in also:
                if not member.can(one):
                    raise PermissionDenied(one)
            return view(request, *args, **kwargs)

        check.access = Access("permission", permissions[0], permissions=permissions, also=also)  # type: ignore[attr-defined]
        return check

    return decorate


def members_only(view: View) -> View:
    """Let in every member of the organization."""

    @functools.wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request, "member", None) is None:
            return _turn_away(request)
        return view(request, *args, **kwargs)

    check.access = Access("member")  # type: ignore[attr-defined]
    return check


def public(why: str) -> Callable[[View], View]:
    """Let in everybody; `why` says what makes that safe."""

    def decorate(view: View) -> View:
        view.access = Access("public", why=why)  # type: ignore[attr-defined]
        return view

    return decorate


def _turn_away(request: HttpRequest) -> HttpResponseBase:
    if request.user.is_authenticated:
        raise PermissionDenied("no membership")
    response: HttpResponse = redirect_to_login(request.get_full_path())
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=204, headers={"HX-Redirect": response["Location"]})
    return response
