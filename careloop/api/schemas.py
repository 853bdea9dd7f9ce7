"""The shapes of the API: what it takes and gives. Identifiers are masked; a token never reads them in clear."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict
from pydantic_core import PydanticCustomError

from careloop.kernel.text import UNSTORABLE


def _storable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise PydanticCustomError("unstorable", "holds a null character, which cannot be stored")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class Given(Schema):
    """What a program sends. A field that is not known is refused: a misspelt one would be lost in silence."""

    model_config = ConfigDict(extra="forbid")


class Problem(Schema):
    """A refusal: a stable code, a sentence, and its numbers."""

    code: str
    message: str
    details: dict[str, Any] = {}


class PatientOut(Schema):
    id: UUID
    chart_number: str
    name: str
    sex: Literal["male", "female", "other", "unknown"]
    birth_date: date | None
    deceased: bool
    active: bool
    language: str
    stage: str | None = Field(
        None, description="life-cycle stage: prospect, new, active, at_risk, lapsed, closed, deceased"
    )
    last_visit_on: date | None = None
    visits: int = 0
    tags: list[str] = []
    version: int
    updated_at: datetime


class PatientPage(Schema):
    items: list[PatientOut]
    next: str | None = Field(None, description="cursor of the next page; null at the end")


class ContactIn(Given):
    system: Literal["phone", "email", "line", "wechat"]
    value: Text = Field(max_length=254)
    use: Literal["", "mobile", "home", "work"] = ""


class IdentifierIn(Given):
    kind: Literal["national_id", "resident_certificate", "passport", "insurance_card", "other"]
    value: Text = Field(max_length=80)
    system: Text = Field("", max_length=160)


class PatientIn(Given):
    name: Text = Field(min_length=1, max_length=160)
    chart_number: Text = Field("", max_length=60)
    sex: Literal["male", "female", "other", "unknown"] = "unknown"
    birth_date: date | None = None
    language: Literal["", "zh-hant", "zh-hans", "en"] = ""
    contacts: list[ContactIn] = Field([], max_length=20)
    identifiers: list[IdentifierIn] = Field([], max_length=20)
    even_if_similar: bool = Field(False, description="true: somebody looked at the possible duplicates")


class PatientChange(Given):
    version: int = Field(description="the version the change was made from; another one is refused")
    name: Text | None = Field(None, min_length=1, max_length=160)
    chart_number: Text | None = Field(None, max_length=60)
    sex: Literal["male", "female", "other", "unknown"] | None = None
    birth_date: date | None = None
    language: Literal["", "zh-hant", "zh-hans", "en"] | None = None
    note: Text | None = Field(None, max_length=5000)


class Made(Schema):
    id: UUID
    is_new: bool
    warnings: list[str] = []


class EventOut(Schema):
    id: int
    kind: str
    patient_id: UUID | None
    occurred_at: datetime
    recorded_at: datetime
    source: str
    historical: bool
    payload: dict[str, Any]


class EventPage(Schema):
    items: list[EventOut]
    next: str | None = None


class LogPage(EventPage):
    """A part of the event log. `last` stands behind everything looked at: asking with it later gives what has come since."""

    last: str | None = None


class SegmentOut(Schema):
    id: UUID
    name: str
    description: str
    purpose: Literal["CARE", "MARKETING"]
    size: int | None
    refreshed_at: datetime | None
    version: int


class SegmentIn(Given):
    name: Text = Field(min_length=1, max_length=80)
    description: Text = Field("", max_length=400)
    purpose: Literal["CARE", "MARKETING"]
    rule: dict[str, Any] = Field(description="the rule tree; see the reference “Segment rules”")


class RuleIn(Given):
    rule: dict[str, Any]


class CountOut(Schema):
    count: int


class MemberPage(Schema):
    items: list[UUID]
    next: str | None = None


class MessageOut(Schema):
    id: UUID
    key: str
    patient_id: UUID
    channel: str
    message_class: str
    state: str
    reason: str
    due_at: datetime
    accepted_at: datetime | None
    answered_at: datetime | None
    answer: str


class MessagePage(Schema):
    items: list[MessageOut]
    next: str | None = None


class MessageIn(Given):
    template: Text = Field(max_length=80, description="key of a published template")
    patient_id: UUID
    key: Text = Field(min_length=1, max_length=120, description="what the message is for; the same key sends once")
    due_at: datetime | None = None
    params: dict[Text, Text] = {}


class ServiceOut(Schema):
    id: UUID
    name: str
    minutes: int
    first_visit_minutes: int | None
    payer: Literal["NHI", "SELF"]
    price: int = Field(description="what a patient pays without the insurance, in the currency's smallest unit")
    is_online: bool = Field(description="patients may book it themselves")


class FreePlaceOut(Schema):
    session_id: UUID
    starts_at: datetime = Field(description="by number: when that number is expected")
    minutes: int
    mode: Literal["SLOTS", "NUMBERS"] = Field(description="by time or by number")
    number: int | None = None
    left: int = Field(description="how many places the session still has")
    practitioner_id: UUID
    practitioner: str
    location_id: UUID
    location: str


class AppointmentOut(Schema):
    id: UUID
    patient_id: UUID | None = Field(description="null while a visitor of the booking page holds the place")
    service_id: UUID
    session_id: UUID
    practitioner_id: UUID
    location_id: UUID
    state: str = Field(description="as in FHIR; a place that is offered is proposed, one that is held pending")
    starts_at: datetime
    ends_at: datetime
    number: int | None
    source: str
    is_first_visit: bool
    confirmed_at: datetime | None
    arrived_at: datetime | None
    cancel_reason: str
    version: int = Field(description="rises with every change")
    sequence: int = Field(description="rises when time, place or practitioner changed or it was called off")
    changed_at: datetime


class AppointmentPage(Schema):
    items: list[AppointmentOut]
    next: str | None = None


class WhereIn(Given):
    session_id: UUID
    starts_at: AwareDatetime | None = Field(None, description="in a session by time: when; with an offset")
    number: int | None = Field(None, ge=1, le=999, description="in a session by number: this one and no other")


class AppointmentIn(WhereIn):
    patient_id: UUID
    service_id: UUID
    note: Text = Field("", max_length=300)
    as_patient: bool = Field(False, description="true: the service's rules for patients who book themselves are asked")


class MoveIn(WhereIn):
    version: int = Field(description="the version that was seen; another one is refused")
    as_patient: bool = False


class CancelIn(Given):
    version: int | None = None
    reason: Literal["patient", "clinic"] = "patient"
    note: Text = Field("", max_length=200)
    as_patient: bool = False


class SequenceIn(Given):
    sequence: int | None = Field(None, description="which time the patient was asked about; an old one is refused")


class VersionIn(Given):
    version: int | None = None
