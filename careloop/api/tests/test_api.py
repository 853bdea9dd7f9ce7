"""The API: with a token and its scopes, inside one organization, with the rules of the screens."""

import json
import threading
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from careloop.api import services
from careloop.api.scopes import SCOPES
from careloop.audit.models import AuditEvent
from careloop.tenancy.context import current_scope, in_organization, run_before_commit

EVERYTHING = list(SCOPES)


class Api:
    """A program with a token."""

    def __init__(self, secret: str) -> None:
        self.client = Client(headers={"authorization": f"Bearer {secret}"})

    def get(self, path, **params):
        return self.client.get(f"/api/v1{path}", params)

    def post(self, path, body, **headers):
        return self.client.post(f"/api/v1{path}", json.dumps(body), content_type="application/json", headers=headers)

    def patch(self, path, body):
        return self.client.patch(f"/api/v1{path}", json.dumps(body), content_type="application/json")


@pytest.fixture
def api(organization, now):
    def make(*scopes):
        _token, secret = services.create_token(name=f"program {uuid4()}", scopes=scopes or EVERYTHING, by=None, now=now)
        return Api(secret)

    return make


def test_without_a_token_there_is_nothing(organization):
    answer = Client().get("/api/v1/patients")

    assert answer.status_code == 401
    assert answer.json()["code"] == "api.token_needed"


def test_a_signed_in_browser_is_no_token(client_for):
    assert client_for("owner").get("/api/v1/patients").status_code == 401


def test_a_token_does_only_what_its_scopes_say(api):
    reader = api("patients:read")

    assert reader.get("/patients").status_code == 200
    answer = reader.post("/patients", {"name": "王小美"})
    assert (answer.status_code, answer.json()["code"], answer.json()["details"]) == (
        403, "api.scope_needed", {"scope": "patients:write"},
    )  # fmt: skip


def test_a_patient_is_registered_once_per_key_and_read_back(api):
    program, key = api(), str(uuid4())
    body = {"name": "王小美", "birth_date": "1990-03-05", "contacts": [{"system": "phone", "value": "0912345678"}]}

    first = program.post("/patients", body, **{"idempotency-key": key})
    again = program.post("/patients", body, **{"idempotency-key": key})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    seen = program.get(f"/patients/{first.json()['id']}").json()
    assert (seen["name"], seen["birth_date"], seen["version"]) == ("王小美", "1990-03-05", 1)


def test_a_change_from_an_old_version_is_refused(api):
    program = api()
    patient = program.post("/patients", {"name": "王小美"}).json()["id"]

    assert program.patch(f"/patients/{patient}", {"version": 1, "name": "王曉美"}).json()["version"] == 2
    assert program.patch(f"/patients/{patient}", {"version": 1, "name": "王大美"}).status_code == 409
    assert program.get(f"/patients/{patient}").json()["name"] == "王曉美"


def test_lists_are_pages_that_give_every_row_once(api):
    program = api()
    made = {program.post("/patients", {"name": f"病人{n}"}).json()["id"] for n in range(5)}

    seen, cursor = [], ""
    while cursor is not None:
        page = program.get("/patients", limit=2, cursor=cursor).json()
        seen += [row["id"] for row in page["items"]]
        cursor = page["next"]

    assert len(seen) == 5
    assert set(seen) == made


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJ4Il0", "%00", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTkiXQ"])
def test_a_made_up_cursor_is_refused(api, cursor):
    assert api().get("/patients", cursor=cursor).status_code == 400


def test_another_organization_is_not_there(api, other_organization, now):
    from careloop.tenancy import context

    mine = api().post("/patients", {"name": "王小美"}).json()["id"]
    here = current_scope().organization_id
    token = context._scope.set(None)
    with in_organization(other_organization.id):
        _token, secret = services.create_token(name="stranger", scopes=EVERYTHING, by=None, now=now)
    context._scope.reset(token)
    context.set_organization(here)

    stranger = Api(secret)
    assert stranger.get(f"/patients/{mine}").status_code == 404
    assert stranger.get("/patients").json()["items"] == []
    assert stranger.patch(f"/patients/{mine}", {"version": 1, "name": "x"}).status_code == 404


def test_a_revoked_or_expired_token_is_none(organization, now):
    token, secret = services.create_token(name="old", scopes=EVERYTHING, by=None, now=now)
    services.revoke_token(token_id=token.pk, by=None, now=now)
    _late, expired = services.create_token(name="late", scopes=EVERYTHING, by=None, now=now, expires_at=now)

    assert Api(secret).get("/patients").status_code == 401
    assert Api(expired).get("/patients").status_code == 401


