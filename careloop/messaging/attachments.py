"""Files that go with a message: slices above give them, channels that can carry files take them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from careloop.messaging.ports import Attachment, Capabilities

if TYPE_CHECKING:
    from careloop.messaging.ready import Ready

Find = Callable[[Sequence["Ready"]], Mapping[UUID, Attachment]]
"""From claimed messages to the file of each, by the message's key. Asked once a batch, inside the organization."""

_finders: dict[str, Find] = {}


def register(name: str, find: Find) -> None:
    """Let `find` add files to messages from now on; a slice above does so in its `slots.py`."""
    _finders[name] = find


def attach(ready: Sequence["Ready"], capabilities: Capabilities) -> None:
    """Put files on the messages of a batch, where their channel carries any."""
    if not ready or not capabilities.attachments:
        return
    for find in _finders.values():
        found = find(ready)
        for one in ready:
            if file := found.get(one.outgoing.key):
                one.outgoing = replace(one.outgoing, attachments=(*one.outgoing.attachments, file))
