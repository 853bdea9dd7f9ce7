"""Django's PostgreSQL backend, with a pool that hands out no connection whose server has gone (an ENGINE of DATABASES)."""
