"""What we write, the library `icalendar` reads back the same: texts, folds, moments, time zones."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from careloop.integrations.icalendar import writing

TAIPEI = ZoneInfo("Asia/Taipei")
AT = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)


def event_with(*lines: str) -> Calendar:
    file = writing.calendar(writing.component("VEVENT", ["UID:1", writing.instant("DTSTAMP", AT), *lines]))
    return Calendar.from_ical(file).walk("VEVENT")[0]


def test_a_long_line_is_folded_between_characters():
    file = writing.calendar(writing.component("VEVENT", [writing.text("SUMMARY", "王小明🧑🏽‍🦽" * 40)]))

    assert all(len(line) <= 75 for line in file.split(b"\r\n"))
    assert Calendar.from_ical(file).walk("VEVENT")[0]["SUMMARY"] == "王小明🧑🏽‍🦽" * 40


@given(st.text(max_size=300))
def test_any_text_comes_back_as_it_was(said):
    event = event_with(writing.text("SUMMARY", said), writing.text("LOCATION", "1 診"))

    assert str(event["SUMMARY"]) == writing.plain(said)
    assert event["LOCATION"] == "1 診"
    assert not event.errors


# the library takes a backslash in a parameter for an escape, which it is not in RFC 5545
@given(st.text(st.characters(exclude_characters="\\"), max_size=100))
def test_any_name_of_a_clinic_comes_back_as_it_was(said):
    event = event_with(f"ORGANIZER;CN={writing.parameter(said)}:mailto:clinic@example.test")

    assert str(event["ORGANIZER"]) == "mailto:clinic@example.test"
    assert str(event["ORGANIZER"].params["CN"]) == writing.plain(said)


def test_hostile_names_are_one_line_of_text(shared):
    folder = shared / "data" / "hostile-text"
    names = json.loads((folder / "clinic-strings.json").read_text()) + json.loads(
        (folder / "big-list-of-naughty-strings.json").read_text()
    )
    names += [*(folder / "xss-payloads.txt").read_text().splitlines(), "END:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:forged"]

    for name in names:
        event = event_with(writing.text("SUMMARY", name), f"ORGANIZER;CN={writing.parameter(name)}:mailto:a@b.test")
        assert str(event["SUMMARY"]) == writing.plain(name)
        assert "\\" in name or str(event["ORGANIZER"].params["CN"]) == writing.plain(name)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)))
def test_any_moment_comes_back_as_it_was(at):
    file = writing.calendar([
        *writing.time_zone(TAIPEI, at.date() - timedelta(days=2), at.date() + timedelta(days=2)),
        *writing.component("VEVENT", ["UID:1", writing.instant("DTSTAMP", at), writing.local("DTSTART", at, TAIPEI)]),
    ])  # fmt: skip

    event = Calendar.from_ical(file).walk("VEVENT")[0]
    assert event["DTSTART"].dt == at
    assert event["DTSTAMP"].dt == at


@pytest.mark.parametrize(
    "name",
    ["Asia/Taipei", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"],
)
def test_a_described_zone_has_the_same_time_at_every_hour(name):
    zone = ZoneInfo(name)

    file = writing.calendar(writing.time_zone(zone, date(2026, 1, 1), date(2027, 1, 1)))
    read = Calendar.from_ical(file).walk("VTIMEZONE")[0].to_tz(lookup_tzid=False)

    for hour in range(0, 24 * 364):
        at = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(hours=hour)
        wall = at.astimezone(zone).replace(tzinfo=None)
        if at.astimezone(zone).fold or (at + timedelta(hours=1)).astimezone(zone).fold:
            continue  # an hour that comes twice: which of the two is meant is for the reader to choose
        assert wall.replace(tzinfo=read).utcoffset() == at.astimezone(zone).utcoffset(), wall


def test_taipei_needs_one_line_of_zone():
    lines = list(writing.time_zone(TAIPEI, date(2026, 1, 1), date(2026, 12, 31)))

    assert [line for line in lines if re.match("TZOFFSETTO|BEGIN:(STAND|DAY)", line)] == [
        "BEGIN:STANDARD",
        "TZOFFSETTO:+0800",
    ]
