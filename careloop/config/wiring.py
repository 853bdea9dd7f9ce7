"""The only file that knows everyone: which slices take part, and which adapter fulfils which port."""

from importlib import import_module
from importlib.util import find_spec

from django.conf import settings

# Importing these declares facts, readers, and what a slice adds to the pages of those below it.
DECLARATIONS = ("events", "handlers", "slots")
SLICES = (
    "events", "audit", "accounts", "policy", "patients", "consent", "records", "followups", "scheduling", "waitingroom", "facts",
    "messaging", "segments", "journeys", "reminders", "payments", "loyalty", "insights", "integrations", "integrations.imports", "integrations.channels",
    "integrations.icalendar", "integrations.payments", "portal", "api", "web",
)  # fmt: skip


def connect() -> None:
    """Import each slice's declarations. Called once, when Django is ready."""
    for name in (*SLICES, *(screens.removeprefix("careloop.") for screens in settings.SCREENS)):
        if find_spec(f"careloop.{name}") is None:
            continue
        for part in DECLARATIONS:
            module = f"careloop.{name}.{part}"
            if find_spec(module) is not None:
                import_module(module)
