"""Row-level security and grants: put in place after every migration, and proved by the guard tests.

Facts behind the shapes used here (measured on PostgreSQL 18 with 1,000,000 patients): the sub-select in the policy is
evaluated once a statement, the bare setting once a row; `FORCE` binds the owner too; superusers and BYPASSRLS are
never bound, which is why the application signs in as neither.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.db import connections, migrations, transaction

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
    """Put every table of ours under its rule that is not: the program may be running, and each of these statements stops it.

    A table changes at once, so that no moment shows it without its wall, or takes the program's rights away.
    """
    with connections[alias].cursor() as cursor:
        for statements in _out_of_place(cursor):
            with transaction.atomic(using=alias):
                for statement in statements:
                    cursor.execute(statement)
        _drop_organization_keys(cursor)
        cursor.execute(
            f"""select c.relname, has_sequence_privilege('{APP}', c.oid, 'usage') and has_sequence_privilege('{APP}', c.oid, 'select')
                  from pg_class c join pg_namespace n on n.oid = c.relnamespace where {OURS} and c.relkind = 'S'"""
        )
        for sequence, is_open in cursor.fetchall():
            if not is_open:
                cursor.execute(f'grant usage, select on sequence "{sequence}" to "{APP}"')


def _out_of_place(cursor: Any) -> Iterator[list[str]]:
    """Yield, for each table that is not as it should be, the statements that put it right."""
    append_only, read_only = _tables_with("append_only"), _tables_with("read_only")
    policies = {column: _as_kept(cursor, column) for column in ("id", "organization_id")}
    cursor.execute(
        f"""select quote_ident(c.relname), c.relispartition, c.relrowsecurity and c.relforcerowsecurity,
                  exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id'
                          and not a.attisdropped),
                  (select {_POLICY} from pg_policy p where p.polrelid = c.oid and p.polname = 'one_organization'),
                  array(select lower(held.privilege_type) from aclexplode(c.relacl) held where held.grantee = '{APP}'::regrole),
                  exists (select 1 from pg_attribute a, aclexplode(a.attacl) held
                           where a.attrelid = c.oid and held.grantee = '{APP}'::regrole),
                  has_table_privilege('{SEARCH}', c.oid, 'select')
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where {OURS} and c.relkind in ('r', 'p') order by 1"""
    )
    for table, is_partition, is_walled, is_tenant, policy, verbs, has_columns, is_searched in cursor.fetchall():
        wall = [f"alter table {table} enable row level security", f"alter table {table} force row level security"]
        statements: list[str] = []
        wanted: set[str] = set()
        if is_partition:
            # reached through its parent only, where the policy is
            statements += [] if is_walled else wall
        else:
            column = "id" if table == "tenancy_organization" else "organization_id"
            if (is_tenant or column == "id") and not (is_walled and policy == policies[column]):
                statements += [*wall, f"drop policy if exists one_organization on {table}", _policy(table, column)]
            wanted = {"select", "insert", "update", "delete"}
            if table in read_only:
                wanted = {"select"}
            elif table in append_only:
                wanted = {"select", "insert"}
        if has_columns or set(verbs) != wanted:
            statements.append(f'revoke all on {table} from "{APP}"')
            statements += [f'grant {", ".join(sorted(wanted))} on {table} to "{APP}"'] if wanted else []
        if not is_partition and not is_searched:
            statements.append(f'grant select on {table} to "{SEARCH}"')
        if statements:
            yield statements


# a policy as PostgreSQL keeps it, in one value
_POLICY = """jsonb_build_array(p.polpermissive, p.polcmd, p.polroles::oid[]::text,
                               pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))"""


def _policy(table: str, column: str) -> str:
    return f"create policy one_organization on {table} using ({column} = {CURRENT}) with check ({column} = {CURRENT})"


def _as_kept(cursor: Any, column: str) -> Any:
    """Return our policy as PostgreSQL keeps it: it writes expressions in its own way, so it is asked to write this one."""
    cursor.execute(f"create temporary table careloop_pattern ({column} uuid)")
    cursor.execute(_policy("careloop_pattern", column))
    cursor.execute(f"select {_POLICY} from pg_policy p where p.polrelid = 'careloop_pattern'::regclass")
    (kept,) = cursor.fetchone()
    cursor.execute("drop table careloop_pattern")
    return kept


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
