"""No table without its wall: walks every table of the database as the application's role."""

import re
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.apps import apps
from django.db import connection, transaction

from careloop.config.database import database
from careloop.kernel import sql
from careloop.kernel.postgres.databases import APP
from careloop.tenancy import security
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import TenantModel


@pytest.fixture
def admin(lasting_database: str):
    """A superuser's connection to this process's test database: sees and may do everything."""
    with psycopg.connect(database().administrator().at(lasting_database).conninfo(), autocommit=True) as made:
        yield made


def tables(admin: Any) -> list[tuple[str, bool, bool, bool]]:
    return admin.execute(
        """select c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and c.relkind in ('r', 'p') order by 1"""
    ).fetchall()


def test_no_walled_table_looks_its_organization_up_for_every_row(admin):
    """The policy and the column's default keep the organization right; a foreign key would only cost every import a sixth."""
    keys = admin.execute(
        """select c.conrelid::regclass::text from pg_constraint c join pg_class t on t.oid = c.conrelid
            where c.contype = 'f' and c.confrelid = 'tenancy_organization'::regclass and t.relforcerowsecurity"""
    ).fetchall()

    assert keys == []


def test_every_table_is_walled_or_listed_with_a_reason(admin):
    bare = [name for name, enabled, forced, _p in tables(admin) if not (enabled and forced)]

    assert [name for name in bare if name not in security.SHARED_TABLES] == []


def test_the_list_of_shared_tables_names_only_tables_that_exist(admin):
    names = {name for name, *_ in tables(admin)}

    assert [name for name in security.SHARED_TABLES if name not in names] == []


def test_every_walled_table_has_the_one_policy_for_all_commands(admin):
    policies = {
        row[0]: row[1:]
        for row in admin.execute(
            "select tablename, policyname, permissive, roles::text, cmd, qual, with_check from pg_policies"
        ).fetchall()
    }
    for name, enabled, _forced, is_partition in tables(admin):
        if not enabled or is_partition:
            continue
        _policy, permissive, roles, command, using, check = policies[name]
        assert (permissive, roles, command) == ("PERMISSIVE", "{public}", "ALL"), name
        assert "current_setting('careloop.organization'" in using, name
        assert check == using, name


def test_the_application_owns_nothing_and_cannot_step_around(admin):
    role = admin.execute(
        "select rolsuper, rolbypassrls, rolcreatedb, rolcreaterole from pg_roles where rolname = %s", [APP]
    ).fetchone()
    owned = admin.execute(
        "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = %s", [APP]
    ).fetchone()
    member_of = admin.execute(
        "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = %s", [APP]
    ).fetchone()

    assert role == (False, False, False, False)
    assert owned == (0,)
    assert member_of == (0,)


def test_partitions_are_reached_through_their_table_only(admin):
    for name, _enabled, _forced, is_partition in tables(admin):
        if is_partition:
            allowed = admin.execute("select has_table_privilege(%s, %s, 'select')", [APP, name]).fetchone()
            assert allowed == (False,), name


def test_every_function_that_looks_across_is_listed(admin):
    found = {
        row[0]
        for row in admin.execute(
            """select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                where n.nspname = 'public' and p.prosecdef"""
        ).fetchall()
    }

    assert found == set(security.DEFINER_FUNCTIONS)


def test_functions_that_look_across_have_a_fixed_search_path(admin):
    loose = admin.execute(
        """select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname = 'public' and p.prosecdef
              and not coalesce(array_to_string(p.proconfig, ',') like '%search_path=public, pg_temp%', false)"""
    ).fetchall()

    assert loose == []


def test_every_unique_rule_of_a_walled_table_holds_inside_one_organization(admin):
    """A unique rule across organizations would tell one clinic what another one has."""
    loose = admin.execute(
        """select c.relname, i.relname from pg_index x join pg_class i on i.oid = x.indexrelid
             join pg_class c on c.oid = x.indrelid join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and x.indisunique and not x.indisprimary and c.relrowsecurity and not c.relispartition
              and not exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id'
                              and a.attnum = any(x.indkey::smallint[]))"""
    ).fetchall()
    assert [index for table, index in loose if table != "tenancy_organization" and index not in HARMLESS_UNIQUE] == []


