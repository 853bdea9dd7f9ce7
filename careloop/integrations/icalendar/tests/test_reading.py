"""What a calendar says about somebody's absence: entries, repetitions, exceptions, zones, and what is none."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from careloop.integrations.icalendar import apart, parsing, reading
from careloop.integrations.icalendar.errors import CalendarRefused

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in Taipei
TAIPEI = ZoneInfo("Asia/Taipei")
BERLIN = """BEGIN:VTIMEZONE
TZID:Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE"""


def calendar(*events: str, head: str = "") -> bytes:
    """A calendar of these events, each given by its lines."""
    parts = [f"BEGIN:VEVENT\n{one.strip()}\nEND:VEVENT" for one in events]
    return "\n".join(
        filter(None, ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", head, *parts, "END:VCALENDAR", ""])
    ).encode()


def found(*events: str, all_day: str = "busy", head: str = "") -> reading.Found:
    return reading.read(calendar(*events, head=head), zone="Asia/Taipei", now=NOW, all_day=all_day)


def times(*events: str, **more) -> list[str]:
    """Beginnings and ends on the clinic's clock."""
    return [
        f"{one.starts_at.astimezone(TAIPEI):%m-%d %H:%M} {one.ends_at.astimezone(TAIPEI):%m-%d %H:%M}"
        for one in found(*events, **more).away
    ]


def reasons(*events: str, **more) -> list[tuple[str, int]]:
    return [(one.reason, one.count) for one in found(*events, **more).skipped]


def warnings(*events: str, **more) -> list[tuple[str, str]]:
    return [(one.reason, one.what) for one in found(*events, **more).warned]


MEETING = "UID:a\nSUMMARY:學會\nDTSTART;TZID=Asia/Taipei:20260318T140000\nDTEND;TZID=Asia/Taipei:20260318T160000"
DAY = "UID:b\nDTSTART;VALUE=DATE:20260320\nDTEND;VALUE=DATE:20260323"


def test_an_entry_is_a_time_away_with_its_title():
    (one,) = found(MEETING).away

    assert (one.key, one.note, one.line, one.all_day) == ("a", "學會", 4, False)
    assert (one.starts_at, one.ends_at) == (datetime(2026, 3, 18, 6, tzinfo=UTC), datetime(2026, 3, 18, 8, tzinfo=UTC))


def test_whole_days_go_from_midnight_to_midnight_at_the_clinic():
    assert times(DAY) == ["03-20 00:00 03-23 00:00"]
    assert times("UID:b\nDTSTART;VALUE=DATE:20260320") == ["03-20 00:00 03-21 00:00"]
    assert times("UID:b\nDTSTART;VALUE=DATE:20260320\nDURATION:P2D") == ["03-20 00:00 03-22 00:00"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("TRANSP:TRANSPARENT", "free"), ("X-MICROSOFT-CDO-BUSYSTATUS:FREE", "free"), ("STATUS:CANCELLED", "cancelled"),
        ("STATUS:cancelled", "cancelled"),
    ],
)  # fmt: skip
def test_what_is_free_or_called_off_is_no_time_away(line, reason):
    assert reasons(f"{MEETING}\n{line}") == [(reason, 1)]
    assert times(f"{MEETING}\n{line}") == []


def test_whole_days_shown_as_free_count_only_when_asked_for():
    free = f"{DAY}\nTRANSP:TRANSPARENT"

    assert reasons(free) == [("free", 1)]
    assert times(free, all_day="always") == ["03-20 00:00 03-23 00:00"]
    assert reasons(DAY, all_day="never") == [("all_day", 1)]
    assert times(f"{MEETING}\nTRANSP:TRANSPARENT", all_day="always") == []


def test_what_is_over_or_lasts_no_time_is_skipped():
    assert reasons("UID:a\nDTSTART:20260315T010000Z\nDTEND:20260315T020000Z") == [("past", 1)]
    assert reasons("UID:a\nDTSTART:20260318T010000Z") == [("no_length", 1)]
    assert reasons("UID:a\nDTSTART:20260318T010000Z\nDTEND:20260318T000000Z") == [("no_length", 1)]
    assert reasons("UID:a\nSUMMARY:x") == [("no_start", 1)]
    assert reasons("UID:a\nDTSTART:20290318T010000Z\nDURATION:PT1H") == [("far", 1)]
    assert times("UID:a\nDTSTART:20260316T010000Z\nDURATION:PT4H") == [
        "03-16 09:00 03-16 13:00"
    ]  # now, and still going on


def test_the_clinics_own_sessions_are_no_leave():
    assert reasons(MEETING.replace("UID:a", "UID:session-0197@careloop")) == [("own", 1)]