def test_reading_leaves_an_entry_with_the_token_as_actor(api):
    program = api()
    patient = program.post("/patients", {"name": "王小美"}).json()["id"]
    program.get(f"/patients/{patient}")
    run_before_commit()

    seen = AuditEvent.objects.get(action="patient.viewed")
    assert seen.actor_kind == "api_token"
    assert [str(one) for one in seen.patients] == [patient]


def test_bad_input_is_told_with_its_place(api):
    answer = api().post("/patients", {"name": "", "sex": "cat"})

    assert answer.status_code == 422
    assert {place["place"] for place in answer.json()["details"]["places"]} == {"name", "sex"}


def test_a_misspelt_field_is_refused_not_lost(api):
    answer = api().post(
        "/patients",
        {"name": "王小美", "birthdate": "1990-03-05", "contacts": [{"system": "line", "value": "U", "main": True}]},
    )

    assert answer.status_code == 422
    assert {place["place"] for place in answer.json()["details"]["places"]} == {"birthdate", "contacts.0.main"}


@pytest.mark.parametrize("body", [b"{bad", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused_in_the_shape_of_every_refusal(api, body):
    answer = api().client.post("/api/v1/patients", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["code"] == "api.unreadable"


def test_a_marketing_segment_may_not_read_diagnoses(api):
    rule = {"field": "condition", "op": "any", "value": ["E11.9"]}

    answer = api().post("/segments", {"name": "x", "purpose": "MARKETING", "rule": {"all": [rule]}})

    assert answer.status_code >= 400


def test_the_description_loads_and_names_every_scope_guarded_path(organization):
    description = Client().get("/api/v1/openapi.json").json()

    assert description["openapi"].startswith("3.1")
    assert {"/api/v1/patients", "/api/v1/events", "/api/v1/segments", "/api/v1/messages"} <= set(description["paths"])


ZH = {"accept-language": "zh-TW"}


@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1/nothing", "/api/v1/patients/", "/api/v1/patients/not-an-id"])
def test_an_unknown_address_is_refused_in_the_shape_of_every_refusal(api, path):
    for client in (api().client, Client()):
        answer = client.get(path, headers=ZH)

        assert (answer.status_code, answer["Content-Type"]) == (404, "application/json; charset=utf-8")
        assert answer.json()["code"] == "api.unknown_address"
        assert "這個網址" in answer.json()["message"]


def test_a_method_that_is_not_taken_is_refused_in_the_shape_of_every_refusal(api):
    answer = api().client.delete("/api/v1/patients", headers=ZH)

    assert answer.status_code == 405
    assert set(answer["Allow"].split(", ")) == {"GET", "POST"}
    assert answer.json()["code"] == "api.method_refused"
    assert answer.json()["details"]["method"] == "DELETE"
    assert "不接受 DELETE" in answer.json()["message"]


@pytest.mark.parametrize("body", [{"name": ""}, {"nonsense": 1}, "no object"])
def test_the_scope_is_asked_before_anything_sent_is_looked_at(api, body):
    reader = api("patients:read")

    assert reader.post("/patients", body).status_code == 403
    assert reader.client.post("/api/v1/patients", b"{bad", content_type="application/json").status_code == 403
    assert reader.get("/events", limit="many").status_code == 403


def test_a_key_with_another_body_is_refused_and_changes_nothing(api):
    program, key = api(), str(uuid4())
    made = program.post("/patients", {"name": "王小美", "birth_date": "1990-03-05"}, **{"idempotency-key": key})

    other = program.post("/patients", {"name": "陳大文"}, **{"idempotency-key": key})
    again = program.post("/patients", {"birth_date": "1990-03-05", "name": "王小美"}, **{"idempotency-key": key})

    assert made.status_code == 201
    assert (other.status_code, other.json()["code"]) == (422, "api.key_used")
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    assert len(program.get("/patients").json()["items"]) == 1


def test_the_id_of_a_patient_registered_in_another_way_is_no_key(api):
    program = api()
    key = program.post("/patients", {"name": "王小美"}).json()["id"]

    assert program.post("/patients", {"name": "王小美"}, **{"idempotency-key": key}).json()["code"] == "api.key_used"


def test_a_refused_request_does_not_use_its_key_up(api):
    program, key = api(), {"idempotency-key": str(uuid4())}
    program.post("/patients", {"name": "王小美", "birth_date": "1990-03-05"})
    body = {"name": "王小美", "birth_date": "1990-03-05"}

    assert program.post("/patients", body, **key).status_code == 409
    assert program.post("/patients", body | {"even_if_similar": True}, **key).status_code == 201


@pytest.mark.parametrize("path", ["/patients?chart_number=%00", "/patients?chart_number=A%001", "/events?kind=%00"])
def test_a_null_character_is_told_and_not_taken_for_nothing(api, path):
    answer = api().client.get(f"/api/v1{path}", headers=ZH)

    assert answer.status_code == 422
    assert [place["what"] for place in answer.json()["details"]["places"]] == ["含有無法儲存的字元。"]


@pytest.mark.parametrize("path", ["/messages?state=%00", "/messages?state=SENT", "/appointments?state=done"])
def test_a_state_that_does_not_exist_is_told_with_those_that_do(api, path):
    answer = api().client.get(f"/api/v1{path}", headers=ZH)

    assert answer.status_code == 422
    [place] = answer.json()["details"]["places"]
    assert place["place"] == "state"
    assert "cancelled" in place["what"]
    assert "必須" in place["what"]


@pytest.mark.parametrize(
    ("path", "known"),
    [("/patients?updated_sinc=2026-01-01T00:00:00Z", "updated_since"), ("/appointments?patient=1", "patient_id"), ("/services?x=", "–")],
)  # fmt: skip
def test_a_filter_that_is_written_wrong_is_told_instead_of_giving_everything(api, path, known):
    answer = api().get(path)

    assert (answer.status_code, answer.json()["code"]) == (422, "api.unknown_parameter")
    assert known in answer.json()["details"]["known"]
    assert Client().get(f"/api/v1{path}").status_code == 401


def test_a_null_character_in_a_body_is_told_with_its_place(api):
    program = api()
    body = {"name": "王\0小美", "contacts": [{"system": "phone", "value": "09\0"}]}

    answer = program.post("/patients", body)

    assert answer.status_code == 422
    assert {place["place"] for place in answer.json()["details"]["places"]} == {"name", "contacts.0.value"}
    rule = {"all": [{"field": "tag", "op": "any", "value": ["a\0b"]}]}
    assert 400 <= program.post("/segments/count", {"rule": rule}).status_code < 500


def test_what_is_wrong_is_said_in_the_language_of_the_request(api):
    body = {
        "sex": "cat",
        "chart_number": "9" * 61,
        "birth_date": "yesterday",
        "nonsense": 1,
        "contacts": {},
        "even_if_similar": "?",
    }

    answer = api().client.post("/api/v1/patients", json.dumps(body), content_type="application/json", headers=ZH).json()

    assert {place["place"]: place["what"] for place in answer["details"]["places"]} == {
        "name": "缺少這個欄位。",
        "sex": "必須是下列其中之一：'male', 'female', 'other', 'unknown'。",
        "chart_number": "超過 60 個字元。",
        "birth_date": "不是日期，例如 2026-03-16。",
        "nonsense": "這裡沒有這個欄位。",
        "contacts": "不是清單（[ ]）。",
        "even_if_similar": "不是 true 或 false。",
    }
    assert "name：缺少這個欄位。" in answer["message"]


def test_a_moment_without_its_zone_is_told_in_the_language_of_the_request(api):
    assert api().client.get("/api/v1/patients?updated_since=2026-03-16T10:00:00", headers=ZH).status_code == 422

    answer = api().client.get("/api/v1/appointments?until=2026-03-16T10:00:00", headers=ZH)

    assert answer.status_code == 422
    assert answer.json()["message"] == "until：不是日期時間，例如 2026-03-16T10:00:00+08:00。"


def test_a_messages_key_sends_once_and_for_one_thing_only(api):
    from careloop.journeys.tests.support import open_line, person

    open_line()
    somebody, other = person(), person("陳大文", line="U" + "1" * 32)
    program = api()
    body = {"template": "recall", "patient_id": str(somebody), "key": "recall of march"}

    first, again = program.post("/messages", body), program.post("/messages", body)

    assert (first.status_code, again.json()["id"]) == (201, first.json()["id"])
    for change in ({"patient_id": str(other)}, {"template": "birthday"}, {"params": {"time": "10:00"}}):
        refused = program.post("/messages", body | change)
        assert (refused.status_code, refused.json()["code"]) == (422, "api.key_used"), change
    assert len(program.get("/messages").json()["items"]) == 1
    assert [len(program.get("/messages", state=one).json()["items"]) for one in ("planned", "cancelled")] == [1, 0]


def test_two_requests_with_one_key_at_once_make_one_patient(committed_organization, now):
    with in_organization(committed_organization.id):
        _token, secret = services.create_token(name="twice", scopes=EVERYTHING, by=None, now=now)
    key, together, answers = {"idempotency-key": str(uuid4())}, threading.Barrier(2), []

    def send():
        try:
            program = Api(secret)
            together.wait(10)
            answers.append(program.post("/patients", {"name": "王小美"}, **key))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
