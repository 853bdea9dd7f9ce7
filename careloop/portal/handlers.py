"""What the patients' pages clear away."""

from datetime import datetime, timedelta

from careloop.kernel import sql
from careloop.portal import codes
from careloop.tenancy.loops import daily

KEPT = timedelta(days=90)


@daily("portal-tidy", hour=3)
def tidy(*, now: datetime) -> None:
    """Remove old codes, sessions that ended long ago, and bookings nobody finished."""
    codes.forget_old(now=now)
    sql.execute("delete from portal_session where coalesce(ended_at, expires_at) < %s", [now - KEPT])
    sql.execute("delete from portal_booking where created_at < %s", [now - timedelta(days=2)])
