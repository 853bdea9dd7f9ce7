"""Version 1: patients, events, segments, messages; appointments are in `appointments`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Header, NinjaAPI, Query, Status
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import AwareDatetime

from careloop.api import appointments, schemas, services
from careloop.api.doors import PROBLEMS, Cursor, Limit, Token, known_parameters_only
from careloop.api.errors import KeyUsed, MethodRefused, NotFound, TokenNeeded, UnknownAddress, Unreadable
from careloop.api.pages import cursor_of, page_of, read_cursor
from careloop.api.wording import what_is_wrong
from careloop.audit import services as audit
from careloop.events.settled import SETTLED_HERE
from careloop.facts.rules import Stage
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.messaging import services as messaging
from careloop.messaging.models import Message
from careloop.patients import services as patients
from careloop.patients.services import NewContact
from careloop.scheduling.errors import NoPlace
from careloop.segments import language
from careloop.segments import selectors as segment_selectors
from careloop.segments import services as segments

api = NinjaAPI(
    title="CareLoop", version="1", urls_namespace="api-v1", docs_url=None, openapi_url="/openapi.json",
    description="Patients, appointments, events, segments and messages of one organization.",
)  # fmt: skip
api.add_decorator(known_parameters_only)


@api.exception_handler(DomainError)
def refuse(request: HttpRequest, error: DomainError) -> HttpResponse:
    details = {name: _plain(value) for name, value in error.details.items()}
    if isinstance(error, NoPlace):
        details["alternatives"] = [appointments.as_free_place(one) for one in error.alternatives]
    return api.create_response(
        request, {"code": error.code, "message": str(error), "details": details}, status=error.status
    )


@api.exception_handler(HttpError)
def refuse_body(request: HttpRequest, error: HttpError) -> HttpResponse:
    # raised for a body that is no JSON, and for nothing else here
    return refuse(request, Unreadable())


@api.exception_handler(ValidationError)
def refuse_form(request: HttpRequest, error: ValidationError) -> HttpResponse:
    places = [{"place": _place(one["loc"]), "what": what_is_wrong(one)} for one in error.errors]
    body = {
        "code": "api.bad_request",
        "message": " ".join(_("%(place)s: %(what)s") % place for place in places),
        "details": {"places": places},
    }
    return api.create_response(request, body, status=422)


def _place(names: Sequence[str | int]) -> str:
    """Name a field as its sender knows it: without where it came in and what our function calls it."""
    kept = names[2:] if names[0] == "body" else names[1:]
    return ".".join(map(str, kept or names[:1]))


@api.exception_handler(AuthenticationError)
def refuse_stranger(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return refuse(request, TokenNeeded())


def not_there(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer at an address the API does not have."""
    return refuse(request, UnknownAddress())


def method_refused(request: HttpRequest, allowed: str) -> HttpResponse:
    """Answer to a method that an address does not take; `allowed` as in the header `Allow`."""
    response = refuse(request, MethodRefused(method=request.method, allowed=allowed))
    response["Allow"] = allowed
    return response


# -- patients --------------------------------------------------------------------------------------------------

PATIENT = """
    select p.id, p.chart_number, p.name, p.sex, p.birth_date, p.deceased, p.active, p.language, p.version, p.updated_at,
           f.stage as stage_number, f.last_visit_on, coalesce(f.visits, 0) as visits,
           array(select t.name from patients_patient_tag l join patients_tag t on t.id = l.tag_id
                  where l.patient_id = p.id order by t.name) as tags
      from patients_patient p left join facts_patient f on f.patient_id = p.id
"""
STAGES = {stage.value: stage.name.lower() for stage in Stage}


def _with_stage(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"stage": STAGES.get(row["stage_number"])}


