"""`careloop import ical …`: what the command line calls. Answers are JSON-ready."""

from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from careloop.audit.services import Actor, acting_as
from careloop.integrations.icalendar import leave, wording
from careloop.integrations.icalendar.errors import (
    CalendarRefused,
    NoPractitionerOfThatName,
    NoSuchFile,
    SeveralOfThatName,
)
from careloop.integrations.icalendar.sizes import LARGEST
from careloop.kernel.text import normalise
from careloop.records.models import Practitioner
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Organization

COMMAND = Actor("command", name="careloop import ical", via="command")
SHOWN = 20


def run_import(
    path: str | Path,
    *,
    practitioner: str,
    dry_run: bool = False,
    all_day: str = "busy",
    keep: bool = False,
    organization: UUID,
) -> dict[str, Any]:
    """Import a calendar of leave, or only say what importing it would do.

    Args:
        practitioner: name or id.
        all_day: what whole days count as, see `reading.read`.
        keep: leave what earlier imports noted and this calendar does not have.

    Raises:
        NoSuchFile, CalendarRefused, NoPractitionerOfThatName, SeveralOfThatName.
    """
    data = _bytes(Path(path))
    now = timezone.now()
    with acting_as(COMMAND), in_organization(organization):
        owner = _find(practitioner)
        zone = ZoneInfo(Organization.objects.values_list("time_zone", flat=True).get())
        found = leave.read(data, now=now, all_day=all_day)
        wanted: dict[str, Any] = {"practitioner_id": owner.pk, "kind": "LEAVE", "remove": not keep, "now": now}
        done = leave.plan(found, **wanted) if dry_run else leave.apply(found, by=None, **wanted)
        return _answer(done, owner, zone, dry_run=dry_run)


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise NoSuchFile(path=str(path))
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise CalendarRefused(reason="too_large", most=LARGEST // 1_000_000)
    return data


def _find(wanted: str) -> Practitioner:
    here = list(Practitioner.objects.filter(is_active=True).order_by("name"))
    found = [one for one in here if str(one.pk) == wanted or normalise(one.name) == normalise(wanted)]
    if not found:
        raise NoPractitionerOfThatName(name=wanted, known=", ".join(one.name for one in here[:20]) or "–")
    if len(found) > 1:
        raise SeveralOfThatName(name=wanted, ids=", ".join(str(one.pk) for one in found))
    return found[0]


def _answer(done: leave.Plan, owner: Practitioner, zone: ZoneInfo, *, dry_run: bool) -> dict[str, Any]:
    return {
        "practitioner": owner.name,
        "dry_run": dry_run,
        **{what: done.count(what) for what in ("new", "changed", "same", "gone")},
        "away": [
            {"what": one.what, "starts_at": one.starts_at.astimezone(zone).isoformat(), "ends_at": one.ends_at.astimezone(zone).isoformat(),
             "note": one.note}
            for one in done.changes if one.what != "same"
        ],
        "skipped": [
            {"reason": wording.skipped(one["reason"]), "count": one["total"], "line": one["line"]}
            for one in leave.grouped(done.found["skipped"], "reason")
        ],
        "warnings": [
            {"line": one["line"], "reason": wording.warned(one["reason"], one["what"]), "count": one["total"]}
            for one in leave.grouped(done.found["warned"], "reason", "what")
        ],
        "affected": [
            {"session": str(one["id"]), "starts_at": one["starts_at"].astimezone(zone).isoformat(), "booked": one["booked"]}
            for one in done.affected
        ],
    }  # fmt: skip


def in_words(answer: dict[str, Any]) -> list[str]:
    """Return the answer in lines for a person."""
    lines = [_("Nothing was written: this was a dry run.")] if answer["dry_run"] else []
    signs = {"new": "+", "changed": "~", "gone": "-"}
    lines += [
        f"{signs[one['what']]} {one['starts_at'][:16].replace('T', ' ')} – {one['ends_at'][:16].replace('T', ' ')}  {one['note']}".rstrip()
        for one in answer["away"][:SHOWN]
    ]
    if len(answer["away"]) > SHOWN:
        lines.append(_("… and %(count)d more.") % {"count": len(answer["away"]) - SHOWN})
    lines += [_("Skipped %(count)d: %(reason)s (first in line %(line)d).") % one for one in answer["skipped"]]
    lines += [
        _("Line %(line)d: %(sentence)s") % {"line": one["line"], "sentence": one["reason"]}
        for one in answer["warnings"]
    ]
    booked = [one for one in answer["affected"] if one["booked"]]
    lines += [
        _("%(count)d patients are booked in the session of %(when)s: close it, move them or name a substitute.")
        % {"count": one["booked"], "when": one["starts_at"][:16].replace("T", " ")}
        for one in booked
    ]
    lines.append(
        _("%(practitioner)s: %(new)d times away are new, %(changed)d changed, %(same)d unchanged, %(gone)d gone.")
        % answer
    )
    return lines
