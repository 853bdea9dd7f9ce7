"""Leave from a calendar program: read, looked at, then noted as absences; the next import of the calendar brings it up to date.

What was imported is known by the name its calendar gives it (`Absence.external_id`), so importing again adds nothing twice,
moves what was moved, and takes away what is gone from the calendar, as far as it lies ahead.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from careloop.audit import services as audit
from careloop.integrations.icalendar import apart
from careloop.integrations.icalendar.errors import UnknownPractitioner, UploadGone
from careloop.integrations.icalendar.models import LeaveUpload
from careloop.kernel import sql, vault
from careloop.kernel.ids import uuid7
from careloop.kernel.text import clean
from careloop.records.models import Practitioner
from careloop.scheduling import sessions
from careloop.scheduling.models import HOLDS, Absence
from careloop.tenancy.models import Organization

SOURCE = "ical"
KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Change:
    """One time away, and what importing it means: `new`, `changed` or `same`; or `gone` from the calendar."""

    what: str
    key: str
    starts_at: datetime
    ends_at: datetime
    note: str
    all_day: bool = False
    line: int = 0


@dataclass
class Plan:
    """What importing would do."""

    changes: list[Change]
    found: dict[str, Any]
    affected: list[dict[str, Any]] = field(default_factory=list)

    def count(self, what: str) -> int:
        """How many times away are `new`, `changed`, `same` or `gone`."""
        return sum(one.what == what for one in self.changes)


# -- reading -----------------------------------------------------------------------------------------------------


def read(data: bytes, *, now: datetime, all_day: str = "busy") -> dict[str, Any]:
    """Return what a calendar file tells of, in the clinic's zone.

    Raises:
        CalendarRefused: with the line and what helps.
    """
    zone = Organization.objects.values_list("time_zone", flat=True).get()
    return apart.read(data, zone=zone, now=now, all_day=all_day)


@transaction.atomic
def take_upload(
    *, data: bytes, file_name: str, practitioner_id: UUID, kind: str, all_day: str, by: Any, now: datetime
) -> LeaveUpload:
    """Read a calendar and keep what it says, sealed, until somebody decides; nothing is imported yet.

    Raises:
        CalendarRefused, UnknownPractitioner.
    """
    owner = _practitioner(practitioner_id)
    found = read(data, now=now, all_day=all_day)
    upload_id, key = uuid7(), vault.new_data_key()
    made = LeaveUpload.objects.create(
        id=upload_id, practitioner=owner, kind=kind, file_name=clean(file_name.replace("\x00", ""))[:120],
        key_wrapped=vault.keyring().wrap(key, owner=upload_id.bytes),
        content_sealed=vault.seal(key, json.dumps(found), place=_place(upload_id)), created_at=now, created_by=by,
    )  # fmt: skip
    audit.record("leave.uploaded", target=("leave_upload", made.pk), now=now)
    return made


def content(upload: LeaveUpload) -> dict[str, Any]:
    """Return what was read from an uploaded file.

    Raises:
        UploadGone: it was imported or thrown away.
    """
    if upload.state != LeaveUpload.State.READ or upload.key_wrapped is None or upload.content_sealed is None:
        raise UploadGone
    key = vault.open_data_key(upload.key_wrapped, owner=upload.pk.bytes)
    found: dict[str, Any] = json.loads(vault.open_sealed(key, bytes(upload.content_sealed), place=_place(upload.pk)))
    return found


def _place(upload_id: UUID) -> str:
    return f"icalendar_leave_upload.content_sealed.{upload_id}"


# -- deciding ----------------------------------------------------------------------------------------------------


def plan(found: dict[str, Any], *, practitioner_id: UUID, kind: str, remove: bool, now: datetime) -> Plan:
    """Compare what a calendar says with what is noted; writes nothing.

    Args:
        remove: take away what an earlier import noted and this calendar no longer has, as far as it lies ahead.
    """
    known = {
        one.external_id: one
        for one in Absence.objects.filter(practitioner_id=practitioner_id, source=SOURCE).exclude(external_id="")
    }
    changes, keys = [], set()
    for one in found["away"]:
        starts_at, ends_at = datetime.fromisoformat(one["starts_at"]), datetime.fromisoformat(one["ends_at"])
        note, earlier = clean(one["note"])[:200], known.get(one["key"])
        keys.add(one["key"])
        what = "new"
        if earlier is not None:
            is_same = (earlier.starts_at, earlier.ends_at, earlier.note, earlier.kind) == (
                starts_at,
                ends_at,
                note,
                kind,
            )
            what = "same" if is_same else "changed"
        changes.append(Change(what, one["key"], starts_at, ends_at, note, one["all_day"], one["line"]))
    if remove:
        changes += [
            Change("gone", key, one.starts_at, one.ends_at, one.note)
            for key, one in known.items() if key not in keys and one.ends_at > now
        ]  # fmt: skip
    changes.sort(key=lambda one: (one.starts_at, one.key))
    return Plan(changes, found, affected(practitioner_id, [one for one in changes if one.what != "gone"]))


def affected(practitioner_id: UUID, times: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the sessions that times away touch, each with how many patients are booked in them: a person decides about those.

    As `scheduling.sessions.affected`, for many times at once that need not be noted yet.
    """
    return sql.rows(
        """with away as (select * from unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) as t (starts_at, ends_at))
           select s.id, s.starts_at, s.ends_at, s.on_date, s.part, s.state, count(distinct a.id)::int as booked
             from away b
             join scheduling_session s on s.practitioner_id = %(practitioner)s and s.starts_at < b.ends_at and s.ends_at > b.starts_at
             left join scheduling_appointment a on a.session_id = s.id and a.state = any(%(holds)s)
                   and a.starts_at < b.ends_at and a.ends_at > b.starts_at
            where s.state <> 'CLOSED' group by s.id order by s.starts_at""",
        {
            "practitioner": practitioner_id, "holds": list(HOLDS), "starts": [one.starts_at for one in times],
            "ends": [one.ends_at for one in times],
        },
    )  # fmt: skip


