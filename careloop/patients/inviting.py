"""A code at the desk that connects a channel with a chart: whoever opens it within minutes stands in front of staff.

The code proves which patient, the channel proves whose account; neither alone binds anything. It is good once and kept only as a
hash, for ten minutes, in the shared cache; a newer one for the same patient ends the one before.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.cache import cache

from careloop.audit import services as audit
from careloop.kernel.ids import new_token
from careloop.patients.models import Patient
from careloop.tenancy.context import current_organization_id

VALID_SECONDS = 600


@dataclass(frozen=True)
class Invitation:
    """Whose chart a code opens, and which colleague showed it."""

    patient_id: UUID
    by: UUID | None


def invite(*, patient_id: UUID, now: datetime, by: UUID | None) -> str:
    """Return the token of a new code for this patient; the one shown before is over."""
    _forget_last(patient_id)
    token = new_token()
    cache.set(_key("code", token), [str(patient_id), str(by or "")], VALID_SECONDS)
    cache.set(_key("patient", str(patient_id)), _hashed(token), VALID_SECONDS)
    audit.record("contact_point.invited", patients=[patient_id], details={"system": "line"}, now=now)
    return token


def look(token: str) -> Invitation | None:
    """Return what a code opens, without using it up; None when it is over."""
    kept = cache.get(_key("code", token))
    if not kept:
        return None
    found = Invitation(UUID(kept[0]), UUID(kept[1]) if kept[1] else None)
    is_there = Patient.objects.filter(pk=found.patient_id, merged_into=None, active=True, deceased=False).exists()
    return found if is_there else None


def use_up(token: str) -> Invitation | None:
    """Return what a code opens and end it: of two who come at once, one gets it."""
    found = look(token)
    if found is None or not cache.delete(_key("code", token)):
        return None
    cache.delete(_key("patient", str(found.patient_id)))
    return found


def _forget_last(patient_id: UUID) -> None:
    last = cache.get(_key("patient", str(patient_id)))
    if last:
        cache.delete(_key_of_hash("code", last))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _key(what: str, text: str) -> str:
    return _key_of_hash(what, _hashed(text))


def _key_of_hash(what: str, hashed: str) -> str:
    return f"invite:{what}:{current_organization_id()}:{hashed}"
