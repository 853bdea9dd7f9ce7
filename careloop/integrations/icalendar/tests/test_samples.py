"""Real and broken calendars (../shared/data/icalendar): read as the reference parser reads them, refused with place and cure."""

import csv
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.integrations.icalendar import apart, parsing, reading
from careloop.integrations.icalendar.errors import CalendarRefused

# before all of them, so that none is over
LONG_AGO = datetime(1995, 1, 1, tzinfo=UTC)
COUNTED = ("VCALENDAR", "VEVENT", "VTODO", "VALARM", "VTIMEZONE")
LANGUAGES = ("zh-hant", "zh-hans", "en")


@pytest.fixture(scope="module")
def samples(shared):
    folder = shared / "data" / "icalendar"
    if not (folder / "expected.csv").exists():
        pytest.skip("../shared/data/icalendar is not on this machine")
    with (folder / "expected.csv").open() as file:
        return [(row, (folder / row["file"]).read_bytes()) for row in csv.DictReader(file)]


def parsed(data: bytes) -> dict[str, str]:
    """What a row of expected.csv says, found by us."""
    try:
        components, _lines = parsing.parse(parsing.decode(data))
    except parsing.CannotRead:
        return {"reference_parse": "rejected", **dict.fromkeys((*COUNTED, "with_RRULE"), "0")}
    every = [one for component in components for one in component.walk()]
    return {
        "reference_parse": "ok-with-errors" if any(one.errors for one in every) else "ok",
        **{name: str(sum(one.name == name for one in every)) for name in COUNTED},
        "with_RRULE": str(sum("RRULE" in one for one in every)),
    }


def test_every_sample_is_read_as_the_reference_parser_reads_it(samples):
    different = {row["file"]: parsed(data) for row, data in samples if parsed(data).items() - row.items()}

    assert len(samples) == 105
    assert different == {}


def test_every_sample_gives_times_away_or_a_reason_and_none_takes_long(samples):
    for row, data in samples:
        began = time.monotonic()
        try:
            found = reading.read(data, zone="Asia/Taipei", now=LONG_AGO)
        except parsing.CannotRead:
            continue
        assert time.monotonic() - began < 5, row["file"]
        # every entry is accounted for
        assert len(found.away) + sum(one.count for one in found.skipped) >= int(row["VEVENT"]), row["file"]


def test_a_bad_file_is_refused_with_the_line_and_the_cure_in_three_languages(samples):
    bad = {row["file"]: data for row, data in samples if row["reference_parse"] == "rejected"}
    lines = {}
    for name, data in bad.items():
        with pytest.raises(CalendarRefused) as refused:
            apart.read(data, zone="Asia/Taipei", now=LONG_AGO)
        said = set()
        for language in LANGUAGES:
            with translation.override(language):
                said.add(str(refused.value))
        assert len(said) == 3, said
        lines[name] = refused.value.details["line"]

    assert lines == {
        "calendars__fuzz_testcase_invalid_month.ics": 2, "calendars__issue_104_broken_calendar.ics": 13,
        "calendars__parsing_error_in_UTC_offset.ics": 7, "fuzz__Type_Error.ics": 4,
    }  # fmt: skip


def test_the_process_answers_what_reading_finds(samples):
    row, data = next((row, data) for row, data in samples if row["file"] == "fuzz__event_with_recurrence.ics")

    found = apart.read(data, zone="Asia/Taipei", now=datetime(1996, 6, 1, tzinfo=UTC))

    expected = reading.read(data, zone="Asia/Taipei", now=datetime(1996, 6, 1, tzinfo=UTC))
    assert [one["key"] for one in found["away"]] == [one.key for one in expected.away]
    assert found["counts"]["VEVENT"] == int(row["VEVENT"])


@settings(max_examples=150, deadline=5000)
@given(data=st.data())
def test_a_sample_with_bytes_changed_neither_crashes_nor_hangs(samples, data):
    _row, original = data.draw(st.sampled_from([(row, content) for row, content in samples if len(content) < 3000]))
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        if not changed:
            break

    # refused is fine; any other error would end the test
    with suppress(parsing.CannotRead):
        reading.read(bytes(changed), zone="Asia/Taipei", now=LONG_AGO)
