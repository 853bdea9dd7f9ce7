"""Changing who a patient is and how they are reached. One function per intention; each leaves an event and an audit note.

Idempotency: the key a form carries becomes the id of the row it makes, so sending the form twice makes one row. Changes carry
the version they were made from; a record that changed meanwhile is not overwritten.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.kernel.text import clean, grams
from careloop.patients import errors, sealing, selectors
from careloop.patients.contacts import read_contact, read_identifier
from careloop.patients.events import (
    ContactPointAdded,
    ContactPointReachChanged,
    PatientRegistered,
    PatientTagged,
    PatientUntagged,
    PatientUpdated,
)
from careloop.patients.models import ContactPoint, HealthNote, Identifier, Patient, RelatedPerson, Tag
from careloop.tenancy.context import current_organization_id

# What `update` may change, and the longest text that fits.
TEXT_FIELDS = {
    "name": 160, "family_name": 80, "given_name": 80, "chart_number": 60, "language": 10, "preferred_channel": 10,
    "preferred_practitioner": 80, "postal_code": 12, "city": 60, "district": 60, "country": 3, "marital_status": 10,
    "blood_group": 6, "occupation": 80, "referral_source": 80, "note": 5000, "sex": 10, "birth_precision": 5,
}  # fmt: skip
OTHER_FIELDS = frozenset(
    {
        "birth_date",
        "preferred_hour",
        "home_location_id",
        "deceased",
        "deceased_at",
        "active",
        "registered_on",
        "address",
    }
)
MOST_IN_NOTE = 5000
LONGEST_TAG = 40


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact point as typed."""

    system: str
    text: str
    use: str = ""


@dataclass(frozen=True, slots=True)
class NewIdentifier:
    """An identifier as typed."""

    kind: str
    text: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """The patient, whether this call made the record, and what was odd (codes such as `identifier.check_digit`)."""

    patient_id: UUID
    is_new: bool
    warnings: list[str] = field(default_factory=list)


# -- the record -------------------------------------------------------------------------------------------------


@transaction.atomic
def register(
    *,
    details: Mapping[str, Any],
    contacts: Sequence[NewContact] = (),
    identifiers: Sequence[NewIdentifier] = (),
    idempotency_key: UUID,
    now: datetime,
    by: UUID | None,
    even_if_similar: bool = False,
    how: str = "desk",
) -> Registered:
    """Make a patient's record. Called again with the same key, it changes nothing and returns the same patient.

    Showing the privacy notice (P2) and recording consent are the consent slice's: the screen that registers does all of
    it in one transaction, and a patient without a notice shown has that as the first thing to do.

    Args:
        details: fields of `update`.
        even_if_similar: somebody looked at the possible duplicates and says this is another person.

    Raises:
        NameMissing, ChartNumberTaken, BirthInFuture, UnknownField: nothing is written.
        PossibleDuplicate: with the ids of the patients who look alike.
    """
    sql.one_at_a_time(idempotency_key)
    if sql.value("select 1 from patients_patient where id = %s", [idempotency_key]):
        return Registered(idempotency_key, is_new=False)
    today = _today(now)
    values = _checked(details, today=today)
    if not values.get("name"):
        raise errors.NameMissing
    read_identifiers = [(one, read_identifier(one.kind, one.text)) for one in identifiers if one.text.strip()]
    if not even_if_similar:
        similar = selectors.duplicate_hints(
            name=values["name"], birth_date=values.get("birth_date"),
            identifiers=[read.value for _one, read in read_identifiers],
            phones=[one.text for one in contacts if one.system == "phone" and one.text.strip()],
        )  # fmt: skip
        if similar:
            raise errors.PossibleDuplicate(count=len(similar), patients=[str(one.patient_id) for one in similar])
    address = values.pop("address", "")
    if not values.get("sex"):
        values["sex"] = next((read.sex for _one, read in read_identifiers if read.sex), "unknown")
    patient = Patient(
        id=idempotency_key, created_at=now, updated_at=now, name_grams=grams(values["name"]), source="desk",
        **{"registered_on": today, **values},
    )  # fmt: skip
    key = _insert(patient)
    if address:
        patient.address_sealed = _seal_address(key, patient.id, address)
        patient.save(update_fields=["address_sealed"])
    warnings = []
    for new, read in read_identifiers:
        _insert_identifier(patient.id, key, read.kind, read.value, read.warning, system=new.system)
        warnings += [read.warning] if read.warning else []
    for contact in contacts:
        if contact.text.strip():
            row, _is_new = _insert_contact(patient.id, key, contact, now=now)
            warnings += [row.warning] if row.warning else []
    events.publish(PatientRegistered(how=how), patient_id=patient.id, now=now, source="staff")
    audit.record("patient.registered", patients=[patient.id], details={"warnings": warnings}, now=now)
    return Registered(patient.id, is_new=True, warnings=warnings)


