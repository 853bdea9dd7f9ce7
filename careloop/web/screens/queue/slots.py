"""What the waiting room adds to the first page of the day."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from careloop.accounts.scope import location_ids
from careloop.waitingroom import selectors
from careloop.web.http import clinic_zone
from careloop.web.screens.queue.views import PARTS
from careloop.web.screens.today import blocks
from careloop.web.screens.today.blocks import Block

SHOWN = 9
LONG_WAIT_MINUTES = 45


def queues(request: HttpRequest) -> tuple[str, dict[str, Any]] | None:
    """Today's queues in which somebody stands: how many wait, how long the longest, which number is in the room."""
    now, zone = timezone.now(), clinic_zone(request)
    limit = location_ids(request.member)  # type: ignore[attr-defined]
    rows = [
        {
            **one, "part_label": PARTS.get(one["part"], ""), "starts": one["starts_at"].astimezone(zone),
            "minutes": int((now - one["waiting_since"]).total_seconds() // 60) if one["waiting_since"] else None,
        }
        for one in selectors.todays_sessions(now=now, locations=limit)
        if one["waiting"] or one["missed"] or one["held"] or one["now_called"]
    ]  # fmt: skip
    if not rows:
        return None
    longest = max((one["minutes"] for one in rows if one["minutes"] is not None), default=None)
    return "queue/_today.html", {
        "rows": rows[:SHOWN], "more": max(0, len(rows) - SHOWN), "waiting": sum(one["waiting"] for one in rows), "longest": longest,
        "long_wait": LONG_WAIT_MINUTES,
    }  # fmt: skip


blocks.register(Block("queues", queues, order=11, permission="queue.run"))
