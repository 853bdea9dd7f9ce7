"""Makes the channels of this package known to messaging: one line per channel."""

from careloop.messaging import ports

from . import line, smtp
from .sandbox.adapter import KIND as SANDBOX

ports.register(line.KIND)
ports.register(smtp.KIND)
ports.register(SANDBOX)
