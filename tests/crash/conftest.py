"""A database of its own for tests whose workers do whatever waits in it: other tests leave clinics behind, with work to do."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import TEMPLATE, _point_at


@pytest.fixture
def own_database(django_db_setup: str, django_db_blocker: Any, worker_id: str) -> Iterator[None]:
    """Point this process, and those it starts, at a fresh database."""
    from careloop.config.database import database
    from careloop.kernel.postgres import create_database, drop_database

    administrator, name = database().administrator(), f"careloop_crash_{worker_id}"
    with django_db_blocker.unblock():
        drop_database(administrator, name)
        create_database(administrator, name, template=TEMPLATE)
        _point_at(name)
    os.environ["CARELOOP_DATABASE_NAME"] = name
    yield
    os.environ["CARELOOP_DATABASE_NAME"] = django_db_setup
    with django_db_blocker.unblock():
        _point_at(django_db_setup)
        drop_database(administrator, name)
