"""The API: with a token and its scopes, inside one organization, with the rules of the screens."""

import json
from uuid import uuid4

import pytest
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
