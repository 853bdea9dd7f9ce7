"""The clinic's first page, and what a browser needs to keep the pages on a phone: manifest, worker, the page without a net."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST

from careloop.audit import services as audit
from careloop.consent import selectors as consent
from careloop.portal import visiting, waiting
from careloop.portal.entering import TEXT_COOKIE, THEME_COOKIE, for_everybody, for_patients, next_page, show
from careloop.portal.errors import NotYours
from careloop.portal.models import PatientSession
from careloop.portal.pages.book import zone_of
from careloop.portal.recognizing import Visitor

A_YEAR = 365 * 24 * 3600
SHELL = "the same for everybody: names the clinic, never a patient"


@for_everybody("a stranger sees the clinic's name and telephone; a signed-in patient their own next visit")
@require_GET
def home(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What comes next, and what to do about it; for strangers the way in."""
    if visitor.session is None:
        return show(request, visitor, "portal/welcome.html", {"can_book": visiting.can_book_online()}, tab="home")
    visits = visiting.upcoming(visitor.patient_id, now=visitor.now, zone=zone_of(visitor), limit=3)
    audit.record("portal.viewed", patients=[visitor.patient_id], details={"page": "home"}, now=visitor.now)
    context = {
        "offers": [one for one in waiting.shown(visitor.patient_id, zone=zone_of(visitor)) if one["at"]],
        "next_visit": visits[0] if visits else None, "more": visits[1:],
        "notice_due": consent.current_notice() is not None and not consent.has_seen_notice(visitor.patient_id),
    }  # fmt: skip
    return show(request, visitor, "portal/home.html", context, tab="home")


@for_everybody("the clinic's privacy notice is for everybody to read")
@require_GET
def privacy(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The clinic's privacy notice."""
    notice = consent.current_notice()
    context: dict[str, Any] = {"notice": None}
    if notice is not None:
        text = consent.text_in(notice["texts"], translation.get_language() or "")
        context = {"notice": text, "version": notice["version"], "published_at": notice["published_at"]}
    return show(request, visitor, "portal/privacy.html", context)


@for_everybody("changes nothing but how this device shows the pages")
@require_POST
def display(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Choose language, size of the letters, light or dark."""
    response = HttpResponseRedirect(next_page(request, visitor))
    for field, cookie, allowed in (
        ("language", settings.LANGUAGE_COOKIE_NAME, tuple(dict(settings.LANGUAGES))),
        ("text", TEXT_COOKIE, ("normal", "large")),
        ("theme", THEME_COOKIE, ("auto", "light", "dark")),
    ):
        chosen = request.POST.get(field, "")
        if chosen in allowed:
            response.set_cookie(cookie, chosen, max_age=A_YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    return response


@for_patients
@require_POST
def switch(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Go over to a family member's pages, or back to one's own."""
    wanted = request.POST.get("person", "")
    ids = {str(one.patient_id): one.patient_id for one in visitor.relatives}
    if wanted not in (*ids, str(visitor.own_id)):
        raise NotYours
    chosen = ids.get(wanted)
    assert visitor.session is not None
    PatientSession.objects.filter(pk=visitor.session["id"]).update(acting_for=chosen)
    audit.record("portal.switched", patients=[chosen or visitor.own_id], now=visitor.now)
    return HttpResponseRedirect(reverse("portal:home", args=[visitor.clinic.slug]))


@for_everybody(SHELL)
@require_GET
@cache_control(max_age=3600)
def manifest(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What a phone needs to keep the pages on its first screen."""
    start = reverse("portal:home", args=[visitor.clinic.slug])
    return JsonResponse(
        {
            "name": visitor.clinic.name, "short_name": visitor.clinic.name[:12], "start_url": start, "scope": start, "id": start,
            "display": "standalone", "lang": translation.get_language(), "theme_color": visitor.clinic.accent_color,
            "background_color": "#f5f6f8",
            "icons": [{"src": static("web/mark.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
        },
        content_type="application/manifest+json",
    )  # fmt: skip


@for_everybody(SHELL)
@require_GET
@cache_control(max_age=0, no_cache=True)
def worker(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """The service worker: keeps style, script, icons and one page for when there is no net, and nothing else."""
    context = {
        "kept": [
            reverse("portal:offline", args=[visitor.clinic.slug]), static("build/styles.css"), static("build/icons.svg"),
            static("build/portal.js"), static("web/mark.svg"), reverse("web:accent", args=[visitor.clinic.accent_color[1:].lower()]),
        ],
        "offline": reverse("portal:offline", args=[visitor.clinic.slug]),
        "version": "1",
    }  # fmt: skip
    response = show(request, visitor, "portal/worker.js", context)
    response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    response.headers["Service-Worker-Allowed"] = reverse("portal:home", args=[visitor.clinic.slug])
    return response


@for_everybody(SHELL)
@require_GET
@cache_control(max_age=3600)
def offline(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What is shown without a net: the telephone still works."""
    return show(request, visitor, "portal/offline.html", {"is_offline": True})
