"""A member who works at some locations only opens no page of a patient whose home is elsewhere."""

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from careloop.accounts.scope import current_location_ids
from careloop.kernel import sql

PARAMETER = "patient_id"


class HomeLocation:
    """Looks at every address that names a patient, so that no page can forget to."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, named: dict[str, Any]) -> None:
        limit = current_location_ids()
        if limit is None or PARAMETER not in named:
            return
        here = sql.value(
            "select 1 from patients_patient where id = %s and home_location_id = any(%s)", [named[PARAMETER], limit]
        )
        if here is None:
            raise Http404