# unique index → why it tells nothing about another clinic's rows
HARMLESS_UNIQUE: dict[str, str] = {}


# columns whose rules look at each other: table → column → a value that fits the others
FITTING: dict[str, dict[str, str]] = {
    "scheduling_service": {"minutes": "10", "payer": "'SELF'", "deposit": "0"},
    "scheduling_template": {
        "weekday": "1",
        "starts": "'09:00'::time",
        "ends": "'12:00'::time",
        "slot_minutes": "15",
        "mode": "'SLOTS'",
    },
    "scheduling_session": {"ends_at": "now() + interval '1 hour'", "mode": "'SLOTS'"},
    "scheduling_absence": {"ends_at": "now() + interval '1 hour'"},
    "scheduling_appointment": {
        "ends_at": "now() + interval '1 hour'",
        "state": "'cancelled'",
        "cancel_reason": "'clinic'",
    },
    "journeys_enrollment": {"due_at": "now()"},
    "journeys_version": {"hold_out_percent": "10"},
    "policy_sign_off": {"rule_ids": "array['S1']"},
    "loyalty_referral": {"state": "'WAITING'", "completed_at": "null", "referrer_id": "gen_random_uuid()"},
    "loyalty_referral_programme": {"gives": "'THANKS'", "points": "0"},
    "loyalty_greeting_plan": {"hour": "9", "gives": "''", "points": "0", "window_days": "0", "days_before": "0"},
    "loyalty_thanks_wish": {"lunar_month": "1", "lunar_day": "1"},
    "loyalty_newsletter_issue": {"state": "'DRAFT'", "sent_at": "null"},
    "payments_payment": {"state": "'REQUESTED'", "payer": "'SELF'", "amount": "500"},
    "payments_item": {"kind": "'OTHER'", "full_amount": "500", "amount": "500"},
    "payments_refund": {"reason": "'OTHER'", "amount": "5"},
    "loyalty_draw_prize": {"gives": "'GOODS'", "count": "1"},
    "payments_refund_step": {"step": "'SENT'"},
    "loyalty_account": {"kind": "'ISSUED'"},
    "loyalty_entry": {"kind": "'EARN'", "points": "5", "to_member_id": "gen_random_uuid()"},
    "loyalty_lot": {"points": "5", "left": "5", "is_open": "true"},
    "loyalty_lot_use": {"points": "5"},
    "loyalty_pool_member": {"state": "'INVITED'"},
    "loyalty_earn_rule": {"kind": "'VISIT'", "points": "1"},
    "loyalty_tier": {"rank": "1"},
    "loyalty_earning": {"state": "'VOID'", "because": "'CAPPED'", "points": "0"},
    "loyalty_redemption": {"state": "'RESERVED'", "points": "5"},
    "loyalty_reward": {"points": "5"},
    "loyalty_coupon": {"kind": "'PERSONAL'", "gives": "'GOODS'"},
    "loyalty_coupon_code": {"state": "'OPEN'"},
    "loyalty_settlement": {"first_day": "current_date", "last_day": "current_date"},
    "reminders_settings": {
        "early_from_days": "5",
        "early_to_days": "3",
        "hour": "10",
        "same_day_hour": "8",
        "call_hour": "14",
    },
}


def _row_of(cursor: Any, admin: Any, table: str, organization: UUID) -> None:
    """Insert one row of `table` for `organization` through `cursor`, with some value in each needed column."""
    found = admin.execute(
        """select a.attname, format_type(a.atttypid, a.atttypmod), a.attidentity <> '' or a.attgenerated <> ''
             from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped and a.attnotnull
              and (d.oid is null or a.attname = 'organization_id')""",
        [table],
    )
    names, values, allowed = [], [], _allowed_words(admin, table)
    fitting = dict(FITTING.get(table, {}))
    for name, kind, identity in found.fetchall():
        if identity:
            continue
        names.append(name)
        value = f"'{allowed[name]}'" if name in allowed else _some_value(kind)
        values.append(f"'{organization}'::uuid" if name == "organization_id" else fitting.pop(name, value))
    for name, value in fitting.items():
        names.append(name)
        values.append(value)
    columns = ", ".join(f'"{name}"' for name in names)
    cursor.execute(f'insert into "{table}" ({columns}) values ({", ".join(values)})')


