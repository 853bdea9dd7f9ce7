"""The slices that keep something of a patient, found by the module each of them has."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast
from uuid import UUID

from django.apps import apps


class Keeper(Protocol):
    """`<slice>/privacy.py`."""

    def export(self, patient_id: UUID) -> dict[str, Any]:
        """Return everything the slice holds about the patient, in clear."""

    def erase(self, patient_id: UUID) -> None:
        """Erase what says who this is, or says something about them."""


def keepers() -> Iterator[tuple[str, Keeper]]:
    """Yield the slices' names and modules, those of the top floor first: what they refer to is still there then."""
    for config in reversed(list(apps.get_app_configs())):
        name = f"{config.name}.privacy"
        if config.name.startswith("careloop.") and find_spec(name):
            yield config.label, cast("Keeper", import_module(name))
