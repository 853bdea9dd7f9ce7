"""Opening, giving out, putting off and closing follow-ups.

Every change names the `version` it saw, so that two people who work on the same line cannot undo each other, and a double
click changes nothing the second time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from careloop.audit import services as audit
from careloop.events import services as events
from careloop.followups import errors
from careloop.followups.events import FollowUpCancelled, FollowUpCreated, FollowUpDone, FollowUpSnoozed
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.kernel.text import clean

LONGEST_TITLE = 160
LONGEST_TEXT = 2000


@transaction.atomic
def create(
    *, patient_id: UUID, title: str, due_at: datetime, now: datetime, by: UUID | None, kind: str = FollowUp.Kind.CALL,
    script: str = "", priority: int = 2, owner_id: UUID | None = None, location_id: UUID | None = None,
    origin: str = "staff", origin_id: str = "",
) -> FollowUp:  # fmt: skip
    """Open a follow-up; the same origin opens it once and gets the first one back.

    Args:
        origin, origin_id: what asked for it: `message` and the inbound message's id, `staff` and the form's key.
        location_id: where it is worked on; by default the patient's home location.

    Raises:
        TitleMissing: no title.
        NotAMember: the owner does not work here.
    """
    title = clean(title)[:LONGEST_TITLE]
    if not title:
        raise errors.TitleMissing
    _check_owner(owner_id)
    made = sql.row(
        """insert into followups_follow_up (patient_id, kind, title, script, priority, due_at, owner_id, location_id, origin,
                                            origin_id, created_at, created_by_id)
           select p.id, %(kind)s, %(title)s, %(script)s, %(priority)s, %(due_at)s, %(owner)s,
                  coalesce(%(location)s, p.home_location_id), %(origin)s, %(origin_id)s, %(now)s, %(by)s
             from patients_patient p where p.id = %(patient)s
           on conflict (organization_id, origin, origin_id) where origin_id <> '' do nothing
           returning id""",
        {
            "patient": patient_id, "kind": FollowUp.Kind(kind).value, "title": title, "script": clean(script)[:LONGEST_TEXT],
            "priority": priority, "due_at": due_at, "owner": owner_id, "location": location_id, "origin": origin,
            "origin_id": origin_id, "now": now, "by": by,
        },
    )  # fmt: skip
    if made is None:
        earlier = FollowUp.objects.filter(origin=origin, origin_id=origin_id).exclude(origin_id="").first()
        if earlier is None:
            raise errors.UnknownFollowUp
        return earlier
    events.publish(FollowUpCreated(made["id"], str(kind), origin), patient_id=patient_id, now=now, source=origin)
    audit.record("follow_up.created", patients=[patient_id], target=("follow_up", made["id"]), now=now)
    return FollowUp.objects.get(pk=made["id"])


@dataclass(frozen=True)
class Wanted:
    """Whom a set of follow-ups is for: a query with `patient_id uuid` and `origin_id text`; its parameters.

    With `has_titles` the query also gives a `title text` for each.
    """

    query: str
    params: Mapping[str, Any] = field(default_factory=dict)
    has_titles: bool = False


def create_many(
    *, wanted: Wanted, title: str, due_at: datetime, now: datetime, by: UUID | None, origin: str,
    kind: str = FollowUp.Kind.CALL, script: str = "", priority: int = 2,
) -> int:  # fmt: skip
    """Open one follow-up per row of `wanted` in one statement; return how many are new. Repeating it changes nothing."""
    actor = audit.current_actor()
    title_of = f"left(w.title, {LONGEST_TITLE})" if wanted.has_titles else "%(title)s"
    return int(
        sql.value(
            f"""with wanted as ({wanted.query}), made as (
                insert into followups_follow_up (patient_id, kind, title, script, priority, due_at, location_id, origin,
                                                 origin_id, created_at, created_by_id)
                select w.patient_id, %(kind)s, {title_of}, %(script)s, %(priority)s, %(due_at)s, p.home_location_id,
                       %(origin)s, w.origin_id, %(now)s, %(by)s
                  from wanted w join patients_patient p on p.id = w.patient_id
                on conflict (organization_id, origin, origin_id) where origin_id <> '' do nothing
                returning id, patient_id
            ), told as (
                insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, payload)
                select 'follow_up.created', patient_id, %(now)s, %(now)s, %(actor_kind)s, %(actor)s, %(origin)s,
                       jsonb_build_object('follow_up_id', id, 'task', %(kind)s::text, 'origin', %(origin)s::text)
                  from made
            )
            select count(*) from made""",
            {
                **wanted.params, "kind": FollowUp.Kind(kind).value, "title": clean(title)[:LONGEST_TITLE],
                "script": clean(script)[:LONGEST_TEXT], "priority": priority, "due_at": due_at, "origin": origin, "now": now,
                "by": by, "actor_kind": actor.kind, "actor": actor.id,
            },
        )
    )  # fmt: skip


@transaction.atomic
def assign(*, follow_up_ids: Iterable[UUID], owner_id: UUID | None, now: datetime, by: UUID | None) -> int:
    """Give open follow-ups to somebody, or to nobody in particular; return how many changed hands.

    Raises:
        NotAMember: the owner does not work here.
    """
    _check_owner(owner_id)
    changed = sql.rows(
        """update followups_follow_up set owner_id = %(owner)s, version = version + 1
            where id = any(%(ids)s) and state = 'OPEN' and owner_id is distinct from %(owner)s returning id, patient_id""",
        {"owner": owner_id, "ids": list(follow_up_ids)},
    )
    if changed:
        audit.record(
            "follow_up.assigned", patients=[row["patient_id"] for row in changed],
            details={"owner": str(owner_id or ""), "count": len(changed)}, now=now,
        )  # fmt: skip
    return len(changed)


@transaction.atomic
def snooze(
    *,
    follow_up_id: UUID,
    until: datetime,
    version: int,
    now: datetime,
    by: UUID | None,
    outcome: str = "",
    note: str = "",
) -> FollowUp:
    """Put a follow-up off; with an `outcome` (nobody answered, call back later) it also counts as an attempt.

    Raises:
        UntilInPast, AlreadyClosed, ChangedMeanwhile: nothing is changed.
    """
    if until <= now:
        raise errors.UntilInPast
    found = _locked(follow_up_id)
    if found.version == version + 1 and found.snoozed_until == until:
        return found  # the same click again
    _check_open(found, version)
    found.snoozed_until = until
    if outcome:
        found.attempts += 1
        found.outcome = FollowUp.Outcome(outcome)
    if note:
        found.outcome_note = clean(note)[:LONGEST_TEXT]
    found.version += 1
    found.save()
    events.publish(
        FollowUpSnoozed(found.pk, until.isoformat(), outcome),
        patient_id=found.patient_id,
        now=now,
        source="staff",
    )
    audit.record("follow_up.snoozed", patients=[found.patient_id], target=("follow_up", found.pk), now=now)
    return found


@transaction.atomic
def close(
    *, follow_up_id: UUID, outcome: str, version: int, now: datetime, by: UUID | None, note: str = ""
) -> FollowUp:
    """Close a follow-up with what came of it. A closed one is never edited: more work is a new follow-up.

    Raises:
        OutcomeMissing, AlreadyClosed, ChangedMeanwhile: nothing is changed.
    """
    if outcome not in FollowUp.Outcome.values:
        raise errors.OutcomeMissing
    found = _locked(follow_up_id)
    if (
        found.state == FollowUp.State.DONE
        and found.outcome == outcome
        and found.closed_by_id == by
        and found.version == version + 1
    ):
        return found  # the same click again
    _check_open(found, version)
    found.state, found.outcome, found.outcome_note = FollowUp.State.DONE, outcome, clean(note)[:LONGEST_TEXT]
    found.attempts += 1
    found.closed_at, found.closed_by_id = now, by
    found.version += 1
    found.save()
    events.publish(FollowUpDone(found.pk, outcome), patient_id=found.patient_id, now=now, source="staff")
    audit.record(
        "follow_up.done",
        patients=[found.patient_id],
        target=("follow_up", found.pk),
        details={"outcome": outcome},
        now=now,
    )
    return found


@transaction.atomic
def cancel(*, follow_up_ids: Iterable[UUID], reason: str, now: datetime, by: UUID | None) -> int:
    """Cancel open follow-ups that nobody needs any more; return how many. Set-wise, safe to repeat."""
    gone = sql.rows(
        """update followups_follow_up set state = 'CANCELLED', outcome_note = %(reason)s, closed_at = %(now)s,
                  closed_by_id = %(by)s, version = version + 1
            where id = any(%(ids)s) and state = 'OPEN' returning id, patient_id""",
        {"reason": reason, "now": now, "by": by, "ids": list(follow_up_ids)},
    )
    events.publish_many(
        [(FollowUpCancelled(row["id"], reason), row["patient_id"], now, None) for row in gone],
        now=now,
        source="staff" if by else "journey",
    )
    if gone:
        audit.record("follow_up.cancelled", patients=[row["patient_id"] for row in gone], reason=reason, now=now)
    return len(gone)


def _locked(follow_up_id: UUID) -> FollowUp:
    found = FollowUp.objects.select_for_update().filter(pk=follow_up_id).first()
    if found is None:
        raise errors.UnknownFollowUp
    return found


def _check_open(found: FollowUp, version: int) -> None:
    if found.state != FollowUp.State.OPEN:
        raise errors.AlreadyClosed
    if found.version != version:
        raise errors.ChangedMeanwhile


def _check_owner(owner_id: UUID | None) -> None:
    if owner_id is None:
        return
    works_here = sql.value("select 1 from accounts_membership where user_id = %s and is_active", [owner_id])
    if not works_here:
        raise errors.NotAMember
