"""The one answer that is asked for thousands of times a minute, given before Django's machinery begins.

A poll of a number that this process knows and whose clinic it has read within the last second needs no request, no session and no
database: two thirds of its cost would be the machinery. Everything else goes the ordinary way, which also fills the memory.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from careloop.kernel.ids import token_hash
from careloop.portal.queue import words
from careloop.waitingroom import live

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
START, END = "/p/q/", "/now/"
ROUTE = "queue_pages:number_now"


def wrap(
    application: Application, *, headers: list[tuple[str, str]], observe: Callable[..., None] = lambda **_seen: None
) -> Application:
    """Return the application with the quick answer before it.

    Args:
        headers: what every answer of the program carries.
        observe: keeps the numbers behind /metrics.
    """

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not (path.startswith(START) and path.endswith(END) and environ["REQUEST_METHOD"] == "GET"):
            return application(environ, start_response)
        began = time.perf_counter()
        said = live.glance(token_hash(path[len(START) : -len(END)]), words.for_phone)
        if said is None:
            return application(environ, start_response)
        is_same = environ.get("HTTP_IF_NONE_MATCH") == said.etag
        body = b"" if is_same else said.body
        sent = [("ETag", said.etag), ("Cache-Control", "private, no-cache"), *headers]
        if not is_same:
            sent += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("304 Not Modified" if is_same else "200 OK", sent)
        observe(view=ROUTE, method="GET", status=304 if is_same else 200, seconds=time.perf_counter() - began)
        return [body]

    return answer
