"""The list of segments with how many are in each now."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from careloop.accounts.access import requires
from careloop.segments import selectors
from careloop.segments.models import Segment
from careloop.web.http import respond


@requires("segments.view")
@require_GET
def segments(request: HttpRequest) -> HttpResponse:
    """Every segment; refreshes itself while it is looked at."""
    archived = request.GET.get("archived") == "1"
    found = selectors.segments(archived=archived)
    for one in found:
        one["purpose_label"] = Segment.Purpose(one["purpose"]).label
        before = one["size_week_ago"]
        one["change"] = one["size"] - before if before is not None and one["size"] is not None else None
    tabs = [
        {"label": _("In use"), "url": "?", "is_current": not archived},
        {"label": _("Archived"), "url": "?archived=1", "is_current": archived},
    ]
    context = {"segments": found, "archived": archived, "tabs": tabs, "everybody": selectors.living_patients()}
    return respond(request, "segments/list.html", context, fragment="segments/_list.html")
