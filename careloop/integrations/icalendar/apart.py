"""Reading a calendar file in a process of its own, which ends with the file or after some seconds."""

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

from careloop.integrations.icalendar.errors import CalendarRefused
from careloop.integrations.icalendar.sizes import LARGEST

# a megabyte of appointments is read in six seconds on a quiet machine
SECONDS = 20


def read(data: bytes, *, zone: str, now: datetime, all_day: str = "busy", seconds: float = SECONDS) -> dict[str, Any]:
    """Return what `reading.read` finds in a file, as JSON.

    Raises:
        CalendarRefused: the file cannot be read, or not in time.
    """
    if len(data) > LARGEST:
        raise CalendarRefused(reason="too_large", most=LARGEST // 1_000_000)
    asked = json.dumps({"zone": zone, "now": now.isoformat(), "all_day": all_day})
    try:
        done = subprocess.run(
            [sys.executable, "-m", "careloop.integrations.icalendar.process", asked],
            input=data, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise CalendarRefused(reason="too_slow", line=_last_line(late.stderr), seconds=round(seconds)) from None
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise CalendarRefused(reason="unreadable", line=_last_line(done.stderr)) from None
    if reason := found.get("refused"):
        raise CalendarRefused(reason=str(reason), line=int(found["line"]), **found["values"])
    return found


def _last_line(said: bytes | None) -> int:
    """The entry that the process was at."""
    at = [line.split()[1] for line in (said or b"").splitlines() if line.startswith(b"entry ")]
    return int(at[-1]) if at and at[-1].isdigit() else 0
