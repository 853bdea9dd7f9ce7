"""How pages behave with much in them: few statements, constant time, and text that stays text."""

import json
import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from careloop.consent.models import Consent, ConsentChannel
from careloop.facts import services as facts
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.patients import services
from careloop.patients.tests import make
from careloop.records import services as records
from careloop.scheduling.models import Appointment
from careloop.web.screens.patients import words

OWN_HOSTILE = [
    "<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "{{ 7*7 }}{% debug %}", "=1+1", "＝HYPERLINK(1)", "../../etc/passwd",
    "Robert'); DROP TABLE patients_patient;--", "\u202e王小明\u202c", "👩‍⚕️ 王", "a\u0301\u0301\u0301", "%s %(name)s %d", "&amp;&lt;", "${7*7}",
]  # fmt: skip


@pytest.fixture
def people(organization, now):
    made = [
        make.patient(f"病人{number:02}", phone=f"09120000{number:02}", chart_number=f"N{number:03}")
        for number in range(60)
    ]
    facts.refresh(made, now=now)
    return made


def statements(
    client, url: str, words: tuple[str, ...] = ("patients_", "facts_", "records_", "events_", "consent_")
) -> list[str]:
    """The statements of a request that touch patients' tables (the audit note apart)."""
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    found = [one["sql"] for one in captured if any(word in one["sql"] for word in words)]
    return [one for one in found if "audit_append" not in one]


# -- the list ---------------------------------------------------------------------------------------------------


def test_the_list_takes_one_statement_for_the_rows_and_one_for_the_choices(people, client_for):
    assert len(statements(client_for("front_desk"), "/patients/")) == 2
    assert len(statements(client_for("front_desk"), "/patients/?q=病人&sort=name")) == 2


def test_reading_the_list_leaves_one_note_with_everybody_on_it(people, client_for):
    client_for("front_desk").get("/patients/")

    [note] = sql.rows("select patients, details from audit_event where action = 'patients.listed'")
    assert len(note["patients"]) == 50


def test_the_list_is_paged_and_keeps_its_filters(people, client_for):
    client = client_for("front_desk")
    first = client.get("/patients/?sort=name")
    second = client.get("/patients/" + first.context["page"].next_url)

    shown = [row["name"] for page in (first, second) for row in page.context["page"].rows]
    assert shown == sorted(shown)
    assert len(set(shown)) == 60
    assert second.context["page"].next == ""


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=病人07", 1), ("q=N01", 10), ("q=959", 0), ("visit=never", 50), ("visit=30", 0), ("age_from=30&age_to=40", 50), ("sex=male", 0),
        ("stage=0", 50), ("consent=undecided", 50), ("consent=marketing_line", 0), ("closed=on", 50), ("tag=nonsense", 50), ("stage=abc", 50),
        ("sort=chart", 50), ("sort=last_visit", 0),
    ],
)  # fmt: skip
def test_filters_say_who_is_in(people, client_for, query, found):
    answer = client_for("front_desk").get(f"/patients/?{query}")

    assert answer.status_code == 200
    assert len(answer.context["page"].rows) == found


def test_several_patients_are_tagged_at_once_and_found_by_it(people, client_for, now):
    client = client_for("front_desk")

    client.post("/patients/tag/", {"patient": [str(one) for one in people[:7]], "tag": "複檢", "action": "give"})
    facts.refresh(people, now=now)

    tag = sql.value("select id from patients_tag")
    assert len(client.get(f"/patients/?tag={tag}").context["page"].rows) == 7
    client.post("/patients/tag/", {"patient": [str(one) for one in people[:2]], "tag": "複檢", "action": "remove"})
    assert sql.value("select count(*) from patients_patient_tag") == 5


