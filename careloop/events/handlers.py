"""The log's own upkeep."""

from datetime import datetime, timedelta

from careloop.kernel import sql
from careloop.tenancy.loops import daily


@daily("events.partitions", hour=0)
def make_next_months(*, now: datetime) -> None:
    """Make the event table's partitions for this month and the next two."""
    for months in range(3):
        sql.value("select events_make_partition(%s)", [(now + timedelta(days=31 * months)).date()])
