"""Staging tables stay with the session and are empty whenever a chunk begins."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from careloop.integrations.imports.staging import empty_table, fetch, forget_tables, stage
from careloop.integrations.imports.tests.test_imports import bring_in, write

COLUMNS = [("number", "int"), ("name", 'text collate "C"')]


@pytest.fixture(autouse=True)
def tidy_session(committed_organization: Any) -> Any:
    yield
    forget_tables()


def staged() -> list[tuple[Any, ...]]:
    return fetch("select number, name from stage order by number")


def tables() -> int:
    return int(fetch("select count(*) from pg_class where relpersistence = 't' and relkind = 'r'")[0][0])


def test_what_one_transaction_staged_the_next_does_not_see() -> None:
    with transaction.atomic():
        stage("stage", COLUMNS, [(1, "王小明"), (2, "it's")])
        assert staged() == [(1, "王小明"), (2, "it's")]
        before = fetch("select 'stage'::regclass::oid")
    with transaction.atomic():
        stage("stage", COLUMNS, [(3, None)])

        assert staged() == [(3, None)]
        assert fetch("select 'stage'::regclass::oid") == before


def test_a_second_set_in_one_transaction_stands_alone() -> None:
    with transaction.atomic():
        stage("stage", COLUMNS, [(1, "王小明")])
        stage("stage", COLUMNS, [(2, "陳怡君")])

        assert staged() == [(2, "陳怡君")]


def test_other_columns_make_another_table_also_behind_a_rollback() -> None:
    with transaction.atomic():
        stage("stage", COLUMNS, [(1, "王小明")])
    with transaction.atomic():
        stage("stage", [("number", "int"), ("born", "date")], [(1, "1990-03-05")])
        assert fetch("select born::text from stage") == [("1990-03-05",)]
        transaction.set_rollback(True)

    with transaction.atomic():
        stage("stage", COLUMNS, [(2, "陳怡君")])
        assert staged() == [(2, "陳怡君")]


def test_a_table_whose_transaction_was_rolled_back_is_made_again() -> None:
    with transaction.atomic():
        empty_table("stage", "number int, name text")
        transaction.set_rollback(True)

    with transaction.atomic():
        empty_table("stage", "number int, name text")
        assert staged() == []


def test_an_import_leaves_no_table_in_its_session(committed_organization: Any, tmp_path: Path) -> None:
    rows = "".join(f"{number:04d},王小明\n" for number in range(5))
    bring_in(committed_organization, write(tmp_path, "病歷號,姓名\n" + rows))

    assert tables() == 0


def test_forgetting_in_a_session_that_has_none_is_nothing() -> None:
    connection.close()
    forget_tables()
    forget_tables()

    assert tables() == 0