def test_a_private_entry_counts_and_keeps_its_title_to_itself():
    assert [one.note for one in found(f"{MEETING}\nCLASS:PRIVATE").away] == [""]


def test_times_without_a_zone_are_the_clinics():
    event = "UID:a\nDTSTART:20260318T140000\nDTEND:20260318T160000"

    assert times(event) == ["03-18 14:00 03-18 16:00"]
    assert warnings(event) == [("floating", "")]


def test_an_unknown_zone_is_read_as_the_clinics_and_told():
    event = "UID:a\nDTSTART;TZID=Nowhere/Land:20260318T140000\nDTEND;TZID=Nowhere/Land:20260318T160000"

    assert times(event) == ["03-18 14:00 03-18 16:00"]
    assert warnings(event) == [("zone", "Nowhere/Land")]


def test_zones_of_windows_and_of_the_file_itself_are_known():
    assert times(MEETING.replace("Asia/Taipei", "Taipei Standard Time")) == ["03-18 14:00 03-18 16:00"]
    berlin = "UID:a\nDTSTART;TZID=Berlin:20260318T090000\nDURATION:PT1H"
    assert times(berlin, head=BERLIN) == ["03-18 16:00 03-18 17:00"]


def test_a_repetition_keeps_its_hour_when_the_clocks_change():
    weekly = "UID:a\nDTSTART;TZID=Europe/Berlin:20260324T090000\nDTEND;TZID=Europe/Berlin:20260324T100000\nRRULE:FREQ=WEEKLY;COUNT=2"

    assert times(weekly) == ["03-24 16:00 03-24 17:00", "03-31 15:00 03-31 16:00"]


def test_repetitions_are_followed_for_180_days():
    rows = found(f"{MEETING}\nRRULE:FREQ=WEEKLY").away

    assert rows[0].starts_at.date() == date(2026, 3, 18)
    assert NOW + timedelta(days=173) < rows[-1].starts_at <= NOW + timedelta(days=180)
    assert len(rows) == 26
    assert len({one.key for one in rows}) == 26


def test_a_repetition_long_ago_goes_on():
    event = "UID:a\nDTSTART;TZID=Asia/Taipei:20200101T140000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=WE;UNTIL=20260326T000000Z"

    assert times(event) == ["03-18 14:00 03-18 15:00", "03-25 14:00 03-25 15:00"]
    assert reasons(event) == [("past", 324)]


def test_exceptions_additions_and_changed_repetitions():
    weekly = f"{MEETING}\nRRULE:FREQ=WEEKLY;COUNT=5\nEXDATE;TZID=Asia/Taipei:20260325T140000\nRDATE;TZID=Asia/Taipei:20260320T090000"
    moved = "UID:a\nRECURRENCE-ID;TZID=Asia/Taipei:20260401T140000\nDTSTART;TZID=Asia/Taipei:20260402T150000\nDURATION:PT30M"
    called_off = (
        f"{MEETING.replace('20260318', '20260408')}\nRECURRENCE-ID;TZID=Asia/Taipei:20260408T140000\nSTATUS:CANCELLED"
    )

    assert times(weekly, moved, called_off) == [
        "03-18 14:00 03-18 16:00", "03-20 09:00 03-20 11:00", "04-02 15:00 04-02 15:30", "04-15 14:00 04-15 16:00",
    ]  # fmt: skip
    assert reasons(weekly, moved, called_off) == [("cancelled", 1)]


def test_an_exception_in_utc_or_as_a_day_is_understood():
    assert len(times(f"{MEETING}\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE:20260325T060000Z")) == 2
    assert len(times(f"{MEETING}\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;VALUE=DATE:20260325")) == 2
    assert len(times(f"{DAY}\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;VALUE=DATE:20260327")) == 2


def test_a_period_has_its_own_length():
    event = f"{MEETING}\nRDATE;VALUE=PERIOD:20260319T010000Z/PT30M,20260320T010000Z/20260320T040000Z"

    assert times(event) == ["03-18 14:00 03-18 16:00", "03-19 09:00 03-19 09:30", "03-20 09:00 03-20 12:00"]


def test_this_and_all_later_repetitions_move_together():
    weekly = f"{MEETING}\nRRULE:FREQ=WEEKLY;COUNT=4"
    later = "UID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Asia/Taipei:20260401T140000\nDTSTART;TZID=Asia/Taipei:20260402T100000\nDURATION:PT1H"

    assert times(weekly, later) == [
        "03-18 14:00 03-18 16:00", "03-25 14:00 03-25 16:00", "04-02 10:00 04-02 11:00", "04-09 10:00 04-09 11:00",
    ]  # fmt: skip


