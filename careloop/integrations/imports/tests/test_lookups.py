"""Whoever a row speaks of is looked up by an index: an organization has a million patients, and every chunk asks."""

from dataclasses import dataclass, field

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from careloop.integrations.imports import people, references
from careloop.integrations.imports.rows import PATIENT

UUIDS = [f"01a205c6-0000-7000-8000-{number:012d}" for number in range(150)]
# PostgreSQL looks into lists of up to a hundred to see whether an index without empty names has them all; a chunk has more
NAMES = [*UUIDS, *(f"A-{number}" for number in range(150))]


@dataclass
class Known:
    """As much of a run as a look-up asks for."""

    source: str = "his"
    patients: dict[str, str] = field(default_factory=dict)
    encounters: dict[str, str] = field(default_factory=dict)


def a_row(**given):
    return tuple(given.get(name) for name in PATIENT.names)


ROWS = [a_row(line=number, external_id=name, chart_number=name, name="王") for number, name in enumerate(NAMES)]

LOOK_UPS = {
    "patients of records": lambda: references.find_patients(Known(), NAMES),
    "visits of records": lambda: references.find_encounters(Known(), NAMES),
    "patients by id": lambda: people._by_external_id(ROWS, Known()),
    "patients by chart number": lambda: people._by_chart_number(ROWS),
}


@pytest.mark.parametrize("look_up", LOOK_UPS.values(), ids=LOOK_UPS)
def test_a_look_up_reads_what_it_asks_for_only(organization, look_up):
    with CaptureQueriesContext(connection) as captured:
        look_up()

    asked = [one["sql"] for one in captured if "any(" in one["sql"]]
    assert asked
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
        for statement in asked:
            cursor.execute("explain " + statement)
            plan = [row[0].strip() for row in cursor.fetchall()]
            conditions = [line for line in plan if line.startswith("Index Cond")]
            assert any("external_id" in one or "chart_number" in one for one in conditions), "\n".join(
                [statement, *plan]
            )
