"""Setting up a membership programme: writing it, changing it, opening and closing it."""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from careloop.audit import services as audit
from careloop.kernel.text import clean
from careloop.loyalty import errors
from careloop.loyalty.models import Account, Programme, Terms

CHANGEABLE = (
    "name", "point_name", "valid_months", "when_spent", "allows_pools", "allows_transfers", "point_value", "cap_day",
    "cap_month", "cap_year", "terms",
)  # fmt: skip
OWN_ACCOUNTS = (Account.Kind.ISSUED, Account.Kind.REDEEMED, Account.Kind.EXPIRED, Account.Kind.ADJUSTED)


@transaction.atomic
def create(
    *, name: str, now: datetime, by: UUID | None, location_id: UUID | None = None, programme_id: UUID | None = None, **values: Any
) -> Programme:  # fmt: skip
    """Write a new programme, of the whole organization or of one branch; it takes no members before it is opened.

    Args:
        programme_id: the form's key, which becomes the row's: a double click makes one.
        values: any of `CHANGEABLE`.

    Raises:
        NameMissing.
    """
    if programme_id and (earlier := Programme.objects.filter(pk=programme_id).first()):
        return earlier
    made = Programme(location_id=location_id, created_at=now, changed_at=now)
    if programme_id:
        made.pk = programme_id
    _write(made, {"name": name, **values})
    made.save(force_insert=True)
    _keep_terms(made, now=now, by=by)
    audit.record("programme.created", target=("programme", made.pk), now=now)
    return made


@transaction.atomic
def change(*, programme_id: UUID, version: int, now: datetime, by: UUID | None, **values: Any) -> Programme:
    """Change a programme. What was earned stays as it was earned; new terms are kept beside the old ones.

    Raises:
        UnknownProgramme, NameMissing. ChangedMeanwhile: `version` is not the newest. TermsMissing: an open one keeps some.
    """
    programme = _locked(programme_id)
    if programme.version != version:
        raise errors.ChangedMeanwhile
    _write(programme, values)
    if programme.state == Programme.State.OPEN and not programme.terms:
        raise errors.TermsMissing
    programme.changed_at, programme.version = now, version + 1
    programme.save()
    _keep_terms(programme, now=now, by=by)
    audit.record("programme.changed", target=("programme", programme.pk), details={"what": sorted(values)}, now=now)
    return programme


@transaction.atomic
def open_programme(*, programme_id: UUID, now: datetime, by: UUID | None) -> Programme:
    """Let patients join. Opening an open programme changes nothing.

    Raises:
        UnknownProgramme, TermsMissing. ProgrammeOpenAlready: another one of the same place is open.
    """
    programme = _locked(programme_id)
    if programme.state == Programme.State.OPEN:
        return programme
    if not programme.terms:
        raise errors.TermsMissing
    programme.state, programme.opened_at, programme.changed_at = Programme.State.OPEN, programme.opened_at or now, now
    programme.version += 1
    try:
        with transaction.atomic():
            programme.save()
    except IntegrityError:
        raise errors.ProgrammeOpenAlready from None
    Account.objects.bulk_create(
        [Account(programme=programme, kind=kind, joined_at=now) for kind in OWN_ACCOUNTS], ignore_conflicts=True
    )
    audit.record("programme.opened", target=("programme", programme.pk), now=now)
    return programme


@transaction.atomic
def close(*, programme_id: UUID, now: datetime, by: UUID | None) -> Programme:
    """Take no more members and give no more points. Members keep what they have.

    Raises:
        UnknownProgramme, ProgrammeNotOpen.
    """
    programme = _locked(programme_id)
    if programme.state == Programme.State.CLOSED:
        return programme
    if programme.state != Programme.State.OPEN:
        raise errors.ProgrammeNotOpen
    programme.state, programme.changed_at, programme.version = Programme.State.CLOSED, now, programme.version + 1
    programme.save()
    audit.record("programme.closed", target=("programme", programme.pk), now=now)
    return programme


def programme_for(location_id: UUID | None) -> Programme | None:
    """Return the open programme that counts at a branch: the branch's own, else the organization's."""
    fitting = Programme.objects.filter(state=Programme.State.OPEN)
    if location_id is not None and (own := fitting.filter(location_id=location_id).first()):
        return own
    return fitting.filter(location=None).first()


def _locked(programme_id: UUID) -> Programme:
    found = Programme.objects.select_for_update().filter(pk=programme_id).first()
    if found is None:
        raise errors.UnknownProgramme
    return found


def _write(programme: Programme, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in CHANGEABLE:
            raise ValueError(f"a programme has no {name} to change")
        # the lines of the terms are kept: the patient reads them as they were written
        if name == "terms":
            value = value.strip()
        elif isinstance(value, str):
            value = clean(value)
        setattr(programme, name, value)
    if not programme.name or not programme.point_name:
        raise errors.NameMissing


def _keep_terms(programme: Programme, *, now: datetime, by: UUID | None) -> None:
    if not programme.terms:
        return
    digest = hashlib.sha256(programme.terms.encode()).digest()
    if not Terms.objects.filter(programme=programme, text_hash=digest).exists():
        Terms.objects.create(
            programme=programme, text=programme.terms, text_hash=digest, written_at=now, written_by_id=by
        )
