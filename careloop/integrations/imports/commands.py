"""`careloop import …` and `careloop count`: what the command line calls. Answers are JSON-ready."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from careloop.audit.services import Actor, acting_as
from careloop.integrations.imports import reasons, services, undo
from careloop.integrations.imports.errors import NoSuchFile
from careloop.integrations.imports.models import ImportBatch, ImportFinding
from careloop.integrations.imports.pipeline import Tally
from careloop.integrations.tabular import mapping as mappings
from careloop.tenancy.context import in_organization

COMMAND = Actor("command", name="careloop import", via="command")
SHOWN = 20

Say = Callable[[str], None]


def run_import(
    kind: str,
    path: str | Path,
    *,
    map_file: str | Path | None = None,
    source: str | None = None,
    dry_run: bool = False,
    organization: UUID,
    progress: Say = lambda _text: None,
) -> dict[str, Any]:
    """Import a file, folder or archive; an import of the same file that was cut off goes on where it stopped.

    Raises:
        DomainError: the file is not there, cannot be read, or something must be answered first.
    """
    path = Path(path)
    if not path.exists():
        raise NoSuchFile(path=str(path))
    document = mappings.load(Path(map_file)) if map_file else None
    code = source or str((document or {}).get("source") or kind)
    with acting_as(COMMAND):
        with in_organization(organization):
            batch = None if dry_run else services.unfinished(path=path, kind=kind, source=code)
            if batch is None:
                batch = services.create_batch(
                    kind=kind, path=path, name=path.name, source=code, document=document, dry_run=dry_run, by=None,
                    now=timezone.now(),
                )  # fmt: skip
            else:
                progress(
                    _("Going on behind chunk %(chunk)d of an import that was cut off.") % {"chunk": batch.chunks_done}
                )
        services.run_batch(
            batch,
            path,
            organization_id=organization,
            clock=timezone.now,
            actor=COMMAND,
            progress=_teller(progress, batch),
        )
        with in_organization(organization):
            return answer_of(batch)


def _teller(progress: Say, batch: ImportBatch) -> Callable[[Tally], None]:
    def tell(tally: Tally) -> None:
        share = f"{min(tally.position * 100 // batch.file_size, 100)}%, " if batch.file_size else ""
        progress(f"{share}{tally.rows} rows, {tally.refused} refused")

    return tell


def answer_of(batch: ImportBatch) -> dict[str, Any]:
    """Return what an import did, as `careloop import --json` prints it. Call inside the organization."""
    batch.refresh_from_db()
    counts = {"created": {}, "updated": {}, "unchanged": {}} | (batch.counts or {})
    return {
        "batch": str(batch.id),
        "state": batch.state.lower(),
        "dry_run": batch.dry_run,
        **counts,
        "refused": batch.refused,
        "warnings": batch.warnings + len(batch.notices),
        "rows": batch.rows_read,
        "notices": [reasons.sentence(one["code"], one.get("values"), line=one.get("line")) for one in batch.notices],
        "refusals": _first(batch, ImportFinding.Kind.REFUSED),
        "to_look_at": _first(batch, ImportFinding.Kind.WARNED),
    }


def _first(batch: ImportBatch, kind: str) -> list[dict[str, Any]]:
    return [
        {"file": one.part, "line": one.line, "field": one.field, "code": one.code, "reason": reasons.sentence(one.code, one.values)}
        for one in batch.findings.filter(kind=kind).order_by("id")[:SHOWN]
    ]  # fmt: skip


def in_words(answer: dict[str, Any]) -> list[str]:
    """Return the answer in lines for a person."""
    lines = [_("Nothing was written: this was a dry run.")] if answer["dry_run"] else []
    for name, words in (("created", _("new")), ("updated", _("updated")), ("unchanged", _("unchanged"))):
        if answer[name]:
            lines.append(
                f"{words}: " + ", ".join(f"{resource} {count}" for resource, count in sorted(answer[name].items()))
            )
    lines += answer["notices"]
    lines += map(_placed, answer["refusals"])
    if answer["refused"] > len(answer["refusals"]):
        lines.append(_("… and %(count)d more refused rows.") % {"count": answer["refused"] - len(answer["refusals"])})
    if answer["to_look_at"]:
        lines.append(_("To look at:"))
        lines += map(_placed, answer["to_look_at"])
    more = answer["warnings"] - len(answer["notices"]) - len(answer["to_look_at"])
    if more > 0:
        lines.append(_("… and %(count)d more to look at.") % {"count": more})
    lines.append(_("Import %(batch)s: %(rows)d rows, %(refused)d refused, %(warnings)d to look at.") % answer)
    return lines


def _placed(finding: dict[str, Any]) -> str:
    if not finding["line"]:  # what is wrong with a whole file is on no line of it
        return f"{finding['file']}: {finding['reason']}"
    if not finding["field"]:
        return _("%(file)s, line %(line)d: %(reason)s") % finding
    return _("%(file)s, line %(line)d, %(field)s: %(reason)s") % finding


def run_undo(batch: str | UUID, *, organization: UUID, progress: Say = lambda _text: None) -> dict[str, Any]:
    """Take a whole import back.

    Raises:
        BatchUnknown, BatchNotUndoable, UndoRefused: with what stands in the way.
    """
    with acting_as(COMMAND), in_organization(organization):
        found = services.get_batch(batch)
        progress(_("Taking back %(rows)d rows.") % {"rows": found.rows_read})
        undo.undo_batch(batch_id=found.id, by=COMMAND, by_user=None, now=timezone.now())
        return answer_of(found) | {"undone": True}
