"""Pages of the shell itself: search, language, theme, and the gallery of components."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import members_only, public
from careloop.web import colours, gallery_data
from careloop.web import search as finder
from careloop.web.context_processors import THEME_COOKIE, THEMES
from careloop.web.http import csv_download, next_url, redirect_to, respond

A_YEAR = 365 * 24 * 3600
LONGEST_SEARCH = 100


@members_only
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Answers for the search box; a page without JavaScript, a list inside the palette with it."""
    text = request.GET.get("q", "").replace("\0", "")[:LONGEST_SEARCH]
    context = {"q": text.strip(), "answers": finder.search(request, text)}
    return respond(request, "web/search.html", context, fragment="web/_answers.html")


@public("changes nothing but the language cookie of the browser that asks")
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Choose the language of the pages."""
    response = redirect_to(request, next_url(request, "/"))
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        _remember(request, response, settings.LANGUAGE_COOKIE_NAME, chosen)
    return response


@public("changes nothing but the theme cookie of the browser that asks")
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Choose light, dark, or as the device says."""
    response = redirect_to(request, next_url(request, "/"))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        _remember(request, response, THEME_COOKIE, chosen)
    return response


def _remember(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=A_YEAR, samesite="Lax", secure=request.is_secure())


@public("a style sheet made from the colour in its own address")
@require_GET
@cache_control(public=True, max_age=A_YEAR, immutable=True)
def accent(request: HttpRequest, colour: str) -> HttpResponse:
    """The organization's accent colour, made readable for light and dark."""
    return HttpResponse(colours.style_sheet(f"#{colour}"), content_type="text/css; charset=utf-8")


# -- gallery
# ----------------------------------------------------------------------------------------------------


@members_only
@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """Every component in every state, for those who build and those who check."""
    return respond(request, "web/gallery.html", gallery_data.context(request))


@members_only
def gallery_confirm(request: HttpRequest) -> HttpResponse:
    """Shows the confirm component as a page and in a dialog; it changes nothing."""
    form = gallery_data.ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return redirect_to(request, next_url(request, "/gallery/"), message=_("Confirmed. Nothing was changed."))
    context = {"form": form, "facts": gallery_data.confirm_facts()}
    status = 422 if request.method == "POST" else 200
    return respond(request, "web/gallery_confirm.html", context, fragment="web/_gallery_confirm.html", status=status)


@members_only
@require_GET
def gallery_progress(request: HttpRequest) -> HttpResponse:
    """A progress bar that runs by the clock: a minute from empty to full."""
    context = gallery_data.running_progress(timezone.now())
    return respond(request, "web/gallery_progress.html", context, fragment="components/progress.html")


@members_only  # type: ignore[arg-type]  # a file is no HttpResponse, but it is an answer
@require_GET
def gallery_csv(request: HttpRequest) -> HttpResponseBase:
    """The numbers of the gallery's chart."""
    return csv_download("careloop-gallery.csv", gallery_data.CSV_HEADER, gallery_data.csv_rows())
