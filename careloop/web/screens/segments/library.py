"""The gallery of ready segments."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from careloop.accounts.access import requires
from careloop.facts.services import clinic_day
from careloop.kernel.errors import DomainError
from careloop.segments import language, selectors
from careloop.segments import library as shelf
from careloop.segments.models import Segment
from careloop.web.http import redirect_to, refuse, respond


def _ready(key: str) -> shelf.Ready:
    found = shelf.ready_on(clinic_day(timezone.now())).get(key)
    if found is None:
        raise Http404
    return found


@requires("segments.view")
@require_GET
def gallery(request: HttpRequest) -> HttpResponse:
    """All ready segments, those taken over already marked."""
    mine = dict(Segment.objects.filter(archived_at=None).exclude(library_key="").values_list("library_key", "id"))
    shown = [
        {"ready": one, "segment_id": mine.get(one.key), "purpose_label": Segment.Purpose(one.purpose).label}
        for one in shelf.ready_on(clinic_day(timezone.now())).values()
    ]
    return respond(request, "segments/library.html", {"shown": shown})


@requires("segments.view")
@require_GET
def counted(request: HttpRequest, key: str) -> HttpResponse:
    """How many a ready segment would select, asked for when its card comes into view."""
    one = _ready(key)
    size = selectors.count(language.read(one.rule), now=timezone.now())
    return respond(
        request, "segments/ready_count.html", {"size": size, "one": one}, fragment="segments/_ready_count.html"
    )


@requires("segments.view")
@require_http_methods(["GET", "POST"])
def ready(request: HttpRequest, key: str) -> HttpResponse:
    """What a ready segment does, and taking it over."""
    one = _ready(key)
    now = timezone.now()
    if request.method == "POST":
        if not request.member.can("segments.edit"):  # type: ignore[attr-defined]
            return refuse(request, _("Your role may look at segments but not make any."), status=403)
        try:
            segment = shelf.take_over(key, by=request.user, now=now)
        except DomainError as refusal:
            return refuse(request, str(refusal))
        message = _("Taken over. %(size)d patients are in it now.") % {"size": segment.size or 0}
        return redirect_to(request, reverse("segments:page", args=[segment.id]), message=message)
    node = language.read(one.rule)
    count = selectors.preview(node, now=now, purpose=one.purpose)
    context = {
        "one": one, "count": count, "everybody": selectors.living_patients(),
        "purpose_label": Segment.Purpose(one.purpose).label, "tree": language_tree(node),
        "segment_id": Segment.objects.filter(library_key=key, archived_at=None).values_list("id", flat=True).first(),
    }  # fmt: skip
    return respond(request, "segments/ready.html", context)


def language_tree(node: language.Node) -> dict[str, object]:
    """A rule as the template draws it: groups with their parts, leaves with their sentence."""
    if isinstance(node, language.Leaf):
        return {"sentence": node.sentence, "clinical": node.is_clinical, "parts": []}
    if isinstance(node, language.Not):
        inner = node.part
        parts = inner.parts if isinstance(inner, language.Group) and inner.join == "any" else (inner,)
        return {"sentence": _("None of these is true"), "parts": [language_tree(part) for part in parts]}
    if not node.parts:
        return {"sentence": _("Every patient"), "parts": []}
    word = _("All of these are true") if node.join == "all" else _("At least one is true")
    return {"sentence": word, "parts": [language_tree(part) for part in node.parts]}
