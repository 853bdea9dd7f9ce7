"""Segments: counting, refreshing and one patient, as the application's role, beside DuckDB on the same data."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

NAME = "segment"
GOAL_COUNT_MS = 130
GOAL_REFRESH_S = 5
GOAL_ONE_PATIENT_MS = 5
GOAL_WINDOW_MS = 500

PARTITION = "events_event_bench"
# a month in which nothing real was ever recorded, so that the events lie in a partition of their own
MONTH = ("1990-01-01", "1990-02-01")
# no reader takes events of a transaction that is never over
NEVER_READ = 2**63 - 1
FIRST_ID = 10**15
TAG = 7
Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patients", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--repeat", type=int, default=15, help="how often each thing is measured")
    parser.add_argument("--keep", action="store_true", help="keep the data for the next run")


def run(options: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Measure in an organization of its own, made in sets and removed at the end."""
    organization = _organization(options)
    try:
        _make_data(organization, options, say)
        return _measure(organization, options, say)
    finally:
        if not options.keep:
            say("removing the data")
            _remove(organization)


def _measure(organization: UUID, options: argparse.Namespace, say: Say) -> dict[str, Any]:
    from django.utils import timezone

    from careloop.facts.services import clinic_day
    from careloop.kernel import sql
    from careloop.segments import language, selectors, services
    from careloop.segments.models import Segment
    from careloop.tenancy.context import in_organization

    now = timezone.now()
    with in_organization(organization):
        today = clinic_day(now)
        tag = sql.value("select id from patients_tag where number = %s", [TAG])
        rule = {
            "all": [
                {"field": "last_visit", "op": "more_than_days_ago", "days": 90},
                {"field": "self_pay_12m", "op": "at_least", "amount": 10_001},
                {"field": "tags", "op": "has_any", "tags": [str(tag)]},
                {"field": "consent", "op": "given", "purpose": "MARKETING", "channel": "line"},
            ]
        }
        node = language.read(rule)
        window = language.read(
            {"all": [
                *rule["all"],
                {"field": "event", "op": "happened", "kind": "message.sent", "count": 2, "days": 90},
            ]}
        )  # fmt: skip

    def counting(what: Any) -> Callable[[], Any]:
        def once() -> int:
            with in_organization(organization):
                return selectors.count(what, now=now)

        return once

    say("counting")
    found = counting(node)()
    count_ms = _times(counting(node), options.repeat)
    window_ms = _times(counting(window), max(3, options.repeat // 3))
    bare_ms = _times(_bare_scan(organization), options.repeat)

    say("refreshing")
    with in_organization(organization):
        # only this run's segment counts for “one patient”
        for earlier in Segment.objects.filter(archived_at=None):
            services.archive_segment(segment_id=earlier.id, by=None, now=now)
        segment = services.create_segment(
            name=f"bench {now:%Y-%m-%d %H:%M:%S}", rule=rule, purpose="CARE", by=None, now=now, refresh=False
        )
    refresh_s = []
    for _number in range(2):
        started = time.perf_counter()
        with in_organization(organization):
            change = services.refresh_segment(segment.id, now=now, announce=False)
        refresh_s.append(time.perf_counter() - started)

    say("one patient")
    with in_organization(organization):
        people = [
            row["patient_id"]
            for row in sql.rows("select patient_id from facts_patient order by md5(patient_id::text) limit %s", [200])
        ]
    each = iter(people)

    def one() -> None:
        with in_organization(organization):
            services.reevaluate([next(each)], now=now)

    one_ms = _times(one, len(people), warm=False)

    say("the same in DuckDB")
    duck = _duckdb(organization, options, today)
    assert duck["found"] == found == change.size, (duck["found"], found, change.size)
    return {
        "bench": NAME,
        "size": {"patients": options.patients, "events": options.events, "selected": found},
        "figures": {
            "count_ms": round(statistics.median(count_ms), 1), "count_best_ms": round(min(count_ms), 1),
            "event_window_ms": round(statistics.median(window_ms), 1),
            "refresh_first_s": round(refresh_s[0], 2), "refresh_again_s": round(refresh_s[1], 2),
            "one_patient_ms": round(statistics.median(one_ms), 2),
            "one_patient_best_ms": round(min(one_ms), 2),
            "one_patient_p95_ms": round(sorted(one_ms)[int(len(one_ms) * 0.95)], 2),
            "goal_count_ms": GOAL_COUNT_MS, "goal_event_window_ms": GOAL_WINDOW_MS,
            "goal_refresh_s": GOAL_REFRESH_S, "goal_one_patient_ms": GOAL_ONE_PATIENT_MS,
        },
        "limits": {
            "duckdb_roll_up_ms": round(duck["roll_up_ms"], 1),
            "duckdb_events_ms": round(duck["events_ms"], 1),
            "postgresql_reads_every_row_ms": round(statistics.median(bare_ms), 1),
        },
        "ratios": {
            "count_to_duckdb_roll_up": round(statistics.median(count_ms) / duck["roll_up_ms"], 2),
            "count_to_duckdb_events": round(statistics.median(count_ms) / duck["events_ms"], 2),
            "count_to_reading_every_row": round(statistics.median(count_ms) / statistics.median(bare_ms), 2),
        },
    }  # fmt: skip


def _times(work: Callable[[], Any], repeat: int, *, warm: bool = True) -> list[float]:
    if warm:
        work()
    found = []
    for _number in range(repeat):
        started = time.perf_counter()
        work()
        found.append((time.perf_counter() - started) * 1000)
    return found


def _bare_scan(organization: UUID) -> Callable[[], None]:
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    def once() -> None:
        with in_organization(organization):
            sql.value("select count(*) from facts_patient where reach >= 0 and next_change_on is null")

    return once


# -- the data -------------------------------------------------------------------------------------------------


def _organization(options: argparse.Namespace) -> UUID:
    from django.utils import timezone

    from careloop.kernel import sql
    from careloop.tenancy.services import create_organization

    slug = f"bench-segment-{options.patients}-{options.events}"
    known = sql.value("select id from tenancy_list_organizations() where slug = %s", [slug])
    return known or create_organization(slug=slug, name="Bench", now=timezone.now()).id


def _make_data(organization: UUID, options: argparse.Namespace, say: Say) -> None:
    """Make the events first, then the wide rows from them, so that both say the same."""
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    with in_organization(organization):
        if sql.value("select count(*) from facts_patient") == options.patients:
            say("the data of an earlier run are still there")
            return
    started = time.perf_counter()
    _as_owner(organization, [f"drop table if exists {PARTITION}"])
    say(f"making {options.events:,} events")
    _as_owner(
        organization,
        [
            f"create unlogged table {PARTITION} (like events_event including defaults including constraints)",
            EVENTS.format(
                table=PARTITION, first_id=FIRST_ID, month=MONTH[0], xid=NEVER_READ, organization=organization,
                patients=options.patients, each=options.events / options.patients,
            ),
            # everything that takes long happens before the table joins the log: the clinic must not wait
            "set maintenance_work_mem = '1GB'",
            f"alter table {PARTITION} add primary key (organization_id, xid, id, recorded_at)",
            f"create index on {PARTITION} (patient_id, occurred_at desc, id desc)",
            f"create index on {PARTITION} (organization_id, kind, occurred_at)",
            f"alter table {PARTITION} add constraint month check "
            f"(recorded_at >= timestamptz '{MONTH[0]}' and recorded_at < timestamptz '{MONTH[1]}')",
            f"alter table events_event attach partition {PARTITION} "
            f"for values from ('{MONTH[0]}') to ('{MONTH[1]}')",
            f"alter table {PARTITION} enable row level security",
            f"alter table {PARTITION} force row level security",
            f"analyze {PARTITION}",
        ],
    )  # fmt: skip
    say(f"making the rows of {options.patients:,} patients ({time.perf_counter() - started:.0f} s so far)")
    with in_organization(organization):
        sql.execute("delete from facts_patient")
        sql.execute(
            "insert into patients_tag (name, number, color, is_archived) "
            "select 'tag ' || n, n, 'teal', false from generate_series(1, 12) as n on conflict do nothing"
        )
        sql.execute("set local work_mem = '512MB'")
        sql.execute(FACTS.format(patients=options.patients))
    _as_owner(organization, ["vacuum (analyze) facts_patient"])
    say(f"data made in {time.perf_counter() - started:.0f} s")


# Patients differ: a few come often, most rarely; some have not come for years.
EVENTS = """
insert into {table} (id, organization_id, patient_id, kind, occurred_at, recorded_at, historical, payload, xid)
select {first_id} + p.n * 1000 + e, '{organization}', p.patient_id, k.kind,
       p.last_seen - (random() * random() * 1400) * interval '1 day', timestamptz '{month}', true,
       case when k.kind = 'invoice.recorded'
            then jsonb_build_object('self_pay', (random() * random() * 8000)::int) else '{{}}'::jsonb end,
       {xid}
  from (select n, ('01890000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as patient_id, now() - (random() * random() * 900) * interval '1 day' as last_seen,
               greatest(1, round(-ln(greatest(random(), 1e-6)) * ({each})))::int as events
          from generate_series(1, {patients}) as n) as p
 cross join lateral generate_series(1, p.events) as e
 cross join lateral (
       select (array['encounter.recorded', 'encounter.recorded', 'encounter.recorded', 'invoice.recorded',
                     'invoice.recorded', 'message.sent', 'message.sent', 'message.received', 'observation.recorded',
                     'medication.recorded'])[1 + (e + p.n) % 10] as kind) as k
"""
FACTS = """
insert into facts_patient (patient_id, first_visit_on, last_visit_on, visits, visits_12m, self_pay_total, self_pay_12m,
                           last_invoice_on, last_sent_at, last_answered_at, stage, tags, consent_given, consent_refused,
                           reach, birth_date, birth_mmdd, sex)
select patient.id, e.first_visit_on, e.last_visit_on, coalesce(e.visits, 0), coalesce(e.visits_12m, 0),
       coalesce(e.self_pay_total, 0), coalesce(e.self_pay_12m, 0), e.last_invoice_on, e.last_sent_at,
       e.last_answered_at,
       case when e.last_visit_on is null then 0 when e.last_visit_on > current_date - 180 then 2
            when e.last_visit_on > current_date - 400 then 3 else 4 end,
       (select coalesce(array_agg(t order by t), '{{}}') from generate_series(1, 12) as t
         where abs(hashint8extended(n, t)) % (t + 3) = 0),
       case when abs(hashint8extended(n, 101)) % 10 < 6 then 1024 | 2048 else 0 end,
       case when abs(hashint8extended(n, 102)) % 10 = 0 then 32 else 0 end,
       case when abs(hashint8extended(n, 103)) % 10 < 7 then 3 else 0 end | 12,
       date '1935-01-01' + (abs(hashint8extended(n, 104)) % 31000)::int, 101, 'female'
  from generate_series(1, {patients}) as n
 cross join lateral (select ('01890000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id) as patient
  left join (
       select patient_id,
              min(day) filter (where kind = 'encounter.recorded') as first_visit_on,
              max(day) filter (where kind = 'encounter.recorded') as last_visit_on,
              count(*) filter (where kind = 'encounter.recorded') as visits,
              count(*) filter (where kind = 'encounter.recorded'
                               and day > (current_date - interval '1 year')::date) as visits_12m,
              sum(self_pay) as self_pay_total,
              sum(self_pay) filter (where day > (current_date - interval '1 year')::date) as self_pay_12m,
              max(day) filter (where kind = 'invoice.recorded') as last_invoice_on,
              max(occurred_at) filter (where kind = 'message.sent') as last_sent_at,
              max(occurred_at) filter (where kind = 'message.received') as last_answered_at
         from (select patient_id, kind, occurred_at, (occurred_at at time zone 'Asia/Taipei')::date as day,
                      case when kind = 'invoice.recorded' then (payload ->> 'self_pay')::int end as self_pay
                 from events_event where recorded_at = timestamptz '1990-01-01') as event
        group by patient_id) as e on e.patient_id = patient.id
"""


def _as_owner(organization: UUID, statements: list[str]) -> None:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("select set_config('careloop.organization', %s, false)", [str(organization)])
        for statement in statements:
            cursor.execute(statement)
    connections["owner"].close()


def _remove(organization: UUID) -> None:
    from careloop.kernel import sql
    from careloop.tenancy.context import in_organization

    _as_owner(organization, [f"drop table if exists {PARTITION}"])
    with in_organization(organization):
        for table in ("segments_member", "segments_size", "facts_patient", "patients_tag"):
            sql.execute(f"delete from {table}")
    # versions and audit notes are append-only for the application; the organization's shell stays, empty
    _as_owner(organization, ["vacuum facts_patient", "vacuum segments_member"])


# -- the same question to DuckDB ------------------------------------------------------------------------------


def _duckdb(organization: UUID, options: argparse.Namespace, day: date) -> dict[str, float]:
    """Copy the same data into DuckDB and ask the same question of the wide rows and of the events."""
    import duckdb
    from django.db import connections

    with tempfile.TemporaryDirectory(prefix="careloop-bench-") as folder:
        files = {"facts": Path(folder) / "facts.csv", "events": Path(folder) / "events.csv"}
        queries = {
            "facts": "select patient_id, last_visit_on, self_pay_12m, tags, consent_given from facts_patient",
            "events": "select patient_id, kind, (occurred_at at time zone 'Asia/Taipei')::date, "
            f"(payload ->> 'self_pay')::int from events_event where recorded_at = timestamptz '{MONTH[0]}'",
        }
        with connections["owner"].cursor() as cursor:
            cursor.execute("select set_config('careloop.organization', %s, false)", [str(organization)])
            for name, query in queries.items():
                with (
                    files[name].open("wb") as out,
                    cursor.cursor.copy(f"copy ({query}) to stdout (format csv)") as rows,
                ):
                    for block in rows:
                        out.write(block)
        connections["owner"].close()
        base = duckdb.connect(str(Path(folder) / "bench.duckdb"))
        base.execute(
            "create table facts as select patient_id, last_visit_on, self_pay_12m, consent_given, "
            "cast(string_split(trim(tags, '{}'), ',') as varchar[]) as tags "
            f"from read_csv('{files['facts']}', header = false, delim = ',', quote = '\"', columns = {{"
            "'patient_id': 'UUID', 'last_visit_on': 'DATE', 'self_pay_12m': 'BIGINT', 'tags': 'VARCHAR', "
            "'consent_given': 'INTEGER'})"
        )
        base.execute(
            f"create table events as from read_csv('{files['events']}', header = false, delim = ',', columns = {{"
            "'patient_id': 'UUID', 'kind': 'VARCHAR', 'day': 'DATE', 'self_pay': 'INTEGER'})"
        )
        today = f"date '{day}'"
        rolled = (
            f"select count(*) from facts where last_visit_on < {today} - 90 and self_pay_12m > 10000 "
            f"and list_contains(tags, '{TAG}') and consent_given & 1024 <> 0"
        )
        raw = (
            "select count(*) from (select patient_id from events group by patient_id "
            f"having max(day) filter (where kind = 'encounter.recorded') < {today} - 90 "
            f"and sum(self_pay) filter (where day > {today} - interval 1 year) > 10000) as e "
            f"join facts as f using (patient_id) where list_contains(tags, '{TAG}') and consent_given & 1024 <> 0"
        )
        found = base.execute(rolled).fetchone()
        answer = {
            "found": found[0] if found else 0,
            "roll_up_ms": statistics.median(_times(lambda: base.execute(rolled).fetchone(), options.repeat)),
            "events_ms": statistics.median(_times(lambda: base.execute(raw).fetchone(), 3)),
        }
        base.close()
        return answer
