"""The door of every patients' page: into the clinic of the address, as whoever is signed in on this device."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from careloop.accounts.access import Access
from careloop.accounts.trail import address_of
from careloop.audit.services import Actor, acting_as
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.portal.recognizing import Visitor, recognize, set_cookies
from careloop.tenancy.context import current_scope, in_organization
from careloop.tenancy.models import Organization

View = Callable[..., HttpResponse]
LANGUAGE_TAGS = {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans"}
TEXT_COOKIE, THEME_COOKIE = "careloop_text", "careloop_theme"
LONGEST_PATH = 300


def for_patients(view: View) -> View:
    """Let in patients who are signed in to this clinic; others are asked to sign in, and come back afterwards."""
    return _page(view, Access("patient", why="asks for a patient's own session"), needs_session=True)


def for_everybody(why: str) -> Callable[[View], View]:
    """Let in everybody; the page may still know who is signed in. `why` says what makes that safe."""
    return lambda view: _page(view, Access("public", why=why), needs_session=False)


def _page(view: View, access: Access, *, needs_session: bool) -> View:
    @functools.wraps(view)
    def enter(request: HttpRequest, slug: str, **named: Any) -> HttpResponse:
        organization_id = sql.value("select id from tenancy_list_organizations() where slug = %s", [slug])
        if organization_id is None:
            raise Http404
        now = timezone.now()
        with in_organization(organization_id):
            visitor = recognize(request, Organization.objects.get(), now=now, address=address_of(request))
            own = visitor.session["patient_id"] if visitor.session else None
            with translation.override(language_of(request, visitor)), timezone.override(visitor.clinic.time_zone), acting_as(
                Actor("patient", id=own, via="portal", address=visitor.address)
            ):  # fmt: skip
                if needs_session and visitor.session is None:
                    response: HttpResponse = to_sign_in(request, visitor)
                else:
                    response = _answer(view, request, visitor, named)
                response.headers.setdefault("Content-Language", translation.get_language() or "")
            if response.status_code >= 500:
                transaction.set_rollback(True)
        set_cookies(response, visitor, request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        patch_vary_headers(response, ["Cookie"])
        return response

    enter.access = access  # type: ignore[attr-defined]
    return enter


def _answer(view: View, request: HttpRequest, visitor: Visitor, named: dict[str, Any]) -> HttpResponse:
    try:
        with transaction.atomic():
            return view(request, visitor, **named)
    except DomainError as error:
        # nothing of it was kept; the sentence says what to do
        scope = current_scope()
        if scope is not None:
            scope.notes.clear()
        visitor.new_token, visitor.forget = "", False
        return refuse(request, visitor, error)


def refuse(request: HttpRequest, visitor: Visitor, error: DomainError) -> HttpResponse:
    """Show a refusal as a page of its own, with the clinic's telephone: the telephone is never closed (S9)."""
    return show(request, visitor, "portal/refused.html", {"sentence": str(error)}, status=error.status)


def to_sign_in(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Send the visitor to sign in, and afterwards back to where they wanted."""
    back = request.get_full_path() if request.method == "GET" else ""
    url = reverse("portal:sign_in", args=[visitor.clinic.slug])
    return HttpResponseRedirect(f"{url}?next={quote(back)}" if back else url)


def next_page(request: HttpRequest, visitor: Visitor, otherwise: str = "portal:home") -> str:
    """Return where `next` points, if that is a page of this clinic; nowhere else."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    inside = f"/p/{visitor.clinic.slug}/"
    if wanted.startswith(inside) and len(wanted) <= LONGEST_PATH and "\\" not in wanted and wanted.isprintable():
        return wanted
    return reverse(otherwise, args=[visitor.clinic.slug])


def language_of(request: HttpRequest, visitor: Visitor) -> str:
    """Return the language chosen on this device, else the patient's, else the browser's."""
    offered = dict(settings.LANGUAGES)
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if chosen in offered:
        return chosen
    if visitor.session and visitor.session["language"]:
        from careloop.messaging.rules import spoken_language

        return spoken_language(visitor.session["language"], default=visitor.clinic.language)
    if request.headers.get("Accept-Language"):
        return translation.get_language_from_request(request)
    return visitor.clinic.language if visitor.clinic.language in offered else settings.LANGUAGE_CODE


def show(
    request: HttpRequest, visitor: Visitor, template: str, context: dict[str, Any] | None = None, *, tab: str = "",
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    """Draw a page: the clinic, who is signed in and for whom, the bar at the bottom, and what the view gives."""
    clinic = visitor.clinic
    language = translation.get_language() or clinic.language
    theme = request.COOKIES.get(THEME_COOKIE, "auto")
    shown = {
        "clinic": clinic,
        "visitor": visitor,
        "language": language,
        "language_tag": LANGUAGE_TAGS.get(language, language),
        "languages": settings.LANGUAGES,
        "theme": theme if theme in ("light", "dark") else "auto",
        "is_large": request.COOKIES.get(TEXT_COOKIE) == "large",
        "accent": clinic.accent_color.lstrip("#").lower(),
        "tab": tab,
        "here": request.get_full_path() if request.method == "GET" else reverse("portal:home", args=[clinic.slug]),
        **(context or {}),
    }
    return render(request, template, shown, status=status)