def _allowed_words(admin: Any, table: str) -> dict[str, str]:
    """The first word that check constraints allow in a column: `role in ('owner', …)` gives {"role": "owner"}."""
    rules = admin.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass and contype = 'c'", [table]
    ).fetchall()
    found: dict[str, str] = {}
    for (rule,) in rules:
        for name, words in re.findall(r"\(\(?(\w+)\)?::text = ANY \(\(?ARRAY\[(.*?)\]", rule):
            found.setdefault(name, next((word for word in re.findall(r"'([^']*)'", words) if word), ""))
    return found


def _some_value(kind: str) -> str:
    for start, value in (
        ("uuid", "gen_random_uuid()"), ("timestamp", "now()"), ("date", "current_date"), ("bool", "false"),
        ("jsonb", "'{}'::jsonb"), ("bytea", "'\\x00'::bytea"), ("text[]", "'{}'::text[]"), ("uuid[]", "'{}'::uuid[]"),
        ("interval", "interval '1 day'"), ("time", "'10:00'::time"),
    ):  # fmt: skip
        if kind.startswith(start) and (start.endswith("[]") or not kind.endswith("[]")):
            return value
    if kind.endswith("[]"):
        return f"'{{}}'::{kind}"
    if kind.startswith(("int", "bigint", "smallint", "double", "numeric", "real")):
        return "(random() * 20000)::int"
    return "substr(md5(random()::text), 1, 3)"


def test_rows_of_another_organization_cannot_be_read_changed_deleted_or_added(admin, committed_organization):
    """One row of a stranger in every table, then every verb against it as the application."""
    stranger = uuid4()
    walled = [
        name for name, enabled, _f, is_partition in tables(admin)
        if enabled and not is_partition and name != "tenancy_organization"
    ]  # fmt: skip
    filled = _fill(admin, walled, stranger)
    assert set(walled) - set(filled) == set(), "say in FITTING what a row of it needs"

    with in_organization(committed_organization.id):
        for name in filled:
            where = {"id": stranger}
            assert sql.value(f'select count(*) from "{name}" where organization_id = %(id)s', where) == 0, name
            for statement in (
                f'update "{name}" set organization_id = organization_id where organization_id = %(id)s',
                f'delete from "{name}" where organization_id = %(id)s',
            ):
                with _allowed_or_denied():
                    assert sql.execute(statement, where) == 0, statement
            with pytest.raises(Exception, match=r"row-level security|permission denied"), transaction.atomic():
                _row_of(connection.cursor(), admin, name, stranger)

    for name in filled:
        still = admin.execute(f'select count(*) from "{name}" where organization_id = %s', [stranger]).fetchone()
        assert still == (1,), name


def _fill(admin: Any, walled: list[str], organization: UUID) -> list[str]:
    """Put a row of `organization` into each table; return the tables filled."""
    filled = []
    # foreign keys are not what is tried here
    admin.execute("set session_replication_role = replica")
    for name in walled:
        try:
            _row_of(admin, admin, name, organization)
        except psycopg.errors.CheckViolation:
            continue
        filled.append(name)
    admin.execute("set session_replication_role = default")
    return filled


class _allowed_or_denied:
    """Runs a statement that may touch nothing, or be forbidden altogether (append-only tables)."""

    def __enter__(self) -> None:
        self.block = transaction.atomic()
        self.block.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        try:
            self.block.__exit__(kind, error, trace)
        except Exception as raised:
            error = raised
        return error is not None and "permission denied" in str(error)


def test_no_organization_means_no_rows(admin, db):
    for name, enabled, _forced, is_partition in tables(admin):
        if enabled and not is_partition:
            assert sql.value(f'select count(*) from "{name}"') == 0, name


def test_every_tenant_model_is_a_tenant_model():
    """A model with an organization column inherits it, so that it gets the default and the grants."""
    for model in apps.get_models():
        if model.__module__.startswith("careloop.") and any(f.name == "organization" for f in model._meta.fields):
            assert issubclass(model, TenantModel), model
