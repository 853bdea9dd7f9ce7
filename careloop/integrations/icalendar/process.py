"""Reading one calendar file, as a process of its own.

    python -m careloop.integrations.icalendar.process '{"zone": "Asia/Taipei", …}' < calendar.ics

A file from outside may be anything. The parser keeps the time zones of one file for the next, a rule may go on for ever without
ever coming true: so each file gets a process, which `apart.py` ends after some seconds. It imports nothing of Django, to start fast.
"""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from careloop.integrations.icalendar.parsing import CannotRead
from careloop.integrations.icalendar.reading import Found, read
from careloop.integrations.icalendar.sizes import LARGEST

SKIPS_TOLD = 500


def answer(found: Found) -> dict[str, Any]:
    """Return what was found as JSON takes it."""
    skipped = sorted(found.skipped, key=lambda one: one.line)
    return {
        "name": found.name[:120],
        "away": [
            {**asdict(one), "starts_at": one.starts_at.isoformat(), "ends_at": one.ends_at.isoformat()} for one in found.away
        ],
        "skipped": [asdict(one) for one in skipped[:SKIPS_TOLD]],
        "not_told": max(0, len(skipped) - SKIPS_TOLD),
        "warned": [asdict(one) for one in found.warned[:SKIPS_TOLD]],
        "counts": found.counts,
    }  # fmt: skip


def tell(line: int) -> None:
    """Say where the work is, for the case that it is ended there."""
    sys.stderr.write(f"entry {line}\n")
    sys.stderr.flush()


def main() -> int:
    """Read a file from stdin and write what it says, or why it cannot be read."""
    asked = json.loads(sys.argv[1])
    data, now = sys.stdin.buffer.read(LARGEST + 1), datetime.fromisoformat(asked["now"])
    try:
        said = answer(read(data, zone=asked["zone"], now=now, all_day=asked["all_day"], tell=tell))
    except CannotRead as error:
        said = {"refused": error.reason, "line": error.line, "values": error.values}
    sys.stdout.write(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
