"""Plain SQL: statements whose plan is kept say what others say."""

import pytest
from django.db import DatabaseError, connection
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
