"""A number for each request in the logs, and how long requests take."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

from careloop.web import metrics

HEADER = "X-Request-Id"


class Observe:
    """First of all middleware: binds the request's id to every log line, and measures the whole answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        response = self.get_response(request)
        match: Any = request.resolver_match
        metrics.observe_request(
            view=match.view_name or match.route if match else "none", method=request.method or "",
            status=response.status_code, seconds=time.perf_counter() - began,
        )  # fmt: skip
        response.headers.setdefault(HEADER, request_id)
        return response
