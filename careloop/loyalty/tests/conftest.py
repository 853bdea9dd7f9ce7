"""Where members earn, and what reads the events they earn by."""

import pytest

from careloop.loyalty.earn import handlers
from careloop.loyalty.tests.make import Log


@pytest.fixture
def abroad(organization):
    """An organization to which Taiwan's rules do not apply."""
    organization.legal_profile = "INTL"
    organization.save()
    return organization


@pytest.fixture
def log():
    return Log(
        lambda batch, now: handlers.take(
            [one for one in batch if not one.historical and one.patient_id is not None], now=now
        )
    )
