"""Daily work: files of uploads that nobody went on with do not lie about."""

from datetime import datetime

from careloop.integrations.imports import uploads
from careloop.tenancy.loops import daily


@daily("imports.clean", hour=3)
def clean(*, now: datetime) -> None:
    """Delete old uploads, and what imports that were killed had unpacked."""
    uploads.remove_old(now=now)
    uploads.remove_left_over(now=now)
