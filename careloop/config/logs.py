"""How the program logs: one JSON object a line, with the request's id, without patients' data.

Three nets keep personal data out: exceptions are written as their type and place, never with their text (a database error
quotes the row); requests are written as their route, never with their address (a search or a secret link stands in it); and what
still looks like a telephone number, an identity number or a mail address is blotted out.
"""

import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson
import structlog

Event = MutableMapping[str, Any]
PERSONAL = re.compile(
    r"(?P<mail>[\w.+-]+@[\w-]+\.[\w.-]+)"
    r"|(?P<identity>\b[A-Z][1289A-D]\d{8}\b)"
    r"|(?P<phone>(?:\+886[ -]?|\b0)\d{1,3}[ -]?\d{3,4}[ -]?\d{3,4}\b)"
)
LONGEST = 2000


def without_message(_logger: Any, _method: str, event: Event) -> Event:
    """Replace an exception by its type and the way to it."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[1] is not None:
        event["exception"] = _chain(info[1])
    event.pop("stack_info", None)
    return event


def _chain(error: BaseException | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while error is not None and len(found) < 5:
        trace, place = [], error.__traceback__
        while place is not None:
            code = place.tb_frame.f_code
            trace.append(f"{code.co_filename.rsplit('/careloop/', 1)[-1]}:{place.tb_lineno} {code.co_name}")
            place = place.tb_next
        found.append({"type": f"{type(error).__module__}.{type(error).__qualname__}", "trace": trace[-20:]})
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def route_only(_logger: Any, _method: str, event: Event) -> Event:
    """Name the route of a request instead of its address."""
    record = event.get("_record")
    request = getattr(record, "request", None)
    if record is not None and request is not None and hasattr(request, "method"):
        match = getattr(request, "resolver_match", None)
        event["event"] = str(event.get("event", "")).split(":")[0].split("(")[0].strip()
        event["route"] = match.route if match else ""
        event["method"] = request.method
    return event


def blot(_logger: Any, _method: str, event: Event) -> Event:
    """Blot out what looks personal in every text."""
    for name, value in event.items():
        if isinstance(value, str) and name not in ("timestamp", "request_id"):
            event[name] = PERSONAL.sub("[…]", value)[:LONGEST]
    return event


def _json(event: Event, **_more: Any) -> str:
    return orjson.dumps(event, default=lambda value: type(value).__name__).decode()


PREPARE: list[Callable[..., Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    without_message,
    route_only,
    blot,
]


def use_plain(wanted: str) -> bool:
    """Plain lines for a person at a terminal, JSON for everything else, unless the setting says which."""
    return wanted == "plain" or (wanted != "json" and sys.stderr.isatty())


def configure(*, level: str, style: str) -> dict[str, Any]:
    """Let structlog speak through the standard library, and return Django's LOGGING."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *PREPARE, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = (
        structlog.dev.ConsoleRenderer(colors=False) if use_plain(style) else structlog.processors.JSONRenderer(_json)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "careloop": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": PREPARE,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "careloop"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django adds a handler of its own here, which prints whole addresses
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            # quotes values in its debug lines
            "django.db.backends": {"level": "WARNING"},
            "procrastinate": {"level": "WARNING"},
            "aiohttp.access": {"level": "WARNING"},
        },
    }
