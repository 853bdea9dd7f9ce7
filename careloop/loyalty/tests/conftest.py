"""Where members earn and bring friends, and what reads the events they earn by."""

import pytest

from careloop.loyalty.earn import handlers
from careloop.loyalty.tests.make import NOW, Log
from careloop.loyalty.thanks import referrals
from careloop.messaging.tests.support import account as channel


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


@pytest.fixture
def referring(organization):
    """A clinic whose members have referral codes, and a channel to thank them on."""
    channel("sms", now=NOW)
    referrals.set_up(given={"is_on": True}, version=None, now=NOW, by=None)
    return organization
