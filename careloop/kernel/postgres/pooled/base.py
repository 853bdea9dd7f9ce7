"""The backend itself; Django looks for it under this name."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """After a restart of the database every connection that waits in the pool is dead; without this each would cost a page.

    Django's own check asks the server, a round trip for every request. Looking whether the server has said farewell asks nobody.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        while True:
            connection = super().get_new_connection(conn_params)
            if self.pool is None or not has_ended(connection):
                return connection
            connection.close()
            # it makes a new one in this one's place
            self.pool.putconn(connection)


def has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server closed this idle connection, as far as this machine knows; waits for nothing."""
    try:
        # the first look may find the farewell, the second finds the end behind it
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return True
    return False
