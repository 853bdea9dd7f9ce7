"""Words for codes that screens show, and small shared pieces of them."""

from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _

from careloop.consent.models import Consent, ConsentChannel, Purpose
from careloop.facts.models import Stage
from careloop.kernel.dates import age_in_months, age_in_years, format_roc
from careloop.kernel.money import format_money
from careloop.patients.models import ContactPoint, HealthNote, Identifier, Patient
from careloop.web.http import clinic_zone

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
# Where an event came from; a source system's own name is shown as it is.
EVENT_SOURCES: Words = {
    "staff": gettext_lazy("staff"), "desk": pgettext_lazy("where from", "front desk"), "clinic": pgettext_lazy("where from", "clinic"),
    "phone": pgettext_lazy("where from", "telephone"), "walk-in": pgettext_lazy("where from", "came without booking"),
    "line": "LINE", "sms": pgettext_lazy("where from", "SMS"), "email": pgettext_lazy("where from", "e-mail"), "wechat": pgettext_lazy("where from", "WeChat"),
    "link": pgettext_lazy("where from", "link in a message"), "portal": pgettext_lazy("where from", "patient's page"),
    "api": pgettext_lazy("where from", "programming interface"), "import": pgettext_lazy("where from", "import"),
    "paper": pgettext_lazy("where from", "signed form"), "keyword": pgettext_lazy("where from", "opt-out word"),
    "waitlist": pgettext_lazy("where from", "waitlist"), "schedule": pgettext_lazy("where from", "schedule"),
    "queue": pgettext_lazy("where from", "queue"), "appointment": pgettext_lazy("where from", "appointment"),
    "journey": pgettext_lazy("where from", "care journey"), "segments": pgettext_lazy("where from", "segment"),
    "message": pgettext_lazy("where from", "message"), "payment": pgettext_lazy("where from", "payment"),
    "membership": pgettext_lazy("where from", "membership"), "greeting": pgettext_lazy("where from", "greeting"),
    "newsletter": pgettext_lazy("where from", "newsletter"),
}  # fmt: skip
NOTE_KINDS: Words = dict(HealthNote.Kind.choices)
USES: Words = {"mobile": gettext_lazy("mobile"), "home": gettext_lazy("home"), "work": gettext_lazy("work"), "": ""}
RELATIONSHIPS: Words = {
    "MTH": gettext_lazy("mother"), "FTH": gettext_lazy("father"), "PRN": gettext_lazy("parent"), "GRPRN": gettext_lazy("grandparent"), "SPS": gettext_lazy("spouse"),
    "CHILD": gettext_lazy("child"), "SON": gettext_lazy("son"), "DAU": gettext_lazy("daughter"), "SIB": gettext_lazy("sibling"), "GUARD": gettext_lazy("guardian"),
    "FAMMEMB": gettext_lazy("other family"), "FRND": gettext_lazy("friend"), "CAREGIVER": gettext_lazy("carer"),
}  # fmt: skip
HABITS: Words = {
    "SMOKING": gettext_lazy("smoking"), "BETEL": gettext_lazy("betel nut"), "ALCOHOL": gettext_lazy("alcohol"), "PREGNANT": gettext_lazy("pregnant"),
    "INDIGENOUS": gettext_lazy("indigenous"), "FAMILY_COLORECTAL": gettext_lazy("colorectal cancer in the family"),
    "FAMILY_LUNG": gettext_lazy("lung cancer in the family"), "FAMILY_BREAST": gettext_lazy("breast cancer in the family"),
    "DIABETES": gettext_lazy("diabetes"), "HYPERTENSION": gettext_lazy("high blood pressure"),
}  # fmt: skip
CLASSES: Words = {
    "AMB": gettext_lazy("Outpatient"), "EMER": gettext_lazy("Emergency"), "IMP": gettext_lazy("Inpatient"), "ACUTE": gettext_lazy("Inpatient"),
    "HH": gettext_lazy("Home visit"), "VR": gettext_lazy("Telehealth"), "OBSENC": gettext_lazy("Observation stay"), "SS": gettext_lazy("Day surgery"),
    "PRENC": gettext_lazy("Pre-admission"),
}  # fmt: skip
WARNINGS: Words = {
    "identifier.check_digit": gettext_lazy("The check digit is wrong; please compare with the card."),
    "identifier.shape": gettext_lazy("This does not look like a national ID or resident certificate number."),
    "phone.invalid": gettext_lazy("This is no telephone number in use; it cannot be called or texted."),
    "phone.missing": gettext_lazy("There is no telephone number in it."),
    "phone.several": gettext_lazy("Several numbers stand in one field; enter them one by one."),
    "phone.digits_lost": gettext_lazy("A spreadsheet has cut off digits of this number."),
    "contact.unproved": gettext_lazy("The patient typed this online and has not proved yet that it is theirs."),
    "phone.doubtful": gettext_lazy("This number looks as if it was typed to fill the field."),
    "email.odd": gettext_lazy("This does not look like an e-mail address."),
    "line.odd": gettext_lazy("This is no LINE user ID."),
}  # fmt: skip
FIELDS: Words = {
    "name": gettext_lazy("name"), "family_name": gettext_lazy("family name"), "given_name": gettext_lazy("given name"),
    "chart_number": gettext_lazy("chart number"), "language": gettext_lazy("language"), "preferred_channel": gettext_lazy("preferred channel"),
    "preferred_hour": gettext_lazy("preferred hour"), "preferred_practitioner": gettext_lazy("preferred practitioner"),
    "postal_code": gettext_lazy("postal code"), "city": gettext_lazy("city"), "district": gettext_lazy("district"), "country": gettext_lazy("country"),
    "marital_status": gettext_lazy("marital status"), "blood_group": gettext_lazy("blood group"), "occupation": gettext_lazy("occupation"),
    "referral_source": gettext_lazy("how they found us"), "note": gettext_lazy("note"), "sex": gettext_lazy("sex"), "birth_date": gettext_lazy("birth date"),
    "birth_precision": gettext_lazy("precision of the birth date"), "home_location_id": gettext_lazy("clinic"), "deceased": gettext_lazy("deceased"),
    "deceased_at": gettext_lazy("date of death"), "active": gettext_lazy("record open or closed"), "registered_on": gettext_lazy("day of registration"),
    "address": gettext_lazy("address"), "national_id": gettext_lazy("national ID"), "resident_certificate": gettext_lazy("resident certificate no."),
    "passport": gettext_lazy("passport"), "insurance_card": gettext_lazy("NHI card"), "other": gettext_lazy("other number"),
    "contact_points": gettext_lazy("contact details"), "related_persons": gettext_lazy("family"), "health_notes": gettext_lazy("health background"),
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
    return value.isoformat()[: {"year": 4, "month": 7}.get(precision, 10)]


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
    return _years(years, get_language())


@lru_cache(maxsize=512)
def _years(years: int, _language: str | None) -> str:
    return _("%(years)d years") % {"years": years}


def today_of(request: HttpRequest, now: datetime) -> date:
    """Return the clinic's calendar date."""
    return now.astimezone(clinic_zone(request)).date()


def money(amount: Any, currency: str) -> str:
    return format_money(int(amount or 0), currency)


def languages() -> list[tuple[str, str | Promise]]:
    """Return the languages texts are written in."""
    from django.conf import settings

    return list(settings.LANGUAGES)
