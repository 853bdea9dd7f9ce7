"""Reading the chain: filters, pages, and who has seen a patient."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.kernel import sql

COLUMNS = (
    "e.number, e.recorded_at, e.action, e.actor_kind, e.actor_id, e.actor_name, e.via, e.address, {patients} as patients, "
    "cardinality(e.patients) as patient_count, e.target_kind, e.target_id, e.reason, e.details"
)
EVERYBODY, FIRST_FEW = "e.patients", "e.patients[:10]"
"""Which of an entry's patients are read: an import's names thousands, a screen shows a handful and how many there are."""

NAMING = """select p.number from audit_patient p where p.patient_id = %s
            union all
            select s.number from audit_span s join audit_event n on n.number = s.number
             where s.first_patient >= %s and s.first_patient <= %s and s.last_patient >= %s and %s = any(n.patients)"""
"""The numbers of the entries that name a patient."""


def _naming(patient_id: UUID) -> list[UUID]:
    """Return the parameters of `NAMING`: spans are of ids that share their first ten bytes."""
    return [patient_id, UUID(int=patient_id.int >> 48 << 48), patient_id, patient_id, patient_id]


@dataclass(frozen=True)
class Wanted:
    """What a reader of the audit log looks for; empty means everything."""

    actor_id: UUID | None = None
    actor_kind: str = ""
    actions: tuple[str, ...] = ()
    patient_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """Return the SQL condition on `audit_event e` with its parameters."""
        parts: list[str] = []
        params: list[Any] = []
        for condition, value in (
            ("e.actor_id = %s", self.actor_id), ("e.actor_kind = %s", self.actor_kind), ("e.recorded_at >= %s", self.since),
            ("e.recorded_at < %s", self.until),
        ):  # fmt: skip
            if value:
                parts.append(condition)
                params.append(value)
        if self.patient_id:
            parts.append(f"e.number in ({NAMING})")
            params += _naming(self.patient_id)
        if self.actions:
            parts.append("e.action = any(%s)")
            params.append(list(self.actions))
        if self.reason:
            # strpos, not LIKE: what was typed is text, not a pattern
            parts.append("strpos(lower(e.reason), lower(%s)) > 0")
            params.append(self.reason)
        return " and ".join(parts) or "true", params


def entries(
    wanted: Wanted, *, where: str = "true", params: Iterable[Any] = (), order: str = "e.number desc", limit: int,
    whose: str = FIRST_FEW,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return entries of the chain, newest first unless `order` says otherwise; `where` is a further condition of ours.

    `patients` are the first few of an entry, or all with `whose=EVERYBODY`; `patient_count` is of all.
    """
    condition, values = wanted.where()
    return sql.rows(
        f"select {COLUMNS.format(patients=whose)} from audit_event e where {condition} and {where} order by {order} limit %s",
        [*values, *params, limit],
    )


def seen_by(patient_id: UUID, *, limit: int = 50) -> list[dict[str, Any]]:
    """Return what the chain knows about one patient, newest first."""
    return sql.rows(
        f"""select {COLUMNS.format(patients=FIRST_FEW)} from (
                select number from ({NAMING}) as naming order by number desc limit %s
            ) p join audit_event e on e.number = p.number order by e.number desc""",
        [*_naming(patient_id), limit],
    )


def actors() -> list[dict[str, Any]]:
    """Return the staff who have acted here, by name, for the filter."""
    return sql.rows(
        """select m.user_id as id, coalesce(nullif(u.name, ''), u.email) as name
             from accounts_membership m join accounts_user u on u.id = m.user_id order by 2"""
    )


def head() -> dict[str, Any]:
    """Return the end of the chain: how many entries, and the day whose close was last kept."""
    return sql.row(
        """select coalesce(max(number) filter (where day is null), 0) as number, max(day) as last_day,
                  count(*) filter (where day is not null) as days from audit_head"""
    ) or {"number": 0, "last_day": None, "days": 0}  # fmt: skip
