"""One PostgreSQL and one database a process, one fresh organization a test.

Tests run as the application's role, so row-level security is always on. `organization` is rolled back at the end;
`committed_organization` is really there, for tests of workers, crashes and concurrency. What they leave behind stays in a
database that tests which roll back never see, so it does not matter who runs first.
"""

import fcntl
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connections
from django.test import Client

SHARED = Path(__file__).resolve().parent.parent / "shared"
TEMPLATE = "careloop_template"
NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
_numbers = itertools.count(1)


# how long one example takes says more about the machine than about the code
SLACK = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture]
hypothesis.settings.register_profile("careloop", deadline=None, suppress_health_check=SLACK)
hypothesis.settings.load_profile("careloop")

# Long stories first, on one process; short tests are what an idle process can take over at the end. The very first
# needs no database of the tests, which the other process makes meanwhile.
LONG = (
    "tests/installed/",
    "tests/browser/",
    "tests/crash/",
    "careloop/messaging/tests/test_crash.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes long first: a long test that begins last keeps one core and leaves the others idle."""
    items.sort(
        key=lambda item: next((place for place, path in enumerate(LONG) if item.nodeid.startswith(path)), len(LONG))
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop this process's server; the one that started the others removes the folder of all."""
    from careloop.config.database import database

    root = os.environ.get("CARELOOP_TEST_HOME", "")
    cluster = database().cluster
    if cluster is not None and "careloop-test-" in str(cluster.folder):
        cluster.destroy()
    if not hasattr(config, "workerinput") and "careloop-test-" in root:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of conformance data that lies beside a developer's checkout."""
    if not (SHARED / "data").exists():
        pytest.skip("../shared/data is not on this machine")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def key_file() -> None:
    """The keys of this process, so that a test without a database need not ask one whether anything is sealed."""
    from django.conf import settings

    from careloop.kernel import vault

    path = Path(settings.CARELOOP_KEY_FILE)
    if not path.exists():
        vault.create_keyring(path)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any, worker_id: str) -> Iterator[str]:
    """Make the template database once a run, and copy it for this process."""
    from careloop.config.database import database
    from careloop.config.installation import migrate
    from careloop.kernel.postgres import drop_database, prepare
    from careloop.kernel.postgres.databases import Passwords

    here = database()
    if here.cluster is not None:
        here.cluster.settings = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
    name = f"careloop_test_{worker_id}"
    with open(Path(settings.CARELOOP_FILES).parent / "template.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if here.cluster is not None:
            here.cluster.start()
        passwords = Passwords(owner=here.owner.password, app=here.app.password)
        done = Path(lock.name).with_suffix(".done")
        with django_db_blocker.unblock():
            if not done.exists():
                drop_database(here.administrator(), TEMPLATE)
                prepare(here.administrator(), passwords, database=TEMPLATE)
                _point_at(TEMPLATE)
                migrate()
                _close_all()
                done.touch()
    _point_at(_copied(name, django_db_blocker))
    yield name
    with django_db_blocker.unblock():
        _close_all()


def _copied(name: str, django_db_blocker: Any) -> str:
    from careloop.config.database import database
    from careloop.kernel.postgres import create_database, drop_database

    with django_db_blocker.unblock():
        drop_database(database().administrator(), name)
        create_database(database().administrator(), name, template=TEMPLATE)
    return name


def _point_at(name: str) -> None:
    _close_all()
    os.environ["CARELOOP_DATABASE_NAME"] = name  # for processes that tests start
    for alias in ("default", "owner"):
        connections[alias].settings_dict["NAME"] = name
        settings.DATABASES[alias]["NAME"] = name


def _close_all() -> None:
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].close_pool()


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    return getattr(request.config, "workerinput", {}).get("workerid", "main")


@pytest.fixture
def now() -> datetime:
    """A Monday morning, 10:00 in Taipei."""
    return NOW


def make_organization(slug: str = "", **fields: Any) -> Any:
    from careloop.tenancy.services import create_organization

    number = next(_numbers)
    slug = slug or f"clinic-{os.getpid()}-{number}"
    return create_organization(slug=slug, name=fields.pop("name", "安心診所"), now=NOW, **fields)


@pytest.fixture
def organization(db: None) -> Iterator[Any]:
    """A fresh clinic; the test runs inside it and everything is rolled back."""
    from careloop.tenancy.context import in_organization

    made = make_organization()
    with in_organization(made.id):
        yield made


@pytest.fixture
def other_organization(organization: Any) -> Any:
    """Another clinic, whose rows nobody here may see. Enter it with `tests.support.inside(other)`."""
    from careloop.tenancy import context

    token = context._scope.set(None)
    try:
        made = make_organization()
    finally:
        context._scope.reset(token)
        context.set_organization(organization.id)
    return made


@pytest.fixture
def committed_organization(lasting_database: str, django_db_blocker: Any) -> Iterator[Any]:
    """A fresh clinic that is really committed; enter it with `in_organization`."""
    with django_db_blocker.unblock():
        yield make_organization()
        connections["default"].close()


@pytest.fixture(scope="session")
def _lasting(django_db_setup: str, django_db_blocker: Any) -> str:
    return _copied(f"{django_db_setup}_lasting", django_db_blocker)


@pytest.fixture
def lasting_database(_lasting: str, django_db_setup: str, django_db_blocker: Any) -> Iterator[str]:
    """Point this process, and those it starts, at the database of tests that commit; return its name."""
    if settings.DATABASES["default"]["NAME"] != django_db_setup:  # the test has a database of its own
        yield settings.DATABASES["default"]["NAME"]
        return
    _point_at(_lasting)
    yield _lasting
    with django_db_blocker.unblock():
        _point_at(django_db_setup)


@pytest.fixture
def own_database(django_db_setup: str, django_db_blocker: Any, worker_id: str) -> Iterator[None]:
    """Point this process, and those it starts, at a fresh database: for workers that do whatever waits."""
    from careloop.config.database import database
    from careloop.kernel.postgres import drop_database

    name = _copied(f"careloop_crash_{worker_id}", django_db_blocker)
    _point_at(name)
    yield
    with django_db_blocker.unblock():
        _point_at(django_db_setup)
        drop_database(database().administrator(), name)


@pytest.fixture
def member_of() -> Callable[..., Any]:
    """Make a staff user with a role in an organization that the caller is in."""

    def make(role: str = "owner", name: str = "") -> Any:
        from careloop.accounts.models import Membership, User

        user = User.objects.create_user(
            f"{role}-{os.getpid()}-{next(_numbers)}@example.test", "a long enough sentence", name=name or role
        )
        Membership.objects.create(user=user, role=role)
        return user

    return make


@pytest.fixture
def client_for(organization: Any, member_of: Callable[..., Any]) -> Callable[..., Client]:
    """Return a browser signed in as a fresh member with this role."""

    def sign_in(role: str = "owner", language: str = "en") -> Client:
        user = member_of(role)
        client = Client()
        client.force_login(user, backend="careloop.accounts.recognizing.Backend")
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        client.user = user  # type: ignore[attr-defined]
        return client

    return sign_in
