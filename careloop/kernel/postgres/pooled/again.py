"""What the pool does when the database did not let it in for a while and somebody still waits."""

from contextlib import suppress
from typing import Any

from psycopg_pool import ConnectionPool, PoolTimeout


def try_again(pool: ConnectionPool[Any]) -> None:
    """Ask once more on behalf of those who wait (a `reconnect_failed` of the pool).

    The pool itself gives up after its `reconnect_timeout` and tries again when somebody else asks; who asked before would wait to the
    end of their time although the database is back.
    """
    if pool.get_stats().get("requests_waiting"):
        with suppress(PoolTimeout):
            pool.putconn(pool.getconn(timeout=0.01))
