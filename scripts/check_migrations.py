"""Fail if a model has changed without a migration."""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings_test")

import django


def main() -> int:
    django.setup()
    from django.core.management import call_command

    from careloop.config.database import database
    from careloop.config.installation import prepare_database

    try:
        prepare_database()
        call_command("makemigrations", check=True, dry_run=True, verbosity=1)
    finally:
        cluster = database().cluster
        if cluster is not None:
            cluster.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
