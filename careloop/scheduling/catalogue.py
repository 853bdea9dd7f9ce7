"""What a clinic sets up by hand: services, rooms and equipment, its own word on a day, who treats patients; and wishes that found no place."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.text import clean
from careloop.records.models import Practitioner
from careloop.scheduling import errors, planning
from careloop.scheduling.models import Absence, DayException, Resource, Service


@transaction.atomic
def save_service(
    *, service_id: UUID | None, values: dict[str, Any], practitioner_ids: Iterable[UUID], equipment_ids: Iterable[UUID],
    now: datetime, by: UUID | None,
) -> Service:  # fmt: skip
    """Make or change what patients can come for, who offers it, and of which equipment it needs one piece.

    Raises:
        NameTaken: another service is called so. Nothing is changed.
    """
    found = Service.objects.select_for_update().filter(pk=service_id).first() if service_id else Service()
    if found is None:
        raise errors.UnknownService
    for name, value in values.items():
        setattr(found, name, value)
    _save(found)
    _link("scheduling_service_practitioner", "practitioner_id", found.pk, practitioner_ids)
    _link("scheduling_service_equipment", "resource_id", found.pk, equipment_ids)
    audit.record("service.saved", target=("service", found.pk), now=now)
    return found


def _link(table: str, column: str, service_id: UUID, wanted: Iterable[UUID]) -> None:
    """Let exactly these be linked with the service."""
    ids = list(wanted)
    sql.execute(f"delete from {table} where service_id = %s and not {column} = any(%s)", [service_id, ids])
    sql.execute(
        f"insert into {table} (service_id, {column}) select %s, unnest(%s::uuid[]) on conflict do nothing",
        [service_id, ids],
    )


@transaction.atomic
def save_resource(*, resource_id: UUID | None, values: dict[str, Any], now: datetime, by: UUID | None) -> Resource:
    """Make or change a room or a piece of equipment.

    Raises:
        NameTaken: this branch has another one of this name. Nothing is changed.
    """
    found = Resource.objects.select_for_update().filter(pk=resource_id).first() if resource_id else Resource()
    if found is None:
        raise errors.UnknownResource
    for name, value in values.items():
        setattr(found, name, value)
    _save(found)
    audit.record("schedule.changed", target=("resource", found.pk), now=now)
    return found


@transaction.atomic
def save_practitioner(
    *, practitioner_id: UUID | None, values: dict[str, Any], now: datetime, by: UUID | None
) -> Practitioner:
    """Make or change a professional who treats patients; one who left is inactive, never removed."""
    found = (
        Practitioner.objects.select_for_update().filter(pk=practitioner_id).first()
        if practitioner_id
        else Practitioner()
    )
    if found is None:
        raise errors.UnknownPractitioner
    for name, value in values.items():
        setattr(found, name, value)
    found.save()
    audit.record("schedule.changed", target=("practitioner", found.pk), now=now)
    return found


@transaction.atomic
def set_day(
    *, on_date: date, location_id: UUID | None, is_open: bool, name: str, now: datetime, by: UUID | None
) -> int:
    """Say of one day that the clinic or a branch is open or closed, whatever the calendar says.

    Sessions of the day that nobody is booked in go or come at once. Returns how many sessions of a closed day remain open
    because patients are booked in them, so that a person decides.
    """
    where: dict[str, Any] = {"on_date": on_date, "location_id": location_id}
    DayException.objects.update_or_create(**where, defaults={"is_open": is_open, "name": clean(name)[:60]})
    return _bring_up_to_date(on_date, is_open=is_open, location_id=location_id, now=now)


@transaction.atomic
def unset_day(*, on_date: date, location_id: UUID | None, now: datetime, by: UUID | None) -> None:
    """Take the clinic's own word on a day back: the calendar counts again."""
    sql.execute(
        "delete from scheduling_day_exception where on_date = %s and location_id is not distinct from %s",
        [on_date, location_id],
    )
    _bring_up_to_date(on_date, is_open=True, location_id=location_id, now=now)


def _bring_up_to_date(on_date: date, *, is_open: bool, location_id: UUID | None, now: datetime) -> int:
    audit.record("schedule.changed", target=("day", on_date), now=now)
    if is_open:
        planning.plan(now=now)
        return 0
    given = {"day": on_date, "location": location_id, "now": now}
    sql.execute(
        """delete from scheduling_session s using scheduling_template t
            where t.id = s.template_id and not t.on_holidays and s.on_date = %(day)s and s.starts_at > %(now)s and s.state = 'OPEN'
              and (%(location)s::uuid is null or s.location_id = %(location)s)
              and not exists (select from scheduling_appointment a where a.session_id = s.id)""",
        given,
    )
    return int(
        sql.value(
            """select count(*) from scheduling_session where on_date = %(day)s and state = 'OPEN' and starts_at > %(now)s
                  and (%(location)s::uuid is null or location_id = %(location)s)""",
            given,
        )
    )


@transaction.atomic
def remove_absence(*, absence_id: UUID, now: datetime, by: UUID | None) -> None:
    """Take an absence that staff noted back: places in that time are free again. Repeating it changes nothing."""
    if Absence.objects.filter(pk=absence_id, source="staff").delete()[0]:
        audit.record("schedule.changed", target=("absence", absence_id), now=now)


def note_miss(
    *, service_id: UUID, source: str, key: str, now: datetime, practitioner_id: UUID | None = None,
    location_id: UUID | None = None, weekdays: Sequence[int] = (), parts: Sequence[str] = (),
) -> None:  # fmt: skip
    """Note that a search found no place; the same `key` is the same wish and is noted once. Never says who asked."""
    sql.execute(
        """insert into scheduling_search_miss (at, service_id, practitioner_id, location_id, weekdays, parts, source, key)
           values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
        [now, service_id, practitioner_id, location_id, list(weekdays), list(parts), source, key[:80]],
    )


def _save(found: Service | Resource) -> None:
    try:
        with transaction.atomic():
            found.save()
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise errors.NameTaken from None
        raise
