"""Row-level security and grants: put in place after every migration, and proved by the guard tests.

Facts behind the shapes used here (measured on PostgreSQL 18 with 1,000,000 patients): the sub-select in the policy is
evaluated once a statement, the bare setting once a row; `FORCE` binds the owner too; superusers and BYPASSRLS are
never bound, which is why the application signs in as neither.
"""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db import connections, migrations

from careloop.kernel.postgres.databases import APP, SEARCH

CURRENT = "(select nullif(current_setting('careloop.organization', true), '')::uuid)"

# Tables without an organization, and why each may be.
SHARED_TABLES: dict[str, str] = {
    "django_migrations": "names of migrations",
    "django_content_type": "names of models",
    "django_session": "sign-in sessions, before an organization is known; keys are random",
    "auth_group": "unused names of groups",
    "auth_group_permissions": "unused",
    "auth_permission": "names of model permissions",
    "accounts_user": "a person who signs in may work for several organizations; holds no patient data",
    "accounts_user_groups": "unused",
    "accounts_user_user_permissions": "unused",
    "account_emailaddress": "sign-in addresses of staff",
    "account_emailconfirmation": "sign-in addresses of staff",
    "mfa_authenticator": "second factors of staff",
    "usersessions_usersession": "sessions of staff, so that they can end them",
    "careloop_cache": "rate limits; keys are hashed",
    "procrastinate_jobs": "job names and ids; never patient data",
    "procrastinate_events": "what happened to jobs",
    "procrastinate_periodic_defers": "when periodic jobs ran",
    "procrastinate_workers": "heartbeats of workers",
}


# what somebody else made in our schema (an administrator's copy of a table) is theirs: we neither may nor want to open it
OURS = "n.nspname = 'public' and c.relowner = current_user::regrole"


def apply(alias: str = "owner") -> None:
    """Put every table of ours under its rule. Running it again changes nothing."""
    append_only, read_only = _tables_with("append_only"), _tables_with("read_only")
    with connections[alias].cursor() as cursor:
        cursor.execute(
            f"""select c.relname, c.relispartition,
                      exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id'
                              and not a.attisdropped)
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where {OURS} and c.relkind in ('r', 'p')"""
        )
        for table, is_partition, is_tenant in cursor.fetchall():
            if is_partition:
                # reached through its parent only, where the policy is
                cursor.execute(f'alter table "{table}" enable row level security')
                cursor.execute(f'alter table "{table}" force row level security')
                cursor.execute(f'revoke all on "{table}" from "{APP}"')
                continue
            if is_tenant or table == "tenancy_organization":
                _protect(cursor, table, column="id" if table == "tenancy_organization" else "organization_id")
            verbs = "select, insert, update, delete"
            if table in read_only:
                verbs = "select"
            elif table in append_only:
                verbs = "select, insert"
            cursor.execute(f'revoke all on "{table}" from "{APP}"')
            cursor.execute(f'grant {verbs} on "{table}" to "{APP}"')
            cursor.execute(f'grant select on "{table}" to "{SEARCH}"')
        _drop_organization_keys(cursor)
        cursor.execute(
            f"select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where {OURS} and c.relkind = 'S'"
        )
        for (sequence,) in cursor.fetchall():
            cursor.execute(f'grant usage, select on sequence "{sequence}" to "{APP}"')
        for statement in _extra_grants():
            cursor.execute(statement)


def _protect(cursor: Any, table: str, *, column: str) -> None:
    cursor.execute(f'alter table "{table}" enable row level security')
    cursor.execute(f'alter table "{table}" force row level security')
    cursor.execute(f'drop policy if exists one_organization on "{table}"')
    cursor.execute(
        f'create policy one_organization on "{table}" using ({column} = {CURRENT}) with check ({column} = {CURRENT})'
    )


def _drop_organization_keys(cursor: Any) -> None:
    """Take the foreign keys to the organization off the tables that are under its rule.

    The policy admits only rows of the organization the transaction runs in, and the column's default fills it in, so the key
    proves nothing more; looking the same organization up again for every row was a sixth of an import's time.
    """
    cursor.execute(
        """select c.conrelid::regclass::text, c.conname
             from pg_constraint c join pg_policy p on p.polrelid = c.conrelid and p.polname = 'one_organization'
             join pg_attribute a on a.attrelid = c.conrelid and a.attname = 'organization_id'
            where c.contype = 'f' and c.conparentid = 0 and c.confrelid = 'tenancy_organization'::regclass
              and c.conkey = array[a.attnum]"""
    )
    for table, name in cursor.fetchall():
        cursor.execute(f'alter table {table} drop constraint "{name}"')


def _tables_with(attribute: str) -> set[str]:
    return {model._meta.db_table for model in apps.get_models() if getattr(model, attribute, False)}


def _extra_grants() -> list[str]:
    """Grants that slices declare in `<slice>/security.py` as a list named GRANTS."""
    from importlib import import_module
    from importlib.util import find_spec

    found: list[str] = []
    for config in apps.get_app_configs():
        name = f"{config.name}.security"
        if config.name.startswith("careloop.") and config.name != "careloop.tenancy" and find_spec(name):
            found += list(getattr(import_module(name), "GRANTS", []))
    return found


# Functions that look across the wall: name → why. The guard test compares this with the database.
DEFINER_FUNCTIONS: dict[str, str] = {}


class DefinerFunction(migrations.RunSQL):
    """A migration step: a SECURITY DEFINER function owned by the role that may look across row-level security.

    Use it for the few look-ups that must work before an organization is known, and for searches whose operators are not
    leakproof and could use no index under row-level security. Its body must name the organization itself.

    Args:
        name: the function's name.
        arguments: its arguments, as in SQL (`wanted text, few int`).
        returns: its result, as in SQL.
        body: the text between `$$`.
        why: one sentence; shown by the guard test.
    """

    def __init__(
        self, name: str, *, arguments: str, returns: str, body: str, why: str,
        language: str = "sql", volatility: str = "stable", owner: str = SEARCH,
    ) -> None:  # fmt: skip
        DEFINER_FUNCTIONS[name] = why
        signature = f"{name}({_types(arguments)})"
        statements: Sequence[str] = [
            f"create or replace function {name}({arguments}) returns {returns} language {language} {volatility} "
            f"security definer set search_path = public, pg_temp as $body${body}$body$",
            f"revoke all on function {signature} from public",
            f'grant execute on function {signature} to "{APP}"',
            *([f'alter function {signature} owner to "{owner}"'] if owner != "" else []),
        ]
        super().__init__(list(statements), [f"drop function if exists {signature}"])


def _types(arguments: str) -> str:
    """Return the types of `a uuid, b text default ''` as `uuid, text`."""
    parts = [part.strip() for part in arguments.split(",") if part.strip()]
    return ", ".join(part.split(" default ")[0].split(None, 1)[1] for part in parts)


def unprotected_tables(connection: Any) -> list[str]:
    """Return the tables that are neither under FORCEd row-level security nor listed as shared."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = 'public' and c.relkind in ('r', 'p')
                  and not (c.relrowsecurity and c.relforcerowsecurity) order by 1"""
        )
        return [name for (name,) in cursor.fetchall() if name not in SHARED_TABLES]
