"""The database that goes and comes back under a running program."""

import os
import socket

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections
from django.test import RequestFactory
from psycopg_pool import ConnectionPool

from careloop.cli.output import Output
from careloop.cli.processes import Supervisor
from careloop.config.database import LOCK_WAIT, wait_briefly
from careloop.config.urls import handler500
from careloop.kernel import sql
from careloop.kernel.postgres.cluster import SOCKET_PORT, Cluster, ClusterError
from careloop.tenancy.context import in_organization
from careloop.web.errors import server_error


def supervisor(cluster):
    return Supervisor(Output(as_json=True), host="127.0.0.1", port=8512, workers=1, cluster=cluster)


class Server:
    """Stands in for our own database server; told when to fail."""

    def __init__(self, *, running=False, stopping=False, fails=0):
        self.running, self.stopping, self.fails, self.did = running, stopping, fails, []

    def is_running(self):
        return self.running

    def is_stopping(self):
        return self.stopping

    def stop(self):
        self.did.append("stop")
        self.running = self.stopping = False

    def start(self):
        self.did.append("start")
        if self.fails:
            self.fails -= 1
            raise ClusterError("still in use")
        self.running = True


def test_a_database_that_was_killed_is_started_again():
    server = Server(running=False)

    supervisor(server).keep_database()

    assert server.running


def test_a_database_that_waits_for_everybody_to_leave_is_ended_and_started_again():
    server = Server(running=True, stopping=True)

    supervisor(server).keep_database()

    assert server.did == ["stop", "start"]


def test_a_running_database_is_left_alone_and_so_is_one_that_we_stop_ourselves():
    well, ours = Server(running=True), Server(running=False)
    supervisor(well).keep_database()
    tree = supervisor(ours)
    tree.stopping = True
    tree.keep_database()

    assert (well.did, ours.did) == ([], [])


def test_a_database_that_does_not_start_yet_is_tried_again():
    server = Server(running=False, fails=1)
    tree = supervisor(server)

    tree.keep_database()
    tree.keep_database()

    assert server.running


def files_of_a_server(cluster, *, pid, state="ready   "):
    cluster.data.mkdir(parents=True)
    lines = [pid, cluster.data, 1, SOCKET_PORT, cluster.socket_folder, "", "1 2", state]
    (cluster.data / "postmaster.pid").write_text("\n".join(map(str, lines)) + "\n")


def test_a_number_that_belongs_to_a_stranger_after_a_power_cut_is_no_running_server(tmp_path):
    cluster = Cluster(tmp_path, tmp_path)
    files_of_a_server(cluster, pid=os.getpid())
    cluster.socket_folder.mkdir(parents=True)
    place = str(cluster.socket_folder / f".s.PGSQL.{SOCKET_PORT}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(place)
        server.listen()
        assert cluster.is_running()

    assert not cluster.is_running()


def test_a_server_says_itself_that_it_is_stopping(tmp_path):
    going, stopping = Cluster(tmp_path / "a", tmp_path), Cluster(tmp_path / "b", tmp_path)
    files_of_a_server(going, pid=1)
    files_of_a_server(stopping, pid=1, state="stopping")

    assert (going.is_stopping(), stopping.is_stopping()) == (False, True)
    assert not Cluster(tmp_path / "none", tmp_path).is_stopping()


def test_connections_that_died_in_the_pool_cost_nobody_a_page(committed_organization):
    assert sql.value("select 1") == 1
    connection.close()
    waiting = connection.pool.get_stats()["pool_available"]
    assert waiting

    end_our_connections()

    for _ in range(waiting + 1):
        assert sql.value("select 1") == 1
        connection.close()


def end_our_connections():
    """As a restart of the database does."""
    from psycopg import connect

    from careloop.config.database import database

    with connect(database().administrator().at("postgres").conninfo(), autocommit=True) as administrator:
        administrator.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s and usename = %s",
            [connection.settings_dict["NAME"], connection.settings_dict["USER"]],
        )


def test_who_waits_while_the_database_is_away_gets_in_when_it_is_back(db):
    """The pool gives up after a while, and would begin again only when somebody else asks."""
    known = connection.get_connection_params()
    here = {name: known[name] for name in ("dbname", "user", "password", "host", "port")}
    away = [{"host": "/nowhere"}] * 3

    def where():
        return away.pop() if away else here

    given = settings.DATABASES["default"]["OPTIONS"]["pool"]
    with ConnectionPool(
        kwargs=where, min_size=0, max_size=2, reconnect_timeout=0, reconnect_failed=given["reconnect_failed"]
    ) as pool, pool.connection(timeout=10) as made:  # fmt: skip
        assert made.execute("select 1").fetchone() == (1,)
    assert not away


@pytest.mark.parametrize("name", ["OperationalError", "InterfaceError"])
def test_a_page_says_that_the_database_is_away_and_when_to_come_back(name, db):
    from django import db as errors

    assert handler500 == "careloop.web.errors.server_error"
    try:
        raise getattr(errors, name)("the connection is lost")
    except errors.Error:
        # it fails before anybody knows who asks, so the browser's language counts
        english = RequestFactory(headers={"accept-language": "en"})
        page, api = (server_error(english.get(path)) for path in ("/", "/api/v1/patients"))

    assert {page.status_code, api.status_code} == {503}
    assert {page["Retry-After"], api["Retry-After"]} == {"10"}
    assert "database does not answer" in page.content.decode()
    assert api["Content-Type"] == "application/json"
    assert b"api.database_away" in api.content


def test_who_waits_too_long_for_somebody_elses_change_is_told_so(committed_organization):
    settings = {**connection.settings_dict, "OPTIONS": {"prepare_threshold": None}}
    wait_briefly(settings)
    page_of_somebody = type(connections["default"])(settings, "page")
    with in_organization(committed_organization.id), page_of_somebody.cursor() as cursor:
        sql.execute("select pg_advisory_xact_lock(4711)")
        cursor.execute("show lock_timeout")
        assert cursor.fetchone() == (LOCK_WAIT,)
        cursor.execute("set lock_timeout = '50ms'")
        try:
            cursor.execute("select pg_advisory_lock(4711)")
        except OperationalError:
            english = RequestFactory(headers={"accept-language": "en"})
            page, api = (server_error(english.get(path)) for path in ("/", "/api/v1/patients"))
    page_of_somebody.close()

    assert (page.status_code, page["Retry-After"]) == (503, "10")
    assert "is changing the same data just now" in page.content.decode()
    assert b"api.busy" in api.content
