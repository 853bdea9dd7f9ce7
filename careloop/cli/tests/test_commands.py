"""Commands on a database: what they answer, what they refuse, and with which code they end."""

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from django.utils.translation import get_language

from careloop.accounts.models import Membership, User
from careloop.audit.models import AuditEvent
from careloop.audit.services import record
from careloop.cli.output import in_own_words
from careloop.config.database import database
from careloop.kernel import sql
from careloop.kernel.postgres.databases import APP
from careloop.loyalty.tests.support import earn, member, open_programme
from careloop.tenancy import security, services
from careloop.tenancy.context import in_organization
from careloop.tenancy.services import find_organization

LONG = "a long enough sentence"
NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)


@pytest.fixture
def slug(command):
    """A clinic made by the command."""
    name = f"cli-{uuid4().hex[:12]}"
    assert command("organization", "create", name, "--name", "安心診所").code == 0
    return name


@pytest.fixture
def admin(lasting_database):
    """A superuser's connection: what somebody who broke into the database server has."""
    with psycopg.connect(database().administrator().at(lasting_database).conninfo(), autocommit=True) as made:
        yield made


def refused(result, *words):
    """One line on stderr, nothing on stdout, code 1."""
    assert (result.code, result.out) == (1, ""), result
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("careloop: ")
    assert "Traceback" not in result.err
    for word in words:
        assert word in last
    return True


# -- organizations ---------------------------------------------------------------------------------------------


def test_an_organization_is_made_and_listed(command):
    name = f"cli-{uuid4().hex[:12]}"

    made = command("organization", "create", name, "--name", "安心診所", "--json")

    assert made.code == 0
    assert made.json["slug"] == name
    assert name in command("organization", "list", "--json").json["organizations"]
    assert name in command("organization", "list").out.splitlines()


def test_the_next_step_is_told(command):
    name = f"cli-{uuid4().hex[:12]}"

    said = command("organization", "create", name, "--name", "安心診所").out

    assert f"careloop user create EMAIL --organization {name}" in said


def test_a_taken_name_is_refused(command, slug):
    assert refused(command("organization", "create", slug, "--name", "x"), slug, "exists already")


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("Not A Slug", [], "slug: "),
        ("fine-but", ["--time-zone", "Mars/Base"], "Mars/Base"),
        ("fine-but", ["--currency", "ATLANTIS"], "ATLANTIS"),
    ],
)
def test_a_wrong_field_is_named(command, name, more, words):
    result = command("organization", "create", name, "--name", "x", *more)

    assert refused(result, words)
    assert name not in command("organization", "list", "--json").json["organizations"]


def test_an_unknown_organization_is_refused_with_those_that_exist(command, slug):
    assert refused(command("count", "--organization", "nowhere"), "nowhere", slug)


def test_the_demo_clinic_is_not_guessed_beside_a_clinic_of_ones_own(monkeypatch):
    monkeypatch.setattr(services, "organization_ids", lambda: [(uuid4(), "anxin"), (uuid4(), "demo")])

    with pytest.raises(services.OrganizationNeeded, match="anxin, demo"):
        services.find_organization(None)


def test_several_organizations_need_a_name(command, slug):
    command("organization", "create", f"cli-{uuid4().hex[:12]}", "--name", "x")

    assert refused(command("count"), "several organizations")


@pytest.mark.parametrize(
    ("spoken", "language"),
    [("zh_TW.UTF-8", "zh-hant"), ("zh_CN.UTF-8", "zh-hans"), ("de_DE.UTF-8", "en"), ("C.UTF-8", "en"), ("", "en")],
)
def test_refusals_speak_the_language_of_the_terminal(monkeypatch, spoken, language):
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", spoken)

    with in_own_words():
        assert get_language() == language


# -- users -----------------------------------------------------------------------------------------------------


