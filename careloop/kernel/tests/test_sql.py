"""Plain SQL: statements whose plan is kept say what others say."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from careloop.kernel import sql

ASK = "select %(n)s::int as n, '{\"a\": [1]}'::jsonb as j, null::date as d, now() as at, 'x' as t where %(n)s > 0"


def test_a_kept_plan_gives_the_same_rows(db):
    for n in range(12):
        plain, kept = sql.rows(ASK, {"n": n}), sql.rows(ASK, {"n": n}, planned=True)
        assert [{**one, "at": None} for one in plain] == [{**one, "at": None} for one in kept]
        assert sql.row(ASK, {"n": n}, planned=True) == (kept[0] if n else None)


def test_it_is_kept_and_still_counted(db):
    with CaptureQueriesContext(connection) as captured:
        for n in range(1, 11):
            sql.row("select %s::int + 17 as seventeen", [n], planned=True)
    plans = sql.value("select count(*) from pg_prepared_statements where statement like '%%+ 17 as seventeen'")

    assert plans == 1
    assert len(captured) == 10
    assert all("seventeen" in one["sql"] for one in captured)


def test_a_wrong_statement_is_refused_in_djangos_words(db):
    with pytest.raises(DatabaseError):
        sql.rows("select nothing_like_it from patients_patient", planned=True)


def in_another_thread(work):
    """Run `work` with a connection of its own, outside the test's transaction."""

    def run():
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


MARK = "select set_config('careloop.test_mark', %s, false) as mark"  # undone when its transaction is


def mark():
    return sql.value("select current_setting('careloop.test_mark', true)") or ""


def test_a_transaction_begins_with_its_first_statement_and_ends_with_its_last(db):
    def work():
        with transaction.atomic():
            first = sql.start("select set_config('careloop.test_local', %s, true) as here, '[1]'::json as j", ["100%"])
            inside = sql.value("select current_setting('careloop.test_local', true)")
            sql.finish(MARK, ["kept"])
            ended = connection.connection.info.transaction_status.name
        found = (first, inside, ended, sql.value("select current_setting('careloop.test_local', true)"), mark())
        sql.value(MARK, [""])
        return found

    assert in_another_thread(work) == ({"here": "100%", "j": [1]}, "100%", "IDLE", "", "kept")


def test_what_fails_or_is_to_be_rolled_back_is_not_committed(db):
    def work():
        @transaction.atomic
        def fails():
            sql.start(MARK, ["failed"])
            raise ZeroDivisionError

        @transaction.atomic
        def fails_at_the_end():
            sql.start(MARK, ["failed"])
            sql.finish("select 1 / 0")

        with pytest.raises(ZeroDivisionError):
            fails()
        seen = [mark()]
        with pytest.raises(DatabaseError):
            fails_at_the_end()
        seen.append(mark())
        with transaction.atomic():
            sql.start("select 1 as one")
            with transaction.atomic():
                sql.finish(MARK, ["inside"])
                status = connection.connection.info.transaction_status.name
            transaction.set_rollback(True)
        return [*seen, status, mark()]

    assert in_another_thread(work) == ["", "", "INTRANS", ""]
