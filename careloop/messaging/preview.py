"""What a patient would get: the words in each language and channel, with what stands in the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.messaging import rendering
from careloop.messaging.models import TemplateVersion
from careloop.messaging.rules import sms_parts, spoken_language
from careloop.messaging.variables import VARIABLES, greeting, honorific, spoken_date
from careloop.tenancy.context import current_organization_id
from careloop.tenancy.models import Organization

EXAMPLE_DOORS = rendering.Doors(
    "https://…/p/m/…/",
    "https://…/p/u/…/",
    "https://…/p/c/…/",
    "m=00000000000000000000000000000000.0",
    "https://…/p/a/…/",
    "https://…/p/n/…/",
)


@dataclass(frozen=True)
class Preview:
    """A message as it would look. `problem` is a reason code when it could not be made."""

    channel: str
    language: str
    subject: str = ""
    text: str = ""
    quick_replies: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    problem: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sms_parts(self) -> int:
        return sms_parts(self.text) if self.channel == "sms" else 0


def age_on(birth_date: date | None, today: date) -> int | None:
    if birth_date is None:
        return None
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))


def given_by_clinic(organization: Organization, *, language: str, today: date) -> dict[str, Any]:
    """Return the values of the variables that are the same for everybody on one day."""
    return {
        "clinic.name": organization.name, "clinic.phone": organization.phone, "clinic.address": organization.address,
        "today": spoken_date(today, language),
    }  # fmt: skip


def given_by_person(
    person: Mapping[str, Any], *, language: str, today: date, doors: rendering.Doors, to_family: bool = False
) -> dict[str, Any]:
    """Return the values of the variables that differ from message to message.

    `person` holds name, sex and birth_date.
    """
    age = age_on(person["birth_date"], today)
    return {
        "greeting": greeting(person["name"], person["sex"], age, language, to_family=to_family),
        "patient.name": person["name"], "patient.honorific": honorific(person["name"], person["sex"], age, language),
        "link.answer": doors.answer, "link.preferences": doors.preferences, "link.visit": doors.visit,
        "link.number": doors.number,
    }  # fmt: skip


def preview(
    version: TemplateVersion,
    *,
    patient_id: UUID | None,
    channel: str,
    language: str,
    now: datetime,
    params: Mapping[str, Any] | None = None,
) -> Preview:
    """Return one message as it would look, for a real patient or with examples.

    Variables that only come with the message are shown by their examples unless `params` gives them. An empty language
    means the patient's own. Links lead nowhere. Showing a real patient's name is audited.
    """
    organization = Organization.objects.get(pk=current_organization_id())
    zone = ZoneInfo(organization.time_zone)
    today = now.astimezone(zone).date()
    person = None
    if patient_id is not None:
        person = sql.row("select name, sex, birth_date, language from patients_patient where id = %s", [patient_id])
        audit.record("message.previewed", patients=[patient_id], target=("message_template", version.template_id))
    try:
        words = rendering.compile_texts(version.texts)
        if not language:
            language = spoken_language(person["language"] if person else "", default=organization.language)
        language = words.language(language, organization.language)
        context = rendering.example_context(language)
        context["clinic"] = {"name": organization.name, "phone": organization.phone, "address": organization.address}
        if person is not None:
            values = given_by_clinic(organization, language=language, today=today)
            values |= given_by_person(person, language=language, today=today, doors=EXAMPLE_DOORS)
            context |= rendering.context_of(values, {}, language=language, zone=zone)
        if params:
            context |= rendering.context_of({}, params, language=language, zone=zone)
        said = words.words(channel=channel, language=language, context=context)
    except rendering.RenderProblem as problem:
        return Preview(channel, language or organization.language, problem=problem.reason, details=problem.details)
    dressed = rendering.dress(
        said, channel=channel, language=language, message_class=version.template.message_class, doors=EXAMPLE_DOORS
    )
    return Preview(
        channel, language, dressed.subject, dressed.text,
        tuple(item.label for item in dressed.quick_replies), tuple(item.label for item in dressed.buttons),
        tuple(item.label for item in dressed.links),
    )  # fmt: skip


def is_given(name: str) -> bool:
    """Whether a variable is known for every message."""
    return name in VARIABLES and VARIABLES[name].given
