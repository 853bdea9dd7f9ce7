"""What an import found: rows that were refused, sealed under the batch's own key, and rows to look at."""

from operator import attrgetter
from typing import Any

import orjson

from careloop.integrations.imports.models import ImportBatch
from careloop.integrations.imports.rendering import bytea
from careloop.integrations.imports.rows import Refused, Warned
from careloop.integrations.imports.staging import Outcome, stage
from careloop.kernel import sql, vault

#: Warnings kept row by row; beyond that they are counted only.
MOST_WARNINGS_KEPT = 2_000


def keep_findings(outcomes: list[Outcome], batch: ImportBatch, *, warned_before: int) -> None:
    """Keep refused rows, sealed, and the first warnings of the whole import."""
    refused, warned = in_order(outcomes)
    room = max(0, MOST_WARNINGS_KEPT - warned_before)
    rows = [_finding("REFUSED", one, seal_row(batch, one.raw)) for one in refused]
    rows += [_finding("WARNED", one, None) for one in warned[:room]]
    if not rows:
        return
    names = ("kind", "part", "line", "field", "code", "values", "raw_sealed")
    kinds = ("text", "text", "bigint", "text", "text", "jsonb", "bytea")
    stage("stage_findings", list(zip(names, kinds, strict=True)), rows)
    sql.execute(
        """insert into imports_finding (batch_id, kind, part, line, field, code, values, raw_sealed)
           select %s, kind, coalesce(part, ''), coalesce(line, 0), coalesce(field, ''), code, coalesce(values, '{}'), raw_sealed
             from stage_findings""",
        [batch.id],
    )


def in_order(outcomes: list[Outcome]) -> tuple[list[Refused], list[Warned]]:
    """Return what was refused and warned in the order of the lines."""
    place = attrgetter("part", "line")
    return (
        sorted((one for outcome in outcomes for one in outcome.refused), key=place),
        sorted((one for outcome in outcomes for one in outcome.warned), key=place),
    )


def _finding(kind: str, one: Refused | Warned, sealed: str | None) -> tuple[Any, ...]:
    values = orjson.dumps(one.values).decode()
    return (kind, one.part[:255], one.line, one.field[:60], one.code, values, sealed)


def batch_key(batch: ImportBatch) -> bytes:
    """Return the batch's data key."""
    assert batch.key_wrapped is not None
    return vault.open_data_key(batch.key_wrapped, owner=batch.id.bytes)


def seal_row(batch: ImportBatch, raw: Any) -> str | None:
    """Return a refused row sealed under the batch's key, as bytea text."""
    if not raw:
        return None
    text = orjson.dumps(raw if isinstance(raw, str) else [str(cell) for cell in raw]).decode()
    return bytea(vault.seal(batch_key(batch), text, place=f"imports_finding.raw_sealed.{batch.id}"))


def open_row(batch: ImportBatch, sealed: bytes | memoryview | None) -> list[str] | str:
    """Return a refused row as it stood in the file."""
    if not sealed:
        return ""
    text = vault.open_sealed(batch_key(batch), bytes(sealed), place=f"imports_finding.raw_sealed.{batch.id}")
    found: list[str] | str = orjson.loads(text)
    return found