def _insert(patient: Patient) -> bytes:
    try:
        with transaction.atomic():
            patient.save(force_insert=True)
    except IntegrityError as error:
        if "patient_chart_number_once" in str(error):
            raise errors.ChartNumberTaken from None
        raise
    return sealing.create_keys([patient.id])[patient.id]


@transaction.atomic
def update(
    *, patient_id: UUID, changes: Mapping[str, Any], version: int | None, now: datetime, by: UUID | None
) -> list[str]:
    """Change fields of the record; return the names of those that really changed.

    Args:
        changes: field → value; fields not named stay. `address` is sealed.
        version: the version the changes were made from; None when there is nothing to overwrite (a channel's own answer).

    Raises:
        UnknownPatient, ChangedMeanwhile, ChartNumberTaken, NameMissing, BirthInFuture, UnknownField, RecordRestricted,
        RecordErased.
    """
    patient = Patient.objects.select_for_update(of=("self",)).filter(id=patient_id).first()
    if patient is None:
        raise errors.UnknownPatient
    if patient.restriction == Patient.Restriction.ERASED:
        raise errors.RecordErased
    values = _checked(changes, today=_today(now))
    if patient.restriction and values.get("active"):
        raise errors.RecordRestricted
    address = values.pop("address", None)
    changed = [name for name, value in values.items() if getattr(patient, name) != value]
    if address is not None and address != selectors.address_of(patient_id):
        changed.append("address")
    if not changed:
        return []
    if version is not None and version != patient.version:
        raise errors.ChangedMeanwhile
    if "name" in changed and not values["name"]:
        raise errors.NameMissing
    for name in changed:
        if name == "address":
            key = sealing.create_keys([patient_id])[patient_id]
            patient.address_sealed = _seal_address(key, patient_id, address) if address else None
        else:
            setattr(patient, name, values[name])
    if "name" in changed:
        patient.name_grams = grams(patient.name)
    patient.version += 1
    patient.updated_at = now
    try:
        with transaction.atomic():
            patient.save()
    except IntegrityError as error:
        if "patient_chart_number_once" in str(error):
            raise errors.ChartNumberTaken from None
        raise
    _announce_update(patient_id, changed, now=now)
    return changed


def _announce_update(patient_id: UUID, fields: list[str], *, now: datetime) -> None:
    events.publish(PatientUpdated(fields=fields), patient_id=patient_id, now=now, source="staff")
    audit.record("patient.updated", patients=[patient_id], details={"fields": fields}, now=now)


def _today(now: datetime) -> date:
    """The clinic's own calendar day: in the morning it is ahead of UTC's."""
    return now.astimezone(ZoneInfo(sql.value("select time_zone from tenancy_organization"))).date()


