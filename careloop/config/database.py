"""Which database this installation uses, and as whom."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from careloop.config.environment import Environment, environment
from careloop.kernel.postgres.cluster import Cluster, find_binaries
from careloop.kernel.postgres.databases import APP, OWNER, Endpoint, Passwords, prepare


@dataclass(frozen=True)
class Database:
    """The two ways in: as the owner (migrations) and as the application."""

    admin: Endpoint
    owner: Endpoint
    app: Endpoint
    cluster: Cluster | None

    def start(self) -> None:
        """Start our own server if it is ours, and make sure that roles and database exist."""
        if self.cluster is not None:
            self.cluster.start()
        passwords = Passwords(owner=self.owner.password, app=self.app.password)
        prepare(self.administrator(), passwords, database=self.app.database)

    def administrator(self) -> Endpoint:
        """Return the way in that may create roles and databases."""
        if self.cluster is None:
            return self.admin
        return self.admin.as_user("postgres", self.cluster.superuser_password())


def describe(settings: Environment) -> Database:
    """Return the database of `settings` without touching it."""
    passwords = Passwords.load_or_create(settings.keys / "postgres.json")
    if settings.database_url:
        admin = Endpoint.from_url(settings.database_url)
        cluster = None
    else:
        cluster = Cluster(settings.home / "postgres", find_binaries(settings.postgres_bin))
        admin = Endpoint(str(cluster.socket_folder), 5432, settings.database_name, "postgres", "")
    return Database(
        admin=admin,
        owner=admin.as_user(OWNER, passwords.owner),
        app=admin.as_user(APP, passwords.app),
        cluster=cluster,
    )


# a change of somebody else's takes milliseconds, and an import's part seconds; the dry run of a large import may take minutes
LOCK_WAIT = "10s"


def wait_briefly(settings: dict[str, Any]) -> None:
    """Have this process's connections wait for others' locks no longer than somebody waits for a page, as `web.errors` then says.

    A web server has few threads: a handful of people who edit what a long transaction holds would else keep it from everybody.

    Args:
        settings: of the database in Django's form; used by the connections that are made from now on.
    """
    given = settings["OPTIONS"].get("options", "")
    settings["OPTIONS"]["options"] = f"{given} -c lock_timeout={LOCK_WAIT}".strip()


@lru_cache(maxsize=1)
def database() -> Database:
    """Return the database of this process's settings."""
    return describe(environment())