@api.get("/patients", auth=Token("patients:read"), response={200: schemas.PatientPage, **PROBLEMS}, tags=["patients"])
def list_patients(
    request: HttpRequest, chart_number: schemas.Text = Query("", max_length=60), updated_since: AwareDatetime | None = None, cursor: str = Cursor,
    limit: int = Limit,
) -> Any:  # fmt: skip
    """Patients, in the order of their last change. `chart_number` finds one exactly."""
    where, params = ["p.merged_into_id is null"], {"limit": limit + 1}
    if chart_number:
        where.append("p.chart_number = %(chart)s")
        params["chart"] = chart_number  # type: ignore[assignment]
    if updated_since:
        where.append("p.updated_at >= %(since)s")
        params["since"] = updated_since  # type: ignore[assignment]
    if cursor:
        where.append("(p.updated_at, p.id) > (%(at)s, %(after)s)")
        params["at"], params["after"] = read_cursor(cursor, datetime, UUID)  # type: ignore[assignment]
    # in the order of an index of this organization's own: one by id alone goes past everybody else's patients
    rows = sql.rows(f"{PATIENT} where {' and '.join(where)} order by p.updated_at, p.id limit %(limit)s", params)
    page = page_of([_with_stage(row) for row in rows], limit, "updated_at", "id")
    audit.record("patient.listed", patients=[row["id"] for row in page["items"]])
    return page


@api.post(
    "/patients",
    auth=Token("patients:write"),
    response={201: schemas.Made, 200: schemas.Made, **PROBLEMS},
    tags=["patients"],
)
def register_patient(
    request: HttpRequest, body: schemas.PatientIn, idempotency_key: UUID | None = Header(None, alias="Idempotency-Key")
) -> Any:
    """Register a patient. With the same `Idempotency-Key` a second call makes no second record; with another body it is refused."""
    done = patients.register(
        details=body.dict(include={"name", "chart_number", "sex", "birth_date", "language"}),
        contacts=[NewContact(one.system, one.value, use=one.use) for one in body.contacts],
        identifiers=[patients.NewIdentifier(one.kind, one.value, system=one.system) for one in body.identifiers],
        idempotency_key=idempotency_key or uuid7(), now=timezone.now(), by=None, even_if_similar=body.even_if_similar, how="api",
    )  # fmt: skip
    if idempotency_key:
        services.keep_or_compare(idempotency_key, body.dict(), is_new=done.is_new, now=timezone.now())
    return Status(
        201 if done.is_new else 200, {"id": done.patient_id, "is_new": done.is_new, "warnings": done.warnings}
    )


@api.get(
    "/patients/{uuid:patient_id}",
    auth=Token("patients:read"),
    response={200: schemas.PatientOut, **PROBLEMS},
    tags=["patients"],
)
def get_patient(request: HttpRequest, patient_id: UUID) -> Any:
    """One patient."""
    row = sql.row(f"{PATIENT} where p.id = %s", [patient_id])
    if row is None:
        raise NotFound
    audit.record("patient.viewed", patients=[patient_id])
    return _with_stage(row)


@api.patch(
    "/patients/{uuid:patient_id}",
    auth=Token("patients:write"),
    response={200: schemas.PatientOut, **PROBLEMS},
    tags=["patients"],
)
def change_patient(request: HttpRequest, patient_id: UUID, body: schemas.PatientChange) -> Any:
    """Change fields; those not sent stay."""
    changes = body.dict(exclude_unset=True, exclude={"version"})
    changes = {name: "" if value is None and name != "birth_date" else value for name, value in changes.items()}
    patients.update(patient_id=patient_id, changes=changes, version=body.version, now=timezone.now(), by=None)
    return _with_stage(sql.row(f"{PATIENT} where p.id = %s", [patient_id]) or {})


# -- events ----------------------------------------------------------------------------------------------------

EVENT = "select id, kind, patient_id, occurred_at, recorded_at, source, historical, payload from events_event"
SHOWN_EVENTS = "(batch_id is null or batch_id not in (select batch_id from events_retraction))"
LOOKED_AT = 20_000
"""Events of the log that one page looks at when only some of them are wanted: a rare kind may be millions of events away."""