def test_a_download_needs_a_permission_and_a_reason_and_names_everybody(people, client_for):
    assert client_for("front_desk").get("/patients/export/").status_code == 403
    client = client_for("privacy_officer")
    assert client.get("/patients/export/?q=病人0").status_code == 200
    assert client.post("/patients/export/", {"q": "病人0"}).status_code == 422

    answer = client.post("/patients/export/", {"q": "病人0", "reason": "通知停診"})

    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 11
    note = sql.row("select reason, patients, details from audit_event where action = 'patients.exported'")
    assert (note["reason"], len(note["patients"]), note["details"]) == ("通知停診", 10, {"rows": 10})


# -- the page ---------------------------------------------------------------------------------------------------


def test_the_head_and_the_overview_take_one_statement(people, client_for):
    found = statements(
        client_for("front_desk"), f"/patients/{people[0]}/", ("patients_contact_point", "patients_patient p")
    )

    assert len([one for one in found if "patients_contact_point" in one]) == 1


def test_ten_thousand_events_are_paged_quickly_to_the_last(organization, client_for, now):
    patient = make.patient()
    sql.execute(
        """insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, source, historical, payload)
           select (array['observation.recorded', 'encounter.recorded', 'message.sent'])[1 + n %% 3], %s,
                  %s::timestamptz - make_interval(hours => n), %s, 'system', 'his', true,
                  jsonb_build_object('record_id', gen_random_uuid(), 'display', '第' || n, 'channel', 'line')
             from generate_series(1, 10000) n""",
        [patient, now, now],
    )
    client, url = client_for("nurse"), f"/patients/{patient}/timeline/"
    assert len(statements(client, url, ("events_event",))) == 1

    pages, slowest, at = 0, 0.0, url
    while at and pages < 12:
        start = time.perf_counter()
        answer = client.get(at)
        slowest = max(slowest, time.perf_counter() - start)
        following = answer.context["entries"].next_url
        at, pages = url + following if following else "", pages + 1
    assert pages == 12
    assert slowest < 2, "generous, because tests share the machine; the plan below is what counts"

    plan = _plan(patient)
    assert "events_by_patient" in plan or "patient_id_occurred_at" in plan, plan
    assert "Sort Method" not in plan.split("Limit")[0]


def _plan(patient) -> str:
    from zoneinfo import ZoneInfo

    from django.test import RequestFactory

    from careloop.web.screens.patients import timeline

    with CaptureQueriesContext(connection) as captured:
        timeline.page_of(RequestFactory().get("/"), patient, zone=ZoneInfo("Asia/Taipei"), clinical=True)
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("explain " + captured[-1]["sql"])
        return "\n".join(row[0] for row in cursor.fetchall())


def test_the_timeline_hides_an_undone_import_and_filters_by_kind_and_channel(organization, client_for, now):
    from careloop.events.services import retract_batch

    patient, batch = make.patient(), uuid7()
    sql.execute(
        """insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, source, batch_id, payload)
           values ('observation.recorded', %(p)s, %(now)s, %(now)s, 'system', 'his', %(batch)s, '{"display": "undone"}'),
                  ('observation.recorded', %(p)s, %(now)s, %(now)s, 'system', 'his', null, '{"display": "kept"}')""",
        {"p": patient, "now": now, "batch": batch},
    )
    retract_batch(batch, now=now)
    client, url = client_for("nurse"), f"/patients/{patient}/timeline/"

    page = client.get(url).content.decode()
    assert "kept" in page
    assert "undone" not in page
    assert "kept" not in client.get(url + "?group=profile").content.decode()
    assert "kept" not in client.get(url + "?channel=line").content.decode()
    assert "kept" not in client.get(url + f"?until={(now.date()).replace(year=2020)}").content.decode()


def test_every_kind_of_event_can_be_said(organization):
    """A sentence never breaks, whatever an older event's payload lacks."""
    from careloop.events.registry import KINDS
    from careloop.web.screens.patients.timeline import sentence

    for kind in KINDS:
        assert sentence(kind, {}) is not None
        assert "%(" not in sentence(kind, {"fields": []})
        assert "%(" not in sentence(kind, {"fields": ["name", "city"], "total": 5, "currency": "TWD", "display": "x"})


# -- hostile text -----------------------------------------------------------------------------------------------


