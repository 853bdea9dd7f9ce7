"""What is rendered for COPY arrives as it was."""

from typing import Any

import pytest

from careloop.integrations.imports.rendering import bytea, render
from careloop.integrations.imports.staging import fetch, stage, stage_rendered

ODD = (
    "plain", "back\\slash", "\\N", "\\.", "tab\tin it", "two\nlines", "return\rin it", 'a "quoted" word', "commas, and more",
    "王小明 𠮷", "🙂", " blanks around ", "\\", "\\\\x41",
)  # fmt: skip


def test_odd_texts_arrive_as_they_were(organization: Any) -> None:
    rows = [(place, text) for place, text in enumerate(ODD)]

    stage("odd", [("n", "int"), ("text", "text")], rows, joined=False)

    assert fetch("select n, text from odd order by n") == rows


def test_nothing_and_the_empty_text_are_null_and_a_nul_is_taken_out(organization: Any) -> None:
    stage("odd", [("n", "int"), ("text", "text")], [(1, None), (2, ""), (3, "a\0b"), (4, "\0")], joined=False)

    assert fetch("select n, text from odd order by n") == [(1, None), (2, None), (3, "ab"), (4, None)]


def test_numbers_truth_and_bytes_arrive_as_what_they_are(organization: Any) -> None:
    columns = [("n", "int"), ("f", "float8"), ("yes", "boolean"), ("raw", "bytea")]

    stage("odd", columns, [(0, 1.5, False, bytea(b"\x00\\")), (None, None, True, None)], joined=False)

    found = [(n, f, yes, raw and bytes(raw)) for n, f, yes, raw in fetch("select n, f, yes, raw from odd order by yes")]
    assert found == [(0, 1.5, False, b"\x00\\"), (None, None, True, None)]


def test_columns_in_which_nothing_stands_are_left_out_but_no_and_zero_are_something() -> None:
    rendered = render(
        [("a", "int"), ("b", "text"), ("c", "boolean"), ("d", "int")], [(1, "", False, 0), (2, None, False, 0)]
    )

    assert [name for name, _kind in rendered.columns] == ["a", "c", "d"]
    assert rendered.rows == 2


@pytest.mark.parametrize("rows", [[], [(None, "")], [(None, ""), ("", None)]])
def test_rows_of_nothing_are_still_so_many_rows(organization: Any, rows: list[tuple[Any, ...]]) -> None:
    stage_rendered("odd", render([("a", "int"), ("b", "text")], rows), joined=[])

    assert fetch("select count(*) from odd")[0][0] == len(rows)
