"""What is packed for COPY's binary form arrives as it was."""

from typing import Any
from uuid import UUID

from careloop.integrations.imports.packing import bytes_fields, packed, text_fields
from careloop.integrations.imports.staging import fetch, stage_rendered
from careloop.integrations.imports.tests.test_rendering import ODD
from careloop.kernel.ids import rising_uuid7s


def stage_texts(*values: Any) -> list[Any]:
    stage_rendered("odd", packed([("text", "text")], text_fields(values), len(values)), joined=[])
    return [text for (text,) in fetch("select text from odd")]


def test_odd_texts_arrive_as_they_were(organization: Any) -> None:
    assert stage_texts(*ODD) == list(ODD)


def test_texts_that_repeat_arrive_at_their_places(organization: Any) -> None:
    assert stage_texts(*["male", "female", None, ""] * 5) == ["male", "female", None, None] * 5


def test_what_text_cannot_hold_is_taken_out_and_truth_is_written(organization: Any) -> None:
    assert stage_texts("a\0b", "\0", "half \ud800", True, None) == ["ab", None, "half ?", "True", None]


def test_long_texts_arrive_whole(organization: Any) -> None:
    assert stage_texts("長" * 5000, "short") == ["長" * 5000, "short"]


def test_ids_and_bytes_arrive_as_what_they_are(organization: Any) -> None:
    texts, raws = rising_uuid7s(3)
    values = [b"\0\xff", None, b"x" * 3000]
    fields = zip(bytes_fields(raws), bytes_fields(values), strict=True)

    stage_rendered("odd", packed([("id", "uuid"), ("value", "bytea")], map(b"".join, fields), 3), joined=[])

    found = [(str(row_id), value and bytes(value)) for row_id, value in fetch("select id, value from odd order by id")]
    assert found == list(zip(texts, values, strict=True))


def test_no_rows_are_none(organization: Any) -> None:
    stage_rendered("odd", packed([("id", "uuid")], [], 0), joined=[])

    assert fetch("select count(*) from odd") == [(0,)]


def test_ids_of_a_set_rise_and_differ() -> None:
    made, raws = rising_uuid7s(70_000)

    assert made == sorted(set(made))
    assert [UUID(bytes=raw) for raw in raws] == [UUID(text) for text in made]
    assert {(UUID(text).version, UUID(text).variant) for text in made} == {(7, UUID(made[0]).variant)}
