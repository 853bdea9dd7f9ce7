"""Daily work: calendars that were uploaded and not imported do not lie about."""

from datetime import datetime

from careloop.integrations.icalendar import leave
from careloop.tenancy.loops import daily


@daily("icalendar.clean", hour=3)
def clean(*, now: datetime) -> None:
    """Empty old uploads."""
    leave.remove_old(now=now)