def _checked(details: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in details.items():
        if name in TEXT_FIELDS:
            values[name] = clean(str(value or ""))[: TEXT_FIELDS[name]]
        elif name in OTHER_FIELDS:
            values[name] = clean(value) if isinstance(value, str) and name == "address" else value
        else:
            raise errors.UnknownField(field=name)
    if "sex" in values and values["sex"] not in Patient.Sex.values:
        values["sex"] = Patient.Sex.UNKNOWN
    born = values.get("birth_date")
    if born is not None and born > today:
        raise errors.BirthInFuture
    return values


def _seal_address(key: bytes, patient_id: UUID, address: str) -> bytes:
    return sealing.seal(key, address, table=sealing.PATIENT_TABLE, column="address_sealed", row_id=patient_id)


def _touch(patient_id: UUID, *, now: datetime) -> None:
    """Lock the patient and count up its version.

    Raises:
        UnknownPatient: not here.
        RecordErased: nothing is added to an emptied record.
    """
    restriction = sql.value(
        "update patients_patient set version = version + 1, updated_at = %s where id = %s returning restriction",
        [now, patient_id],
    )
    if restriction is None:
        raise errors.UnknownPatient
    if restriction == Patient.Restriction.ERASED:
        raise errors.RecordErased


# -- identifiers ------------------------------------------------------------------------------------------------


@transaction.atomic
def set_identifier(
    *, patient_id: UUID, kind: str, text: str, system: str = "", version: int | None = None, now: datetime, by: UUID | None
) -> str:  # fmt: skip
    """Set the patient's identifier of one kind and system, replacing an earlier one; empty text removes it.

    Args:
        version: the version of the record that was seen; None when there is nothing to overwrite.

    Raises:
        UnknownPatient, ChangedMeanwhile.

    Returns:
        The warning (a wrong check digit is kept, not refused), or empty.
    """
    read = read_identifier(kind, text)
    _touch(patient_id, now=now)
    kinds = ["national_id", "resident_certificate"] if kind in ("national_id", "resident_certificate") else [kind]
    old = Identifier.objects.filter(patient_id=patient_id, kind__in=kinds, system=system)
    if not read.value:
        if old.delete()[0]:
            _announce_update(patient_id, [kind], now=now)
        return ""
    index = sealing.identifier_index(current_organization_id(), read.value)
    if old.filter(kind=read.kind, value_index=index).exists():
        return read.warning
    # _touch has counted up already
    if version is not None and not Patient.objects.filter(id=patient_id, version=version + 1).exists():
        raise errors.ChangedMeanwhile
    old.delete()
    key = sealing.create_keys([patient_id])[patient_id]
    _insert_identifier(patient_id, key, read.kind, read.value, read.warning, system=system)
    _announce_update(patient_id, [read.kind], now=now)
    return read.warning


def _insert_identifier(patient_id: UUID, key: bytes, kind: str, value: str, warning: str, *, system: str) -> None:
    row_id = uuid7()
    sealed = sealing.seal(key, value, table=sealing.IDENTIFIER_TABLE, column="value_sealed", row_id=row_id)
    sql.execute(
        """insert into patients_identifier (id, patient_id, kind, system, value_sealed, value_index, warning)
           values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
        [row_id, patient_id, kind, system, sealed, sealing.identifier_index(current_organization_id(), value), warning],
    )


# -- contact points ---------------------------------------------------------------------------------------------


@transaction.atomic
def add_contact_point(
    *, patient_id: UUID, system: str, text: str, use: str = "", verified: bool = False, now: datetime, by: UUID | None
) -> ContactPoint:
    """Add a way to reach the patient; the one that is there already is returned (and verified, if it now is).

    What cannot be read is kept as typed with a warning on the row.

    Raises:
        UnknownPatient, ContactEmpty.
    """
    if not text.strip():
        raise errors.ContactEmpty
    _touch(patient_id, now=now)
    key = sealing.create_keys([patient_id])[patient_id]
    row, is_new = _insert_contact(patient_id, key, NewContact(system, text, use), now=now, verified=verified)
    if is_new:
        audit.record("contact_point.added", patients=[patient_id], target=("contact_point", row.id), now=now)
        return row
    if verified and (row.verified_at is None or row.reach != ContactPoint.Reach.UNKNOWN):
        row.verified_at = row.verified_at or now
        row.save(update_fields=["verified_at"])
        # a channel id that is bound again reaches again
        set_reach(contact_point_ids=[row.id], reach=ContactPoint.Reach.UNKNOWN, now=now)
        row.refresh_from_db()
    return row


def _insert_contact(
    patient_id: UUID, key: bytes, new: NewContact, *, now: datetime, verified: bool = False
) -> tuple[ContactPoint, bool]:
    read = read_contact(new.system, new.text)
    index = sealing.contact_index(current_organization_id(), new.system, read.indexed)
    row_id = uuid7()
    found = sql.row(
        """insert into patients_contact_point (id, patient_id, system, use, value_sealed, value_index, is_mobile,
                                               rank, verified_at, warning)
           select %(id)s, %(patient)s, %(system)s, %(use)s, %(sealed)s, %(index)s, %(is_mobile)s,
                  coalesce(max(rank), 0) + 1, %(verified_at)s, %(warning)s
             from patients_contact_point where patient_id = %(patient)s and system = %(system)s
           on conflict do nothing returning id""",
        {
            "id": row_id, "patient": patient_id, "system": new.system, "use": new.use,
            "sealed": sealing.seal(key, read.value, table=sealing.CONTACT_TABLE, column="value_sealed", row_id=row_id),
            "index": index, "is_mobile": read.is_mobile,
            "verified_at": now if verified else None, "warning": read.warning,
        },
    )  # fmt: skip
    row = ContactPoint.objects.get(patient_id=patient_id, system=new.system, value_index=index)
    if found is not None:
        events.publish(
            ContactPointAdded(contact_point_id=row.id, system=new.system, is_mobile=read.is_mobile),
            patient_id=patient_id, now=now, source="staff",
        )  # fmt: skip
    return row, found is not None


@transaction.atomic
def change_contact_point(
    *, contact_point_id: UUID, now: datetime, by: UUID | None, text: str | None = None, use: str | None = None,
    rank: int | None = None,
) -> ContactPoint:  # fmt: skip
    """Correct a contact point. A new value is not verified and not tried yet.

    Raises:
        UnknownContact, ContactThere: the patient has that value already.
    """
    row = ContactPoint.objects.select_for_update().filter(id=contact_point_id).first()
    if row is None:
        raise errors.UnknownContact
    _touch(row.patient_id, now=now)
    if text is not None and text.strip():
        read = read_contact(row.system, text)
        index = sealing.contact_index(current_organization_id(), row.system, read.indexed)
        if index != bytes(row.value_index):
            row.reach, row.verified_at, row.reach_changed_at = ContactPoint.Reach.UNKNOWN, None, None
        key = sealing.create_keys([row.patient_id])[row.patient_id]
        row.value_sealed = sealing.seal(
            key, read.value, table=sealing.CONTACT_TABLE, column="value_sealed", row_id=row.id
        )
        row.value_index, row.is_mobile, row.warning = index, read.is_mobile, read.warning
    if use is not None:
        row.use = use
    if rank is not None:
        row.rank = rank
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise errors.ContactThere from None
    _announce_update(row.patient_id, ["contact_points"], now=now)
    return row


@transaction.atomic
def remove_contact_point(*, contact_point_id: UUID, now: datetime, by: UUID | None) -> None:
    """Take a contact point away. Removing it again changes nothing."""
    row = ContactPoint.objects.filter(id=contact_point_id).first()
    if row is not None:
        _touch(row.patient_id, now=now)
        row.delete()
        _announce_update(row.patient_id, ["contact_points"], now=now)


@transaction.atomic
def set_reach(*, contact_point_ids: Iterable[UUID], reach: str, now: datetime) -> int:
    """Note what we learnt about whether contact points reach their patients: one statement, however many.

    Returns:
        How many changed; the others had this state already.
    """
    if reach not in ContactPoint.Reach.values:
        raise ValueError(f"unknown reach {reach}")
    changed = sql.rows(
        """update patients_contact_point set reach = %s, reach_changed_at = %s where id = any(%s) and reach <> %s
           returning id, patient_id, system""",
        [reach, now, list(contact_point_ids), reach],
    )
    events.publish_many(
        [
            (ContactPointReachChanged(row["id"], row["system"], reach), row["patient_id"], now, None)
            for row in changed
        ],
        now=now,
    )  # fmt: skip
    if changed:
        audit.record(
            "contact_point.reach_changed",
            patients=[row["patient_id"] for row in changed],
            details={"reach": reach},
            now=now,
        )
    return len(changed)


# -- family -----------------------------------------------------------------------------------------------------


@transaction.atomic
def save_related_person(
    *,
    patient_id: UUID,
    related_person_id: UUID,
    name: str,
    relationship: str = "",
    relative_id: UUID | None = None,
    is_guardian: bool = False,
    may_act: bool = False,
    phone: str | None = None,
    email: str | None = None,
    sex: str = "",
    birth_date: date | None = None,
    note: str = "",
    now: datetime,
    by: UUID | None,
) -> RelatedPerson:
    """Add someone who belongs to the patient, or change them: `related_person_id` is new or that of the row.

    Args:
        relative_id: the related person's own record, when they are a patient here too.
        phone, email: None leaves what is there; empty removes it.

    Raises:
        UnknownPatient: the patient or the relative is not here. OwnRelative. NameMissing.
    """
    if relative_id == patient_id:
        raise errors.OwnRelative
    _touch(patient_id, now=now)
    if relative_id is not None:
        relative = sql.row("select name, sex, birth_date from patients_patient where id = %s", [relative_id])
        if relative is None:
            raise errors.UnknownPatient
        name, sex, birth_date = name or relative["name"], sex or relative["sex"], birth_date or relative["birth_date"]
    if not clean(name):
        raise errors.NameMissing
    row = RelatedPerson.objects.filter(id=related_person_id, patient_id=patient_id).first()
    if row is None:
        row = RelatedPerson(id=related_person_id, patient_id=patient_id)
    row.name, row.relationship, row.relative_id = clean(name)[:160], relationship[:20], relative_id
    row.is_guardian, row.may_act, row.sex, row.birth_date = is_guardian, may_act, sex[:10], birth_date
    row.note = clean(note)[:200]
    for column, system, text in (("phone_sealed", "phone", phone), ("email_sealed", "email", email)):
        if text is not None:
            key = sealing.create_keys([patient_id])[patient_id]
            value = read_contact(system, text).value if text.strip() else ""
            sealed = (
                sealing.seal(key, value, table=sealing.RELATED_TABLE, column=column, row_id=row.id) if value else None
            )
            setattr(row, column, sealed)
    row.save()
    _announce_update(patient_id, ["related_persons"], now=now)
    return row


@transaction.atomic
def remove_related_person(*, related_person_id: UUID, now: datetime, by: UUID | None) -> None:
    """Take a related person away. Removing again changes nothing."""
    row = RelatedPerson.objects.filter(id=related_person_id).first()
    if row is not None:
        _touch(row.patient_id, now=now)
        row.delete()
        _announce_update(row.patient_id, ["related_persons"], now=now)


# -- tags -------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_tag(*, name: str, color: str = "teal", now: datetime, by: UUID | None) -> Tag:
    """Make a tag; one that has this name already is returned (and brought back, if it was archived).

    Raises:
        TagNameMissing: empty or too long.
    """
    name = clean(name)
    if not name or len(name) > LONGEST_TAG:
        raise errors.TagNameMissing(most=LONGEST_TAG)
    sql.value("select 1 from tenancy_organization where id = %s for no key update", [current_organization_id()])
    tag = Tag.objects.filter(name=name).first()
    if tag is None:
        number = sql.value("select coalesce(max(number), 0) + 1 from patients_tag")
        tag = Tag.objects.create(name=name, color=color[:12], number=number)
        audit.record("tag.created", target=("tag", tag.id), now=now)
    elif tag.is_archived:
        tag.is_archived = False
        tag.save(update_fields=["is_archived"])
    return tag


@transaction.atomic
def archive_tag(*, tag_id: UUID, now: datetime) -> None:
    """Stop offering a tag; patients who have it keep it, and making it again brings it back."""
    if Tag.objects.filter(pk=tag_id, is_archived=False).update(is_archived=True):
        audit.record("tag.archived", target=("tag", tag_id), now=now)


def give_tag(
    *, patient_ids: Iterable[UUID], tag_id: UUID, now: datetime, by: UUID | None, rule: str = "", source: str = "staff"
) -> int:
    """Put a tag on patients, set-wise; return how many did not have it.

    Args:
        rule: what gives it, when it is not a person: `segment:…`, `journey:…`.
    """
    return _tag(
        """insert into patients_patient_tag (patient_id, tag_id, given_at, given_by_id, given_by_rule)
           select p.id, %(tag)s, %(now)s, %(by)s, %(rule)s from patients_patient p
            where p.id = any(%(patients)s) and p.merged_into_id is null
           on conflict do nothing returning patient_id""",
        PatientTagged, patient_ids, tag_id, now=now, by=by, rule=rule, source=source,
    )  # fmt: skip


def remove_tag(
    *, patient_ids: Iterable[UUID], tag_id: UUID, now: datetime, by: UUID | None, rule: str = "", source: str = "staff"
) -> int:
    """Take a tag off patients, set-wise; return how many had it."""
    return _tag(
        "delete from patients_patient_tag where tag_id = %(tag)s and patient_id = any(%(patients)s) returning patient_id",
        PatientUntagged, patient_ids, tag_id, now=now, by=by, rule=rule, source=source,
    )  # fmt: skip


@transaction.atomic
def _tag(
    statement: str, fact: type[PatientTagged] | type[PatientUntagged], patient_ids: Iterable[UUID], tag_id: UUID, *,
    now: datetime, by: UUID | None, rule: str, source: str,
) -> int:  # fmt: skip
    tag = Tag.objects.filter(id=tag_id).first()
    if tag is None:
        raise errors.UnknownTag
    actor = audit.current_actor()
    changed = sql.rows(
        f"""with changed as ({statement}),
            told as (
                insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
                select %(kind)s, patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor)s, %(source)s, %(payload)s::jsonb
                  from changed
            )
            select patient_id from changed""",
        {
            "tag": tag_id, "now": now, "by": by, "rule": rule[:80], "patients": list(patient_ids),
            "kind": fact.kind,  # type: ignore[union-attr]
            "actor_kind": actor.kind, "actor": actor.id, "source": source,
            "payload": orjson.dumps({"tag_id": str(tag_id), "tag": tag.name, "number": tag.number, "rule": rule}).decode(),
        },
    )  # fmt: skip
    ids = [row["patient_id"] for row in changed]
    for start in range(0, len(ids), MOST_IN_NOTE):
        audit.record(
            fact.kind,  # type: ignore[union-attr]
            patients=ids[start : start + MOST_IN_NOTE], target=("tag", tag_id), reason=rule, now=now,
        )  # fmt: skip
    return len(ids)


# -- health background ------------------------------------------------------------------------------------------


@transaction.atomic
def add_health_note(
    *, patient_id: UUID, note_id: UUID, kind: str, code: str = "", text: str = "", since: date | None = None,
    now: datetime, by: UUID | None,
) -> HealthNote:  # fmt: skip
    """Add to the patient's health background. Called again with the same id, it changes nothing."""
    sql.one_at_a_time(note_id)
    found = HealthNote.objects.filter(id=note_id).first()
    if found is not None:
        return found
    _touch(patient_id, now=now)
    note = HealthNote.objects.create(
        id=note_id, patient_id=patient_id, kind=kind, code=code[:40], text=clean(text)[:300], since=since,
        recorded_at=now, recorded_by_id=by,
    )  # fmt: skip
    _announce_update(patient_id, ["health_notes"], now=now)
    return note


@transaction.atomic
def end_health_note(*, note_id: UUID, ended_on: date, now: datetime, by: UUID | None) -> None:
    """Say that something in the health background is over; ending it again changes nothing."""
    note = HealthNote.objects.filter(id=note_id, ended_on__isnull=True).first()
    if note is not None:
        note.ended_on = ended_on
        note.save(update_fields=["ended_on"])
        _touch(note.patient_id, now=now)
        _announce_update(note.patient_id, ["health_notes"], now=now)