def test_a_user_is_made_with_a_role_and_leaves_a_trace(command, slug):
    email = f"{uuid4().hex[:10]}@example.test"

    made = command(
        "user",
        "create",
        email,
        "--role",
        "nurse",
        "--organization",
        slug,
        "--password-stdin",
        "--json",
        stdin=LONG + "\n",
    )

    assert made.code == 0
    assert made.json["email"] == email
    user = User.objects.get(email=email)
    assert user.check_password(LONG)
    with in_organization(find_organization(slug)):
        assert Membership.objects.get(user=user).role == "nurse"
        assert AuditEvent.objects.filter(action="staff.created", actor_kind="command").count() == 1


@pytest.mark.parametrize("password", ["", "short", "fourteen chars"])
def test_a_weak_password_is_refused(command, slug, password):
    email = f"{uuid4().hex[:10]}@example.test"

    assert refused(command("user", "create", email, "--organization", slug, "--password-stdin", stdin=password + "\n"))
    assert not User.objects.filter(email=email).exists()


def test_no_password_where_nobody_can_be_asked_is_refused(command, slug, monkeypatch):
    def nobody_there(_prompt):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody_there)

    assert refused(command("user", "create", "x@example.test", "--organization", slug), "--password-stdin")


def test_an_unknown_role_is_refused_with_the_roles(command, slug):
    result = command(
        "user", "create", "x@example.test", "--role", "emperor", "--organization", slug, "--password-stdin", stdin=LONG
    )

    assert refused(result, "emperor", "front_desk")


@pytest.mark.parametrize("email", ["nobody", "a@b", "", "a b@example.test"])
def test_a_wrong_address_is_refused(command, slug, email):
    assert refused(command("user", "create", email, "--organization", slug, "--password-stdin", stdin=LONG), "address")


def test_a_second_user_with_the_address_is_refused(command, slug):
    email = f"{uuid4().hex[:10]}@example.test"
    command("user", "create", email, "--organization", slug, "--password-stdin", stdin=LONG)

    again = command("user", "create", email.upper(), "--organization", slug, "--password-stdin", stdin=LONG)

    assert refused(again, "is a user already")


# -- data ------------------------------------------------------------------------------------------------------


def test_migrating_again_changes_nothing_under_a_program_that_runs(command, admin):
    statement = "select (select array_agg((oid, xmin) order by oid) from pg_class), (select array_agg((oid, xmin) order by oid) from pg_policy)"
    before = admin.execute(statement).fetchone()

    assert command("migrate", "--json").json == {"migrated": True}

    assert admin.execute(statement).fetchone() == before


@pytest.mark.parametrize(
    ("damage", "proof"),
    [
        ("alter table patients_patient disable row level security", "select relrowsecurity from pg_class where relname = 'patients_patient'"),
        ("alter table patients_patient no force row level security", "select relforcerowsecurity from pg_class where relname = 'patients_patient'"),
        ("drop policy one_organization on patients_patient", "select count(*) = 1 from pg_policies where tablename = 'patients_patient'"),
        ("alter policy one_organization on patients_patient using (true)", "select qual like '%careloop.organization%' from pg_policies where tablename = 'patients_patient'"),
        ("alter policy one_organization on tenancy_organization with check (true)", "select with_check like '%careloop.organization%' from pg_policies where tablename = 'tenancy_organization'"),
        ("grant truncate, delete on audit_event to careloop_app", "select not has_table_privilege('careloop_app', 'audit_event', 'truncate, delete')"),
        ("grant update (payload) on events_event to careloop_app", "select not has_column_privilege('careloop_app', 'events_event', 'payload', 'update')"),
        ("revoke update on patients_patient from careloop_app", "select has_table_privilege('careloop_app', 'patients_patient', 'update')"),
        ("revoke select on patients_patient from careloop_search", "select has_table_privilege('careloop_search', 'patients_patient', 'select')"),
        ("revoke usage on sequence procrastinate_jobs_id_seq from careloop_app", "select has_sequence_privilege('careloop_app', 'procrastinate_jobs_id_seq', 'usage')"),
    ],
)  # fmt: skip
def test_migrating_puts_a_wall_right_that_somebody_moved(command, admin, damage, proof):
    assert admin.execute(proof).fetchone() == (True,)
    admin.execute(damage)
    assert admin.execute(proof).fetchone() == (False,)

    assert command("migrate", "--json").json == {"migrated": True}

    assert admin.execute(proof).fetchone() == (True,)