def hostile() -> list[str]:
    folder = Path(__file__).parents[6] / "shared" / "data" / "hostile-text"
    texts = list(OWN_HOSTILE)
    if folder.exists():
        texts += json.loads((folder / "big-list-of-naughty-strings.json").read_text())
        texts += (folder / "xss-payloads.txt").read_text().splitlines()
        clinic = json.loads((folder / "clinic-strings.json").read_text())
        texts += _strings(clinic)
    return [text for text in dict.fromkeys(texts) if text.strip()]


def _strings(found) -> list[str]:
    if isinstance(found, str):
        return [found]
    values = found.values() if isinstance(found, dict) else found if isinstance(found, list) else []
    return [text for one in values for text in _strings(one)]


@pytest.mark.slow
def test_hostile_text_is_stored_as_it_is_and_shown_as_text(organization, client_for, now):
    from careloop.kernel.text import clean

    kept: dict[object, str] = {}
    for text in hostile():
        try:
            wanted = clean(text)[:160]
        except DomainError:
            continue  # a NUL or half a character: refused with a sentence
        if not wanted.strip():
            continue
        made = make.patient(text, note=text, occupation=text)
        assert sql.value("select name from patients_patient where id = %s", [made]) == wanted
        kept[made] = wanted
    assert len(kept) > 10
    facts.refresh(list(kept), now=now)
    tag = services.create_tag(name="<b>x</b>", now=now, by=None)
    services.give_tag(patient_ids=list(kept), tag_id=tag.id, now=now, by=None)
    facts.refresh(list(kept), now=now)
    client = client_for("owner")

    url, seen = "/patients/", 0
    while url:
        answer = client.get(url)
        page = answer.content.decode()
        _is_harmless(page, "list")
        for row in answer.context["page"].rows:
            assert _shows(page, kept[row["id"]])
            seen += 1
        url = "/patients/" + answer.context["page"].next_url if answer.context["page"].next else ""
    assert seen == len(kept)

    for patient, text in list(kept.items())[:: max(1, len(kept) // 60)]:
        page = client.get(f"/patients/{patient}/").content.decode()
        _is_harmless(page, "page")
        assert _shows(page, text)
        answer = client.get("/search/", {"q": text[:100]})
        assert answer.status_code == 200
        _is_harmless(answer.content.decode(), "search")
        assert client.get("/patients/", {"q": text}).status_code == 200


def _shows(page: str, text: str) -> bool:
    wanted = re.sub(r"\s+", " ", text)
    return wanted in re.sub(r"\s+", " ", unescape(page))


class _Harm(HTMLParser):
    """Reads a page as a browser does and keeps what could run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        names = dict(attrs)
        if tag == "script" and "src" not in names and names.get("type") != "application/json":
            self.found.append("script")
        if tag in ("iframe", "object", "embed", "marquee", "b"):
            self.found.append(tag)
        self.found += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            if (names.get(name) or "").strip().lower().startswith(("javascript:", "data:", "vbscript:")):
                self.found.append(f"{tag} {name}")


def _is_harmless(page: str, where: str) -> None:
    harm = _Harm()
    harm.feed(page)
    assert harm.found == [], where


def test_the_clock_of_the_page_is_the_clinics(organization, client_for, now):
    patient = make.patient()
    records.record_encounter(patient_id=patient, encounter_id=uuid7(), started_at=now, now=now, by=None)

    page = client_for("nurse").get(f"/patients/{patient}/visits/").content.decode()

    assert timezone.localtime(now).strftime("%Y-%m-%d %H:%M") in page


def test_every_place_an_event_can_come_from_has_words():
    ours = {
        *Appointment.Source.values,
        *Consent.Source.values,
        *ConsentChannel.values,
        "staff",
        "clinic",
        "journey",
        "segments",
    } - {"any"}

    assert sorted(ours - set(words.EVENT_SOURCES)) == []
    with translation.override("zh-hant"):
        same = [name for name, word in words.EVENT_SOURCES.items() if str(word) == name]
    assert same == [], "a code is no word"