@api.get("/events", auth=Token("events:read"), response={200: schemas.LogPage, **PROBLEMS}, tags=["events"])
def list_events(
    request: HttpRequest, kind: schemas.Text = Query("", max_length=60), patient_id: UUID | None = None, cursor: str = Cursor, limit: int = Limit
) -> Any:  # fmt: skip
    """The event log, oldest first: keep `last` and ask again to follow it. Every event is given once.

    With a `kind` a page may hold few events, or none, and still have a `next`: so much of the log was looked at.
    """
    looked_at = LOOKED_AT if kind else 10 * (limit + 1)
    where, params = ["true"], {"limit": limit + 1, "looked_at": looked_at}
    if cursor:
        where.append("(xid, id) > (%(xid)s, %(after)s)")
        params["xid"], params["after"] = read_cursor(cursor, int, int)
    whose = "true" if patient_id is None else "patient_id = %(patient)s"
    end = sql.row(
        f"""select xid, id, count(*) over () as events from (
                select xid, id from events_event where {" and ".join(where)} and {whose} and xid < {SETTLED_HERE}
                 order by xid, id limit %(looked_at)s) w order by xid desc, id desc limit 1""",
        params | {"patient": patient_id},
    )
    if end is None:
        return {"items": [], "next": None, "last": cursor or None}
    where += [SHOWN_EVENTS, whose, "(xid, id) <= (%(end_xid)s, %(end_id)s)"]
    if kind:
        where.append("kind = %(kind)s")
    rows = sql.rows(
        f"select xid, {EVENT[7:]} where {' and '.join(where)} order by xid, id limit %(limit)s",
        params | {"patient": patient_id, "kind": kind, "end_xid": end["xid"], "end_id": end["id"]},
    )
    page = page_of(rows, limit, "xid", "id")
    behind = cursor_of(end["xid"], end["id"])
    if not page["next"] and end["events"] == looked_at:
        page["next"] = behind
    audit.record("event.listed", patients={row["patient_id"] for row in page["items"] if row["patient_id"]})
    return page | {"last": page["next"] or behind}


@api.get(
    "/patients/{uuid:patient_id}/events",
    auth=Token("events:read"),
    response={200: schemas.EventPage, **PROBLEMS},
    tags=["events"],
)
def patient_events(request: HttpRequest, patient_id: UUID, cursor: str = Cursor, limit: int = Limit) -> Any:
    """One patient's timeline, newest first."""
    if not sql.value("select 1 from patients_patient where id = %s", [patient_id]):
        raise NotFound
    where, params = [SHOWN_EVENTS, "patient_id = %(patient)s"], {"patient": patient_id, "limit": limit + 1}
    if cursor:
        where.append("(occurred_at, id) < (%(at)s, %(after)s)")
        params["at"], params["after"] = read_cursor(cursor, datetime, int)
    rows = sql.rows(f"{EVENT} where {' and '.join(where)} order by occurred_at desc, id desc limit %(limit)s", params)
    audit.record("patient.viewed", patients=[patient_id])
    return page_of(rows, limit, "occurred_at", "id")


# -- segments --------------------------------------------------------------------------------------------------

SEGMENT = (
    "select id, name, description, purpose, size, refreshed_at, version from segments_segment where archived_at is null"
)


@api.get(
    "/segments", auth=Token("segments:read"), response={200: list[schemas.SegmentOut], **PROBLEMS}, tags=["segments"]
)
def list_segments(request: HttpRequest) -> Any:
    """All segments in use, by name."""
    return sql.rows(f"{SEGMENT} order by name")


@api.post("/segments", auth=Token("segments:write"), response={201: schemas.SegmentOut, **PROBLEMS}, tags=["segments"])
def create_segment(request: HttpRequest, body: schemas.SegmentIn) -> Any:
    """Make a segment. A marketing segment may not read clinical fields without written consent."""
    made = segments.create_segment(
        name=body.name, rule=body.rule, purpose=body.purpose, description=body.description, by=None, now=timezone.now()
    )
    return Status(201, sql.row(f"{SEGMENT} and id = %s", [made.pk]))


@api.post(
    "/segments/count", auth=Token("segments:read"), response={200: schemas.CountOut, **PROBLEMS}, tags=["segments"]
)
def count_rule(request: HttpRequest, body: schemas.RuleIn) -> Any:
    """How many patients a rule would select now."""
    return {"count": segment_selectors.count(language.read(body.rule), now=timezone.now())}