# -- writing -----------------------------------------------------------------------------------------------------


@transaction.atomic
def apply(
    found: dict[str, Any], *, practitioner_id: UUID, kind: str, remove: bool, by: UUID | None, now: datetime
) -> Plan:
    """Note the times away of a calendar, and return what was done.

    Patients stay booked until somebody closes, moves or hands over their session: `Plan.affected` lists them.

    Raises:
        UnknownPractitioner.
    """
    # two who import the same calendar at once wait for each other
    owner = _practitioner(practitioner_id, lock=True)
    done = plan(found, practitioner_id=owner.pk, kind=kind, remove=remove, now=now)
    for one in done.changes:
        if one.what in ("new", "changed"):
            sessions.add_absence(
                practitioner_id=owner.pk, starts_at=one.starts_at, ends_at=one.ends_at, kind=kind, note=one.note, source=SOURCE,
                external_id=one.key, now=now, by=by,
            )  # fmt: skip
    imported(owner.pk, [one.key for one in done.changes if one.what == "gone"]).delete()
    audit.record(
        "leave.imported", target=("practitioner", owner.pk), now=now,
        details={what: done.count(what) for what in ("new", "changed", "same", "gone")},
    )  # fmt: skip
    return done


def imported(practitioner_id: UUID, keys: Sequence[str]) -> QuerySet[Absence]:
    """Return the practitioner's absences that calendars brought under these names."""
    return Absence.objects.filter(practitioner_id=practitioner_id, source=SOURCE, external_id__in=keys)


@transaction.atomic
def apply_upload(*, upload_id: UUID, remove: bool, by: UUID | None, now: datetime) -> LeaveUpload:
    """Import an upload; a second click changes nothing.

    Raises:
        UploadGone: it was thrown away, or imported by somebody else.
    """
    upload = LeaveUpload.objects.select_for_update().get(pk=upload_id)
    done = apply(
        content(upload), practitioner_id=upload.practitioner_id, kind=upload.kind, remove=remove, by=by, now=now
    )
    upload.counts = {what: done.count(what) for what in ("new", "changed", "same", "gone")}
    there = imported(upload.practitioner_id, [one.key for one in done.changes if one.what != "gone"])
    upload.absences = list(there.values_list("pk", flat=True))
    _empty(upload, LeaveUpload.State.APPLIED)
    return upload


@transaction.atomic
def discard_upload(*, upload_id: UUID, now: datetime) -> None:
    """Throw an upload away. Doing it again changes nothing."""
    upload = LeaveUpload.objects.select_for_update().get(pk=upload_id)
    if upload.state == LeaveUpload.State.READ:
        _empty(upload, LeaveUpload.State.OLD)
        audit.record("leave.discarded", target=("leave_upload", upload.pk), now=now)


def remove_old(*, now: datetime) -> None:
    """Empty uploads that nobody went on with."""
    LeaveUpload.objects.filter(state=LeaveUpload.State.READ, created_at__lt=now - KEPT_FOR).update(
        state=LeaveUpload.State.OLD, content_sealed=None, key_wrapped=None
    )


def _empty(upload: LeaveUpload, state: str) -> None:
    upload.state, upload.content_sealed, upload.key_wrapped = state, None, None
    upload.save()


def _practitioner(practitioner_id: UUID, *, lock: bool = False) -> Practitioner:
    those: Any = Practitioner.objects.select_for_update() if lock else Practitioner.objects
    found: Practitioner | None = those.filter(pk=practitioner_id, is_active=True).first()
    if found is None:
        raise UnknownPractitioner
    return found


def grouped(found: Iterable[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Put what was skipped or warned of for the same reason together: the first three lines, and how many there are."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in found:
        group = groups.setdefault(tuple(one[name] for name in names), {**one, "entries": [], "total": 0})
        group["total"] += one.get("count", 1)
        group["entries"].append(one)
    return list(groups.values())