def test_a_changed_repetition_without_its_series_counts_alone():
    assert times(f"{MEETING}\nRECURRENCE-ID;TZID=Asia/Taipei:20260318T090000") == ["03-18 14:00 03-18 16:00"]


def test_the_newest_version_of_an_entry_counts():
    newer = MEETING.replace("T160000", "T170000") + "\nSEQUENCE:2"

    assert times(MEETING, newer) == ["03-18 14:00 03-18 17:00"]
    assert reasons(MEETING, newer) == [("replaced", 1)]


def test_two_entries_of_one_name_are_both_read():
    other = MEETING.replace("20260318", "20260319")

    rows = found(MEETING, other).away
    assert len(rows) == len({one.key for one in rows}) == 2
    assert reasons(MEETING, MEETING) == [("twice", 1)] or len(found(MEETING, MEETING).away) == 2


def test_a_rule_that_cannot_be_read_leaves_the_first_time():
    assert times(f"{MEETING}\nRRULE:FREQ=NEVER") == ["03-18 14:00 03-18 16:00"]
    assert warnings(f"{MEETING}\nRRULE:FREQ=NEVER") == [("rule", "RRULE")]


def test_an_unreadable_property_is_told_with_its_line():
    (warning,) = found(MEETING, f"{DAY}\nEXDATE:sometime").warned

    assert (warning.reason, warning.what, warning.line) == ("unreadable", "EXDATE", 10)


@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]), interval=st.integers(1, 5),
    count=st.one_of(st.none(), st.integers(1, 40)), start=st.datetimes(datetime(2026, 3, 16, 12), datetime(2026, 6, 1)),
    days=st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR"]), max_size=3, unique=True),
)  # fmt: skip
def test_repetitions_are_those_of_the_reference_in_the_clinics_time(frequency, interval, count, start, days):
    start = start.replace(second=0, microsecond=0)
    rule = (
        f"FREQ={frequency};INTERVAL={interval}"
        + (f";COUNT={count}" if count else "")
        + (f";BYDAY={','.join(days)}" if days else "")
    )
    event = f"UID:a\nDTSTART;TZID=Asia/Taipei:{start:%Y%m%dT%H%M%S}\nDURATION:PT1H\nRRULE:{rule}"

    last = (NOW + timedelta(days=180)).astimezone(TAIPEI).replace(tzinfo=None)
    expected = {start, *(at for at in islice(rrulestr(rule, dtstart=start), 400) if at <= last)}
    assert [one.starts_at.astimezone(TAIPEI).replace(tzinfo=None) for one in found(event).away] == sorted(expected)


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"), (b" \r\n", "empty"), (b"x" * 1_000_001, "too_large"), (b"%PDF-1.7\nhello", "no_calendar"), (b"<html></html>", "no_calendar"),
        (b"PK\x03\x04\x14\x00", "no_calendar"), (b"\xff\xfeBEGIN:\xd8", "encoding"), (b"BEGIN:VCALENDAR\n" * 60, "too_deep"), ("BEGIN:VEVENT".encode("utf-16"), "cut_off"),
    ],
)  # fmt: skip
def test_what_is_no_calendar_is_refused_by_its_reason(data, reason):
    with pytest.raises(parsing.CannotRead) as refused:
        reading.read(data, zone="Asia/Taipei", now=NOW)

    assert refused.value.reason == reason


def test_big5_and_utf16_are_read():
    text = calendar(MEETING).decode()

    for encoding in ("utf-16", "cp950", "utf-8-sig"):
        assert [one.note for one in reading.read(text.encode(encoding), zone="Asia/Taipei", now=NOW).away] == ["學會"]


def test_a_calendar_of_too_many_times_is_refused_with_its_line():
    hourly = "UID:{n}\nDTSTART:20260318T010000Z\nDURATION:PT10M\nRRULE:FREQ=HOURLY"

    with pytest.raises(parsing.CannotRead) as refused:
        found(hourly.format(n=1), hourly.format(n=2))

    assert (refused.value.reason, refused.value.line) == ("too_many", 10)


def test_every_second_is_no_leave():
    assert reasons(f"{MEETING}\nRRULE:FREQ=SECONDLY") == [("too_often", 1)]


def test_a_rule_that_never_comes_true_is_ended_and_its_line_told():
    never = "UID:{n}\nDTSTART:20260318T010000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"
    data = calendar(MEETING, *(never.format(n=n) for n in range(40)))

    with pytest.raises(CalendarRefused) as refused:
        apart.read(data, zone="Asia/Taipei", now=NOW, seconds=3)

    assert refused.value.details["reason"] == "too_slow"
    assert refused.value.details["line"] >= 10
