"""Words for codes that screens show, and small shared pieces of them."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from careloop.consent.models import Consent, ConsentChannel, Purpose
from careloop.facts.models import Stage
from careloop.kernel.dates import age_in_months, age_in_years, format_roc
from careloop.kernel.money import format_money
from careloop.patients.models import ContactPoint, HealthNote, Identifier, Patient

Words = dict[str, str | Promise]

SEX: Words = dict(Patient.Sex.choices)
SEX_SHORT: Words = {
    "male": pgettext_lazy("sex, short", "M"), "female": pgettext_lazy("sex, short", "F"),
    "other": pgettext_lazy("sex, short", "other"), "unknown": "",
}  # fmt: skip
# The facts slice names stages too; here with a context, because “active” means something else on other pages.
STAGES: dict[int, str | Promise] = {
    Stage.PROSPECT: pgettext_lazy("stage", "prospect"), Stage.NEW: pgettext_lazy("stage", "new"),
    Stage.ACTIVE: pgettext_lazy("stage", "active"), Stage.AT_RISK: pgettext_lazy("stage", "at risk"),
    Stage.LAPSED: pgettext_lazy("stage", "lapsed"), Stage.CLOSED: pgettext_lazy("stage", "record closed"),
    Stage.DECEASED: pgettext_lazy("stage", "deceased"),
}  # fmt: skip
SYSTEMS: Words = dict(ContactPoint.System.choices)
REACH: Words = dict(ContactPoint.Reach.choices)
IDENTIFIERS: Words = dict(Identifier.Kind.choices)
PURPOSES: Words = dict(Purpose.choices)
CHANNELS: Words = dict(ConsentChannel.choices)
SOURCES: Words = dict(Consent.Source.choices)
NOTE_KINDS: Words = dict(HealthNote.Kind.choices)
USES: Words = {"mobile": lazy("mobile"), "home": lazy("home"), "work": lazy("work"), "": ""}
RELATIONSHIPS: Words = {
    "MTH": lazy("mother"), "FTH": lazy("father"), "PRN": lazy("parent"), "GRPRN": lazy("grandparent"), "SPS": lazy("spouse"),
    "CHILD": lazy("child"), "SON": lazy("son"), "DAU": lazy("daughter"), "SIB": lazy("sibling"), "GUARD": lazy("guardian"),
    "FAMMEMB": lazy("other family"), "FRND": lazy("friend"), "CAREGIVER": lazy("carer"),
}  # fmt: skip
HABITS: Words = {
    "SMOKING": lazy("smoking"), "BETEL": lazy("betel nut"), "ALCOHOL": lazy("alcohol"), "PREGNANT": lazy("pregnant"),
    "INDIGENOUS": lazy("indigenous"), "FAMILY_COLORECTAL": lazy("colorectal cancer in the family"),
    "FAMILY_LUNG": lazy("lung cancer in the family"), "FAMILY_BREAST": lazy("breast cancer in the family"),
    "DIABETES": lazy("diabetes"), "HYPERTENSION": lazy("high blood pressure"),
}  # fmt: skip
CLASSES: Words = {
    "AMB": lazy("Outpatient"), "EMER": lazy("Emergency"), "IMP": lazy("Inpatient"), "ACUTE": lazy("Inpatient"),
    "HH": lazy("Home visit"), "VR": lazy("Telehealth"), "OBSENC": lazy("Observation stay"), "SS": lazy("Day surgery"),
    "PRENC": lazy("Pre-admission"),
}  # fmt: skip
WARNINGS: Words = {
    "identifier.check_digit": lazy("The check digit is wrong; please compare with the card."),
    "identifier.shape": lazy("This does not look like a national ID or resident certificate number."),
    "phone.invalid": lazy("This is no telephone number in use; it cannot be called or texted."),
    "phone.missing": lazy("There is no telephone number in it."),
    "phone.several": lazy("Several numbers stand in one field; enter them one by one."),
    "phone.digits_lost": lazy("A spreadsheet has cut off digits of this number."),
    "phone.doubtful": lazy("This number looks as if it was typed to fill the field."),
    "email.odd": lazy("This does not look like an e-mail address."),
    "line.odd": lazy("This is no LINE user ID."),
}  # fmt: skip
FIELDS: Words = {
    "name": lazy("name"), "family_name": lazy("family name"), "given_name": lazy("given name"),
    "chart_number": lazy("chart number"), "language": lazy("language"), "preferred_channel": lazy("preferred channel"),
    "preferred_hour": lazy("preferred hour"), "preferred_practitioner": lazy("preferred practitioner"),
    "postal_code": lazy("postal code"), "city": lazy("city"), "district": lazy("district"), "country": lazy("country"),
    "marital_status": lazy("marital status"), "blood_group": lazy("blood group"), "occupation": lazy("occupation"),
    "referral_source": lazy("how they found us"), "note": lazy("note"), "sex": lazy("sex"), "birth_date": lazy("birth date"),
    "birth_precision": lazy("precision of the birth date"), "home_location_id": lazy("clinic"), "deceased": lazy("deceased"),
    "deceased_at": lazy("date of death"), "active": lazy("record open or closed"), "registered_on": lazy("day of registration"),
    "address": lazy("address"), "national_id": lazy("national ID"), "resident_certificate": lazy("resident certificate no."),
    "passport": lazy("passport"), "insurance_card": lazy("NHI card"), "other": lazy("other number"),
    "contact_points": lazy("contact details"), "related_persons": lazy("family"), "health_notes": lazy("health background"),
}  # fmt: skip

# Values that event payloads carry as codes → words, by the payload's field.
PAYLOAD_WORDS: dict[str, Words] = {
    "system": SYSTEMS, "reach": REACH, "purpose": PURPOSES, "channel": CHANNELS, "class_code": CLASSES,
}  # fmt: skip


def word(words: Words, code: object) -> str:
    """Return the word for a code; a code nobody knows is shown as it is."""
    return str(words.get(str(code or ""), code or ""))


def warning_words(codes: list[str]) -> list[str]:
    return [word(WARNINGS, code) for code in codes]


def day(value: date | datetime | None, *, precision: str = "day") -> str:
    """Return a date as text, as exact as it is known."""
    if value is None:
        return ""
    return value.strftime({"year": "%Y", "month": "%Y-%m"}.get(precision, "%Y-%m-%d"))


def birth(value: date | None, precision: str = "day") -> str:
    """Return a birth date, with the ROC year where readers expect it."""
    if value is None:
        return ""
    if precision == "day" and get_language() == "zh-hant" and value.year >= 1912:
        return f"{day(value)}（{format_roc(value)}）"
    return day(value, precision=precision)


def age(value: date | None, *, today: date, precision: str = "day") -> str:
    """Return an age: months below two years, completed years after."""
    if value is None or value > today:
        return ""
    if precision == "year":
        return _("about %(years)d") % {"years": today.year - value.year}
    years = age_in_years(value, on=today)
    if years < 2:
        return _("%(months)d months") % {"months": age_in_months(value, on=today)}
    return _("%(years)d years") % {"years": years}


def zone_of(request: HttpRequest) -> ZoneInfo:
    """Return the zone of the clinic's clock."""
    return ZoneInfo(request.member.organization.time_zone)  # type: ignore[attr-defined]


def today_of(request: HttpRequest, now: datetime) -> date:
    """Return the clinic's calendar date."""
    return now.astimezone(zone_of(request)).date()


def money(amount: Any, currency: str) -> str:
    return format_money(int(amount or 0), currency)


def languages() -> list[tuple[str, str | Promise]]:
    """Return the languages texts are written in."""
    from django.conf import settings

    return list(settings.LANGUAGES)
