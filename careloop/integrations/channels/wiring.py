"""Makes the channels of this package known; called once from `careloop.config.wiring`."""

from careloop.messaging import ports

from . import line, smtp
from .sandbox.adapter import KIND as SANDBOX


def register_channels() -> None:
    """One line per channel; a channel from elsewhere is registered the same way beside this call."""
    ports.register(line.KIND)
    ports.register(smtp.KIND)
    ports.register(SANDBOX)