def test_a_wall_is_moved_at_once(command, admin):
    """A program that runs sees the table before or after, never without its wall and never without its own rights."""
    seen: list[tuple[str, bool]] = []

    def note(execute, statement, params, many, context):
        if statement.startswith(("drop policy", "revoke", "grant")):
            seen.append((statement, context["connection"].in_atomic_block))
        return execute(statement, params, many, context)

    admin.execute("drop policy one_organization on patients_patient")
    admin.execute("grant delete on audit_event to careloop_app")
    with connections["owner"].execute_wrapper(note):
        security.apply()

    assert seen == [
        ('revoke all on audit_event from "careloop_app"', True),
        ('grant select on audit_event to "careloop_app"', True),
        ("drop policy if exists one_organization on patients_patient", True),
    ]


def test_the_doctor_tells_a_reader_that_tries_again_from_one_that_stands_still(command, slug):
    organization_id = find_organization(slug)

    def told(failures: int) -> list[dict[str, str]]:
        with in_organization(organization_id):
            sql.execute(
                "insert into events_position (reader, xid, event_id, failures, error) values ('facts', 0, 0, %s, 'ValueError at x.py:1') "
                "on conflict (organization_id, reader) do update set failures = excluded.failures",
                [failures],
            )
        return [
            one
            for one in command("doctor", "--json").json["findings"]
            if slug in one["what"] and "facts" in one["what"]
        ]

    assert [(one["level"], one["what"]) for one in told(1)] == [
        ("warning", f"event readers try again: {slug}: facts failed 1 times (ValueError at x.py:1)")
    ]
    assert [(one["level"], one["what"]) for one in told(5)] == [
        ("error", f"event readers stand still: {slug}: facts failed 5 times (ValueError at x.py:1)")
    ]
    with in_organization(organization_id):
        sql.execute("delete from events_position where reader = 'facts'")


def test_migrating_leaves_alone_what_an_administrator_keeps_in_the_same_place(command, admin):
    admin.execute("create table copy_of_somebody (id bigint generated always as identity, organization_id uuid)")
    try:
        migrated = command("migrate", "--json")
        assert (migrated.code, migrated.json) == (0, {"migrated": True})
        opened = admin.execute("select has_table_privilege(%s, 'copy_of_somebody', 'select')", [APP]).fetchone()
        assert opened == (False,)
    finally:
        admin.execute("drop table copy_of_somebody")


def test_an_empty_clinic_counts_nothing_but_what_made_it(command, slug):
    counted = command("count", "--organization", slug, "--json").json

    assert counted["Patient"] == 0
    assert all(isinstance(number, int) for number in counted.values())


