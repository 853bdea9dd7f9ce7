"""The process tree of `careloop up`."""

from django.db import connection

from careloop.cli.output import Output
from careloop.cli.processes import Supervisor, ensure_demo
from careloop.config.environment import Environment


def test_links_in_messages_lead_to_where_the_server_listens(monkeypatch):
    tree = Supervisor(Output(as_json=True), host="127.0.0.1", port=8512, workers=1)
    monkeypatch.delenv("CARELOOP_PUBLIC_URL", raising=False)
    for name, value in tree.surroundings().items():
        monkeypatch.setenv(name, value)

    assert Environment().patients_address + "/" == tree.address() == "http://localhost:8512/"


def test_a_public_address_that_is_set_wins(monkeypatch):
    monkeypatch.setenv("CARELOOP_PUBLIC_URL", "https://careloop.anxin.tw")

    assert Environment().patients_address == "https://careloop.anxin.tw"


def test_whoever_watches_keeps_no_connection_after_making_the_demo(committed_organization, monkeypatch):
    def ensure(**_given):
        connection.ensure_connection()
        return {"made": True}

    monkeypatch.setattr("careloop.demo.clinic.ensure", ensure)

    assert ensure_demo(Output(as_json=True)) == {"made": True}
    assert connection.connection is None
    assert connection._connection_pools.get("default") is None
