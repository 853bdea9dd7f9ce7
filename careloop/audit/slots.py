"""What the audit chain does for the slices below it. Imported once at start (config/wiring.py)."""

from careloop.accounts import trail
from careloop.audit.services import Actor, record

trail.write_with(record, visitor=lambda name, address: Actor("visitor", None, name, via="web", address=address))