def test_a_file_is_imported_counted_and_taken_back(command, slug, tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text(
        "病歷號,姓名,生日,電話\nA1,王小美,79/03/05,0912-345-678\nA2,陳大文,85/12/01,0922-333-444\n", encoding="cp950"
    )

    done = command("import", "csv", str(file), "--organization", slug, "--json")

    assert done.code == 0, done.err
    assert set(done.json) >= {"batch", "created", "updated", "unchanged", "refused", "warnings"}
    assert done.json["created"]["Patient"] == 2
    assert command("count", "--organization", slug, "--json").json["Patient"] == 2
    undone = command("import", "undo", done.json["batch"], "--organization", slug, "--json")
    assert undone.code == 0, undone.err
    assert command("count", "--organization", slug, "--json").json["Patient"] == 0


def test_an_import_without_json_is_told_in_lines(command, slug, tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text("病歷號,姓名\nA1,王小美\n")

    said = command("import", "csv", str(file), "--organization", slug, "--dry-run").out

    assert "this was a dry run" in said
    assert "[" not in said


def test_a_missing_file_is_refused(command, slug):
    assert refused(command("import", "fhir", "/nowhere.json", "--organization", slug), "/nowhere.json")


@pytest.mark.parametrize(("name", "words"), [("", "Nothing in it is FHIR"), ("empty.json", "The document is empty")])
def test_an_import_of_nothing_is_refused(command, slug, tmp_path, name, words):
    source = tmp_path / "exported"
    source.mkdir()
    if name:
        (source / name).touch()

    assert refused(command("import", "fhir", str(source), "--organization", slug), words)
    assert refused(command("import", "fhir", str(source), "--organization", slug, "--json"), words)


@pytest.mark.parametrize("batch", ["x", "01890000-0000-7000-8000-000000000000"])
def test_an_unknown_batch_is_refused(command, slug, batch):
    assert refused(command("import", "undo", batch, "--organization", slug))


def test_facts_are_rebuilt(command, slug):
    assert command("facts", "rebuild", "--organization", slug, "--json").json == {"patients": 0}


@pytest.mark.usefixtures("own_database")  # what other tests left behind is not this one's work
def test_waiting_work_is_done_once(command, slug):
    command("catch-up")

    assert command("catch-up", "--json").json["done"] == 0


def test_keys_are_shown_by_fingerprint_only(command):
    shown = command("keys", "show", "--json").json

    assert str(shown["current"]) in shown["versions"]
    assert all(len(mark) == 8 for mark in shown["versions"].values())
    lines = command("keys", "show").out.splitlines()
    assert [line for line in lines if line.endswith("  in use")] == [
        f"Key version {shown['current']}  {shown['versions'][str(shown['current'])]}  in use"
    ]
    assert len(lines) == len(shown["versions"])


# -- the audit chain -------------------------------------------------------------------------------------------


def test_a_whole_chain_is_code_0_and_a_changed_one_code_1(command, slug, admin):
    organization = find_organization(slug)
    with in_organization(organization):
        for number in range(3):
            record("patient.viewed", reason=f"reason {number}", now=NOW)

    whole = command("audit", "verify", "--organization", slug, "--json")
    assert (whole.code, whole.json["whole"], whole.json["organizations"][slug]["faults"]) == (0, True, [])

    admin.execute("update audit_event set reason = 'nothing' where organization_id = %s and number = 2", [organization])
    broken = command("audit", "verify", "--organization", slug, "--json")
    assert (broken.code, broken.json["whole"]) == (1, False)
    assert "entry 2 was changed" in broken.json["organizations"][slug]["faults"][0]
    assert f"{slug}: " in command("audit", "verify", "--organization", slug).out
    assert "BROKEN" in command("audit", "verify", "--organization", slug).out


# -- the books of points ---------------------------------------------------------------------------------------


def test_books_that_add_up_are_code_0_and_a_balance_that_somebody_wrote_is_code_1(command, slug, admin, monkeypatch):
    organization = find_organization(slug)
    with in_organization(organization):
        account = member(open_programme(NOW), NOW)
        earn(account, 120, NOW)

    whole = command("loyalty", "verify", "--organization", slug, "--json")
    assert (whole.code, whole.json["add_up"]) == (0, True)
    assert whole.json["organizations"] == {
        slug: {"entries": 1, "accounts": 1, "lots": 1, "differences": [], "add_up": True}
    }

    admin.execute("update loyalty_account set balance = 999 where id = %s", [account])
    wrong = command("loyalty", "verify", "--json")
    assert (wrong.code, wrong.json["add_up"]) == (1, False)
    assert wrong.json["organizations"][slug]["differences"] == [
        {"what": "balance", "id": str(account), "written": 999, "recomputed": 120},
        {"what": "lots_of_account", "id": str(account), "written": 120, "recomputed": 999},
    ]
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    said = command("loyalty", "verify", "--organization", slug).out.splitlines()
    assert said[0] == f"{slug}: THE BOOKS DO NOT ADD UP (1 entries, 1 accounts, 1 lots)"
    assert (
        said[1] == f"{slug}: “A balance is the sum of its entries” is not so for {account}: written 999, recomputed 120"
    )
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    assert "帳目不符" in command("loyalty", "verify", "--organization", slug).out
    admin.execute("update loyalty_account set balance = 120 where id = %s", [account])
    assert command("loyalty", "verify", "--organization", slug).code == 0
