"""Imports: rows and resources a second, beside this machine's own COPY to staging and upsert."""

import argparse
import csv
import gc
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

NAME = "import"
GOAL_RATIO = 0.25
GOAL_RESOURCES = 5_000
GOAL_MEMORY_MB = 500
CHUNK = 20_000

FAMILY = "陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴周徐蘇葉莊呂江何蕭羅高"
GIVEN = "志明俊傑建宏家豪怡君雅婷淑芬美玲欣怡佳穎宗翰承恩冠宇柏翰詩涵宜蓁子晴品妍"
PLACES = ("臺北市大安區和平東路", "高雄市左營區博愛路", "台中市西屯區臺灣大道", "花蓮縣吉安鄉中華路")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--patients", type=int, default=40_000, help="rows of the patient table (8 fields)")
    parser.add_argument("--visits", type=int, default=100_000, help="rows of the visit table")
    parser.add_argument("--bundles", type=int, default=300, help="FHIR Bundles, one a patient")
    parser.add_argument("--again", action="store_true", help="also import the same patients a second time")


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure in an organization of its own, which is removed at the end."""
    from django.utils import timezone

    from careloop.bench import clinic
    from careloop.tenancy.services import create_organization

    organization = create_organization(slug=f"bench-import-{os.getpid()}", name="Bench", now=timezone.now())
    folder = Path(tempfile.mkdtemp(prefix="careloop-bench-"))
    try:
        return _measure(options, organization.id, folder, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        clinic.remove(organization.id)


def _measure(
    options: argparse.Namespace, organization: UUID, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    people, visits = folder / "patients.csv", folder / "visits.csv"
    write_patients(people, options.patients)
    write_visits(visits, options.visits, options.patients)
    limit = limit_rate(people, say)
    rows = _import("csv", people, organization, say)
    visit_rows = _import("csv", visits, organization, say)
    figures: dict[str, Any] = {
        "patients_rows_per_second": round(options.patients / rows),
        "visits_rows_per_second": round(options.visits / visit_rows),
    }
    if options.again:
        figures["patients_again_rows_per_second"] = round(options.patients / _import("csv", people, organization, say))
    bundles, resources = write_bundles(folder, options.bundles)
    figures["fhir_resources_per_second"] = round(resources / _import("fhir", bundles, organization, say))
    figures["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures |= {
        "goal_ratio": GOAL_RATIO, "goal_resources_per_second": GOAL_RESOURCES, "goal_memory_mb": GOAL_MEMORY_MB,
    }  # fmt: skip
    return {
        "bench": NAME,
        "size": {"patients": options.patients, "visits": options.visits, "resources": resources},
        "figures": figures,
        "limits": {"staging_and_upsert_rows_per_second": round(limit)},
        "ratios": {
            "patients_to_limit": round(figures["patients_rows_per_second"] / limit, 3),
            "visits_to_limit": round(figures["visits_rows_per_second"] / limit, 3),
        },
    }


def _import(kind: str, path: Path, organization: UUID, say: Callable[[str], None]) -> float:
    from careloop.integrations.imports import commands

    gc.collect()
    started = time.perf_counter()
    answer = commands.run_import(kind, path, source=f"bench-{kind}", organization=organization)
    took = time.perf_counter() - started
    say(f"{path.name}: {answer['rows']} rows in {took:.1f} s, {answer['refused']} refused")
    return took


# --- data -----------------------------------------------------------------------------------------------------------


def write_patients(path: Path, count: int) -> None:
    """Write a table as a clinic exports it: ROC birth dates, mobile numbers with a hyphen."""
    chance = random.Random(7)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("病歷號", "姓名", "性別", "生日", "手機", "電子郵件", "地址", "備註"))
        for number in range(count):
            born = date(1940, 1, 1) + timedelta(days=chance.randrange(30_000))
            out.writerow(
                (
                    f"{number:07d}",
                    chance.choice(FAMILY) + "".join(chance.sample(GIVEN, 2)),
                    chance.choice("男女"),
                    f"{born.year - 1911:03d}/{born.month:02d}/{born.day:02d}" if born.year > 1911 else born.isoformat(),
                    f"09{chance.randrange(10**8):08d}"[:4] + f"-{chance.randrange(10**6):06d}",
                    f"patient{number}@example.test" if number % 3 else "",
                    f"{chance.choice(PLACES)}{chance.randrange(1, 400)}號",
                    "" if number % 5 else "對盤尼西林過敏",
                )
            )


def write_visits(path: Path, count: int, patients: int) -> None:
    chance = random.Random(8)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("就診號", "病歷號", "就診日期", "科別", "就診原因", "醫師"))
        for number in range(count):
            day = date(2020, 1, 1) + timedelta(days=chance.randrange(2_200))
            out.writerow(
                (
                    f"V{number:08d}",
                    f"{chance.randrange(patients):07d}",
                    f"{day.isoformat()} {chance.randrange(8, 21):02d}:{chance.randrange(60):02d}",
                    chance.choice(("牙科", "家醫科", "內科")),
                    chance.choice(("洗牙", "感冒", "高血壓回診", "健康檢查")),
                    chance.choice(("陳醫師", "林醫師")),
                )
            )


def write_bundles(folder: Path, count: int) -> tuple[Path, int]:
    from careloop.integrations.fhir.samples import bundle

    target = folder / "bundles"
    target.mkdir()
    resources = 0
    for number in range(count):
        made = bundle(number, 12)
        resources += len(made["entry"])
        (target / f"{number}.json").write_bytes(orjson.dumps(made))
    return target, resources


# --- the limit ------------------------------------------------------------------------------------------------------


def limit_rate(path: Path, say: Callable[[str], None]) -> float:
    """Return rows a second of bare COPY to staging and upsert: the same 8 fields, 3 indexes, a commit every 20,000 rows."""
    from django.db import connections

    connection = connections["owner"]
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists bench_limit")
        cursor.execute(
            "create table bench_limit (id bigint generated always as identity primary key, chart text not null unique, name text, "
            "sex text, born text, phone text, email text, address text, note text)"
        )
        cursor.execute("create index on bench_limit (name); create index on bench_limit (phone)")
    count, took = 0, 0.0
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        # read chunk by chunk, for the memory; the reading is not part of the limit
        while rows := list(islice(reader, CHUNK)):
            started = time.perf_counter()
            _upsert(connection, rows)
            took += time.perf_counter() - started
            count += len(rows)
    with connection.cursor() as cursor:
        cursor.execute("drop table bench_limit")
    connection.close()
    say(f"limit: {count} rows staged and upserted in {took:.1f} s")
    return count / took


def _upsert(connection: Any, rows: list[list[str]]) -> None:
    from django.db import transaction

    names = "chart, name, sex, born, phone, email, address, note"
    with transaction.atomic(using="owner"), connection.cursor() as cursor:
        cursor.execute(
            "create temp table bench_stage (chart text, name text, sex text, born text, phone text, email text, address text, note text) "
            "on commit drop"
        )
        with cursor.copy(f"copy bench_stage ({names}) from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            f"insert into bench_limit ({names}) select {names} from bench_stage on conflict (chart) do update set "
            "name = excluded.name, sex = excluded.sex, born = excluded.born, phone = excluded.phone, email = excluded.email, "
            "address = excluded.address, note = excluded.note"
        )
