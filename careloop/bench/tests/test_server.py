"""The bench of pages: it measures a server that answers, or says that there is none."""

import socket
import subprocess
import sys

import pytest

from careloop.bench.server import wait_until_open


@pytest.fixture
def closed_port():
    """A port that nobody listens at: bound here, so that nobody else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_server_that_never_answers_is_no_measurement(closed_port):
    with pytest.raises(RuntimeError, match="did not answer at port"):
        wait_until_open(closed_port, [], seconds=0.2)


def test_a_server_that_ended_is_not_waited_for(closed_port):
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as ended:
        ended.wait()

    with pytest.raises(RuntimeError, match="ended with 3"):
        wait_until_open(closed_port, [ended])


def test_the_measurement_begins_once_somebody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wait_until_open(listening.getsockname()[1], [])
