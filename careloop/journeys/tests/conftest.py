"""A clinic that can write to its patients."""

import pytest

from careloop.journeys.tests.support import open_line


@pytest.fixture
def clinic(organization):
    open_line()
    return organization
