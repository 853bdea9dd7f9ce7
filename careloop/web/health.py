"""Is the program alive, can it work, how does it do: /healthz, /readyz, /metrics."""

import hmac
import time
from functools import lru_cache
from ipaddress import ip_address

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from careloop.accounts.access import public
from careloop.events.readers import STUCK_AFTER_FAILURES
from careloop.kernel import sql
from careloop.tenancy.context import in_organization
from careloop.tenancy.services import organization_ids
from careloop.web import metrics

log = structlog.get_logger(__name__)

REMEMBERED_SECONDS = 3.0
_remembered: dict[str, tuple[float, dict[str, bool]]] = {}


@public("says only that the process answers")
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: restart the process if this does not answer."""
    return _private(JsonResponse({"alive": True}))


@public("says only whether parts of the installation work; names no organization")
@require_GET
def readyz(request: HttpRequest) -> HttpResponse:
    """Ready: send visitors elsewhere while this says no."""
    checks = readiness()
    return _private(
        JsonResponse({"ready": all(checks.values()), "checks": checks}, status=200 if all(checks.values()) else 503)
    )


@public("answers this machine, or whoever holds CARELOOP_METRICS_TOKEN")
@require_GET
def show_metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for Prometheus."""
    if not _may_measure(request):
        return _private(HttpResponse("not allowed\n", status=403, content_type="text/plain"))
    return _private(HttpResponse(metrics.exposition(), content_type="text/plain; version=0.0.4; charset=utf-8"))


def _may_measure(request: HttpRequest) -> bool:
    token = settings.CARELOOP_METRICS_TOKEN
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token and scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode()):
        return True
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False  # a proxy on this machine speaks for somebody else
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _private(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response


def readiness() -> dict[str, bool]:
    """Return what works; looked up at most every few seconds, because anybody may ask."""
    at, checks = _remembered.get("checks", (0.0, {}))
    if time.monotonic() - at < REMEMBERED_SECONDS:
        return checks
    checks = {}
    for name, check in (("database", _database), ("migrations", migrations_current), ("readers", readers_move)):
        try:
            checks[name] = check()
        except Exception:
            log.exception("readiness.check_failed", check=name)
            checks[name] = False
    _remembered["checks"] = (time.monotonic(), checks)
    return checks


def _database() -> bool:
    return bool(sql.value("select 1") == 1)


@lru_cache(maxsize=1)
def _known_migrations() -> frozenset[tuple[str, str]]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return frozenset(loader.disk_migrations)


def migrations_current() -> bool:
    """Whether every migration of this version has been applied."""
    with connection.cursor() as cursor:
        cursor.execute("select app, name from django_migrations")
        return _known_migrations() <= set(cursor.fetchall())


def readers_move() -> bool:
    """Whether no event reader fails again and again."""
    for organization_id, _slug in organization_ids():
        with in_organization(organization_id):
            if sql.value("select 1 from events_position where failures >= %s limit 1", [STUCK_AFTER_FAILURES]):
                return False
    return True
