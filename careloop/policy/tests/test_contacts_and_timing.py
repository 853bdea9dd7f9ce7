"""Links and numbers inside text messages; quiet hours and the cap around their edges."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careloop.policy.answers import MessageClass
from careloop.policy.contacts import contact_key, contacts_in, is_registered
from careloop.policy.timing import (
    FrequencyCap,
    QuietWindow,
    cap_free_at,
    cap_reached,
    is_capped,
    is_quiet,
    next_allowed_at,
    waits_in_quiet_hours,
)

TAIPEI = ZoneInfo("Asia/Taipei")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("請點https://clinic.tw/p/7f3a。謝謝", ["clinic.tw/p/7f3a"]),
        ("詳見 reurl.cc/AbC1 或 lin.ee/x", ["reurl.cc/AbC1", "lin.ee/x"]),
        ("www.clinic.com.tw查詢", ["clinic.com.tw"]),
        ("HTTPS://Clinic.TW:443/", ["clinic.tw"]),
        ("電話(02)2345-6789", ["+886223456789"]),
        ("請撥0912-345-678或0800-345-678", ["+886912345678", "+886800345678"]),
        ("+886-2-2345-6789", ["+886223456789"]),
        ("412-8345", ["4128345"]),
        ("您的看診日2026-11-25 09:30，12號", []),
        ("病歷號0100001，民國0790305", []),
        ("e-mail: amy@clinic.tw", []),
        ("第3.5版，共2.0公里", []),
        ("100臺北市中正區重慶南路一段122號", []),
    ],
)
def test_addresses_and_numbers_are_found_and_dates_are_not(text, found):
    assert [contact.value for contact in contacts_in(text)] == found
    for contact in contacts_in(text):
        assert text[contact.start : contact.end] == contact.text


@pytest.mark.parametrize(
    ("text", "registered"),
    [
        ("https://clinic.tw/p", True),
        ("https://clinic.tw/p/7f3a", True),
        ("https://clinic.tw/p?x=1", True),
        ("http://www.clinic.tw/p", True),
        ("https://clinic.tw/px", False),
        ("https://clinic.tw", False),
        ("https://clinic.tw.evil.cc/p", False),
        ("https://clinic.tw@evil.cc/p", False),
        ("02-2345-6789", True),
        ("02-2345-6780", False),
    ],
)
def test_a_registered_address_covers_the_pages_below_it_only(text, registered):
    known = frozenset(map(contact_key, ("https://clinic.tw/p/", "(02)23456789")))

    (contact,) = contacts_in(text)
    assert is_registered(contact, known) == registered


@pytest.mark.parametrize(
    ("hour", "minute", "quiet"),
    [
        (20, 59, False),
        (21, 0, True),
        (23, 59, True),
        (0, 0, True),
        (7, 59, True),
        (8, 0, False),
        (12, 0, False),
    ],
)
def test_quiet_hours_cross_midnight(hour, minute, quiet):
    assert is_quiet(time(hour, minute)) == quiet


def test_quiet_hours_within_one_day_and_none_at_all():
    assert is_quiet(time(13), QuietWindow(time(12), time(14)))
    assert not is_quiet(time(14), QuietWindow(time(12), time(14)))
    assert not any(is_quiet(time(hour), QuietWindow(time(8), time(8))) for hour in range(24))


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-11-21 20:59", "2026-11-21 20:59"),
        ("2026-11-21 21:00", "2026-11-22 08:00"),
        ("2026-11-22 00:30", "2026-11-22 08:00"),
        ("2026-11-22 08:00", "2026-11-22 08:00"),
        ("2026-12-31 23:00", "2027-01-01 08:00"),
    ],
)
def test_a_message_waits_for_the_morning(local, expected):
    def at(text):
        return datetime.fromisoformat(text).replace(tzinfo=TAIPEI)

    assert next_allowed_at(at(local), zone=TAIPEI) == at(expected)


def test_the_morning_is_found_on_days_when_the_clocks_change():
    berlin = ZoneInfo("Europe/Berlin")
    spring = datetime(2026, 3, 28, 23, tzinfo=berlin)
    window = QuietWindow(time(21), time(2, 30))  # 02:30 does not exist on 29 March

    allowed = next_allowed_at(spring, zone=berlin, window=window)
    assert not is_quiet(allowed.astimezone(berlin).time(), window)
    assert next_allowed_at(spring, zone=berlin).astimezone(berlin).time() == time(8)

    autumn = datetime(2026, 10, 24, 23, tzinfo=berlin)
    assert next_allowed_at(autumn, zone=berlin, window=window) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1)),
    st.sampled_from(["Asia/Taipei", "Europe/Berlin", "America/New_York", "UTC"]),
    st.integers(0, 23),
    st.integers(0, 23),
)
def test_the_moment_found_is_never_quiet_and_never_earlier(moment, zone_name, starts, ends):
    zone = ZoneInfo(zone_name)
    window = QuietWindow(time(starts), time(ends))
    now = moment.replace(tzinfo=UTC)
    allowed = next_allowed_at(now, zone=zone, window=window)

    assert now <= allowed <= now + timedelta(hours=26)
    assert not is_quiet(allowed.astimezone(zone).time(), window)


def test_a_naive_moment_is_a_mistake():
    with pytest.raises(ValueError, match="zone"):
        next_allowed_at(datetime(2026, 1, 1), zone=TAIPEI)


def test_the_third_marketing_message_in_thirty_days_waits():
    now = datetime(2026, 11, 21, 2, tzinfo=UTC)
    sent = [now - timedelta(days=29), now - timedelta(days=5)]

    assert cap_reached(sent, now=now)
    assert cap_free_at(sent, now=now) == now + timedelta(days=1)
    assert not cap_reached(sent, now=now + timedelta(days=1))
    assert not cap_reached(sent[:1], now=now)
    assert not cap_reached([], now=now)


def test_a_message_counts_for_exactly_thirty_days():
    now = datetime(2026, 11, 21, 2, tzinfo=UTC)

    assert not cap_reached([now - timedelta(days=30)] * 2, now=now)
    assert cap_reached([now - timedelta(days=30) + timedelta(seconds=1)] * 2, now=now)


def test_a_cap_of_zero_means_never():
    now = datetime(2026, 11, 21, 2, tzinfo=UTC)

    assert cap_reached([], now=now, cap=FrequencyCap(limit=0))


def test_only_marketing_is_capped_and_only_what_the_patient_waits_for_is_urgent():
    assert [one for one in MessageClass if is_capped(one)] == [MessageClass.MARKETING]
    assert not waits_in_quiet_hours(MessageClass.OPERATIONAL, urgent=True)
    assert waits_in_quiet_hours(MessageClass.OPERATIONAL)
    assert waits_in_quiet_hours(MessageClass.MARKETING, urgent=True)
