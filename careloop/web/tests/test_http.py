import csv
import io
import json

import pytest
from django.core.exceptions import BadRequest
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from careloop.kernel.ids import uuid7
from careloop.tenancy.models import Location
from careloop.web.http import (
    FORMULA_STARTS,
    Cursor,
    Keyset,
    csv_download,
    guard_cell,
    is_htmx,
    next_url,
    redirect_to,
    shown_count,
)

requests = RequestFactory()
values = st.one_of(
    st.text(),
    st.integers(),
    st.dates(),
    st.datetimes(),
    st.uuids(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(st.lists(values, min_size=1, max_size=4), st.sampled_from(["next", "previous"]))
def test_a_cursor_survives_its_way_through_an_address(sort_values, direction):
    cursor = Cursor(tuple(sort_values), direction)

    assert Cursor.decode(cursor.encode(), keys=len(sort_values)) == cursor


@given(st.text())
@example("bm90IGpzb24")
@example("W10")
@example("1")
def test_a_damaged_cursor_is_refused_and_never_a_crash(text):
    with pytest.raises(BadRequest):
        Cursor.decode(text, keys=2)


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(BadRequest):
        Cursor.decode(Cursor(("a",)).encode(), keys=2)


def test_a_sort_column_may_not_be_null():
    with pytest.raises(ValueError, match="null"):
        Cursor((None,)).encode()


def walk(queryset, order, size):
    """Read a list forwards to its end and back to its start, as a reader would by the links."""
    pages, url = [], "?name=x"
    while url:
        page = Keyset(requests.get("/" + url), order, size).page_of(queryset)
        pages.append([row["id"] for row in page])
        url = page.next_url
        last = page
    back, url = [pages[-1]], last.previous_url
    while url:
        page = Keyset(requests.get("/" + url), order, size).page_of(queryset)
        back.insert(0, [row["id"] for row in page])
        url = page.previous_url
    return pages, back


@pytest.mark.parametrize("order", [("name", "id"), ("-name", "-id")])
def test_pages_forwards_and_backwards_show_every_row_once(organization, order):
    for n in range(10):  # and the clinic itself
        Location.objects.create(id=uuid7(), name=f"Room {n % 4}-{n}", phone=str(n % 3))
    places = Location.objects.values("id", "name")

    forwards, backwards = walk(places, order, size=4)

    assert [one for page in forwards for one in page] == [row["id"] for row in places.order_by(*order)]
    assert [len(page) for page in forwards] == [4, 4, 3]
    assert backwards == forwards


def test_rows_that_share_a_sort_value_are_neither_lost_nor_repeated(organization):
    for n in range(7):
        Location.objects.create(name=f"Room {n}", phone="same")

    forwards, backwards = walk(Location.objects.values("id", "phone"), ("phone", "id"), size=3)

    assert len({one for page in forwards for one in page}) == 8  # and the clinic itself
    assert backwards == forwards


def test_a_page_keeps_the_filters_in_its_links(organization):
    for n in range(3):
        Location.objects.create(name=f"Room {n}")

    page = Keyset(requests.get("/?tag=a&tag=b&q=王"), ("name", "id"), size=2).page_of(
        Location.objects.values("id", "name")
    )

    assert page.next_url.startswith("?tag=a&tag=b&q=%E7%8E%8B&after=")
    assert page.previous_url == ""


def test_sql_of_ones_own_gets_condition_and_order(organization):
    cursor = Cursor(("b", 5)).encode()
    keyset = Keyset(requests.get("/", {"after": cursor}), ("-name", "-id"))

    assert keyset.where(name="p.name", id="p.id") == ("(p.name, p.id) < (%s, %s)", ["b", 5])
    assert keyset.order_by(name="p.name", id="p.id") == "p.name desc, p.id desc"


def test_a_keyset_in_two_directions_is_a_mistake():
    with pytest.raises(ValueError, match="one direction"):
        Keyset(requests.get("/"), ("-name", "id"))


@given(st.text())
@example("=1+1")
@example(" =1+1")
@example("\t=1+1")
@example("＝1+1")
@example("\0=1")
def test_no_text_in_a_download_starts_like_a_formula(text):
    guarded = guard_cell(text)

    assert guarded[:1] not in FORMULA_STARTS
    assert guarded.lstrip(" \u00a0\u3000\u200b\ufeff")[:1] not in FORMULA_STARTS
    assert guarded in (text, f"'{text}")


@given(st.one_of(st.integers(), st.floats(), st.none(), st.dates()))
def test_numbers_and_dates_stay_what_they_are(value):
    assert guard_cell(value) is value


def test_a_download_opens_in_excel_and_carries_no_formula():
    response = csv_download("patients.csv", ["姓名", "金額"], [["王小明", -300], ["@SUM(A1)", 2]])
    text = b"".join(response.streaming_content)
    response.file_to_stream.close()

    assert text.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(text.decode("utf-8-sig")))) == [
        ["姓名", "金額"],
        ["王小明", "-300"],
        ["'@SUM(A1)", "2"],
    ]
    assert 'filename="patients.csv"' in response["Content-Disposition"]


def test_a_download_reads_its_rows_at_once_while_the_transaction_is_open():
    read = []

    response = csv_download("x.csv", ["n"], (read.append(n) or [n] for n in range(3)))

    response.file_to_stream.close()
    assert read == [0, 1, 2]


def test_a_form_sent_by_htmx_is_led_to_the_next_page_too():
    answer = redirect_to(requests.post("/", headers={"HX-Request": "true"}), "/patients/")

    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/patients/")
    assert redirect_to(requests.post("/"), "/patients/").status_code == 303


def test_htmx_restoring_history_wants_the_whole_page():
    assert is_htmx(requests.get("/", headers={"HX-Request": "true"}))
    assert not is_htmx(requests.get("/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}))


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "http:///evil.example", ""]
)
def test_a_form_cannot_send_the_browser_to_another_site(wanted):
    assert next_url(requests.post("/", {"next": wanted}), "/") == "/"


def test_a_count_says_where_it_stopped():
    assert shown_count(1204, limit=10_000) == "1,204"
    assert json.dumps(shown_count(10_000, limit=10_000))
    assert "10,000" in shown_count(10_000, limit=10_000)
