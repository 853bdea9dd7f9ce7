"""What stands on the first page besides its own numbers: slices add their parts in `slots.py`, the page knows none of them.

    blocks.register(Block("sessions", todays_sessions, order=10, permission="schedule.view"))

`render` returns a template (one `<section class="card">`) and its context, or None when there is nothing to show. It is drawn
with the page: one cheap query. Whose data it shows it notes itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

Rendered = tuple[str, dict[str, Any]] | None


@dataclass(frozen=True)
class Block:
    """One part of the first page, for those who hold `permission`."""

    name: str
    render: Callable[[HttpRequest], Rendered]
    order: int = 100
    permission: str = ""


_blocks: dict[str, Block] = {}


def register(block: Block) -> None:
    """Add a block; registering the same name again replaces it."""
    _blocks[block.name] = block


def drawn(request: HttpRequest) -> list[SafeString]:
    """Return the blocks this member may see, drawn, in order."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = []
    for block in sorted(_blocks.values(), key=lambda one: (one.order, one.name)):
        if block.permission and not member.can(block.permission):
            continue
        if rendered := block.render(request):
            template, context = rendered
            found.append(render_to_string(template, context, request=request))
    return found