@api.get(
    "/segments/{uuid:segment_id}/members",
    auth=Token("segments:read"),
    response={200: schemas.MemberPage, **PROBLEMS},
    tags=["segments"],
)
def list_members(request: HttpRequest, segment_id: UUID, cursor: str = Cursor, limit: int = Limit) -> Any:
    """The patients in a segment, by id."""
    if not sql.value("select 1 from segments_segment where id = %s and archived_at is null", [segment_id]):
        raise NotFound
    after = read_cursor(cursor, UUID)[0] if cursor else None
    rows = sql.rows(
        """select patient_id from segments_member where segment_id = %(segment)s and (%(after)s::uuid is null or patient_id > %(after)s)
            order by patient_id limit %(limit)s""",
        {"segment": segment_id, "after": after, "limit": limit + 1},
    )
    page = page_of(rows, limit, "patient_id")
    page["items"] = [row["patient_id"] for row in page["items"]]
    audit.record("segment.members_listed", patients=page["items"], target=("segment", segment_id))
    return page


# -- messages --------------------------------------------------------------------------------------------------

MESSAGE = """select id, key, patient_id, channel, message_class, state, reason, due_at, accepted_at, answered_at, answer
               from messaging_message"""


@api.get("/messages", auth=Token("messages:read"), response={200: schemas.MessagePage, **PROBLEMS}, tags=["messages"])
def list_messages(
    request: HttpRequest, state: Message.State | None = None, patient_id: UUID | None = None, cursor: str = Cursor, limit: int = Limit
) -> Any:  # fmt: skip
    """Messages, those due last first. What was said is not given."""
    where, params = ["true"], {"limit": limit + 1}
    for name, value in (("state", state and state.value), ("patient_id", patient_id)):
        if value:
            where.append(f"{name} = %({name})s")
            params[name] = value  # type: ignore[assignment]
    if cursor:
        where.append("(due_at, id) < (%(at)s, %(after)s)")
        params["at"], params["after"] = read_cursor(cursor, datetime, UUID)
    rows = sql.rows(f"{MESSAGE} where {' and '.join(where)} order by due_at desc, id desc limit %(limit)s", params)
    page = page_of(rows, limit, "due_at", "id")
    audit.record("message.listed", patients={row["patient_id"] for row in page["items"]})
    return page


@api.get(
    "/messages/{uuid:message_id}",
    auth=Token("messages:read"),
    response={200: schemas.MessageOut, **PROBLEMS},
    tags=["messages"],
)
def get_message(request: HttpRequest, message_id: UUID) -> Any:
    """One message and its state."""
    row = sql.row(f"{MESSAGE} where id = %s", [message_id])
    if row is None:
        raise NotFound
    audit.record("message.viewed", patients=[row["patient_id"]], target=("message", message_id))
    return row


@api.post("/messages", auth=Token("messages:write"), response={201: schemas.MessageOut, **PROBLEMS}, tags=["messages"])
def plan_message(request: HttpRequest, body: schemas.MessageIn) -> Any:
    """Plan one message from a template. Consent, quiet hours, cap and policy hold as everywhere; a blocked one says why."""
    if not sql.value("select 1 from patients_patient where id = %s", [body.patient_id]):
        raise NotFound
    now, key = timezone.now(), f"api:{request.api_token['id']}:{body.key}"  # type: ignore[attr-defined]
    message = messaging.plan_one(
        template_key=body.template, patient_id=body.patient_id, key=key,
        due_at=body.due_at or now, now=now, params=body.params, origin="api",
    )  # fmt: skip
    made_for = (message.patient_id, message.template_version and message.template_version.template.key, message.params)
    if made_for != (body.patient_id, body.template, body.params):
        raise KeyUsed
    return Status(201, sql.row(f"{MESSAGE} where id = %s", [message.pk]))


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | bool | list | dict | None) else str(value)


api.add_router("", appointments.router)
