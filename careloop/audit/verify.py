"""Is the chain whole? Recomputed here, outside the database, from what the rows say."""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from careloop.kernel import sql

CHUNK = 5000


def verify_chain(organization_id: UUID) -> dict[str, Any]:
    """Return `{"whole", "entries", "faults"}` for the running organization's chain.

    Finds an edited row (its hash no longer fits), a deleted one (a gap in the numbers), a reordered one (the hash before
    does not fit), a cut-off end (the head, a daily head in the database, or one kept in CARELOOP_HOME/audit
    knows of more), and an entry that the list of a patient's entries hides, or shows of somebody else.
    """
    faults: list[str] = []
    entries, previous, ends = 0, b"", dict[int, bytes]()
    daily = _daily_heads(organization_id)
    wanted = {number for _day, number, _hash, _where in daily}
    for number, before, digest, canonical in _rows():
        entries += 1
        if number != entries:
            faults.append(f"entry {entries} is missing (found {number})")
            entries = number
        if before != previous:
            faults.append(f"entry {number} does not follow entry {number - 1}")
        if hashlib.sha256(before + canonical.encode()).digest() != digest:
            faults.append(f"entry {number} was changed")
        previous = digest
        if number in wanted:
            ends[number] = digest
        if len(faults) > 20:
            faults.append("… and more")
            break
    faults += _check_ends(entries, previous, ends, daily)
    faults += _check_patients()
    return {"whole": not faults, "entries": entries, "faults": faults}


def _rows() -> Any:
    """Every row of the chain in order, read in chunks: number, hash before, own hash, canonical text."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "select number, previous, hash, audit_canonical(e) from audit_event e where number > %s "
                "order by number limit %s",
                [last, CHUNK],
            )
            found = cursor.fetchall()
        for number, before, digest, canonical in found:
            yield number, bytes(before), bytes(digest), canonical
        if len(found) < CHUNK:
            return
        last = found[-1][0]


def _check_ends(
    entries: int, last: bytes, ends: dict[int, bytes], daily: list[tuple[str, int, bytes, str]]
) -> list[str]:
    faults = []
    head = sql.row("select number, hash from audit_head where day is null")
    if head is None and entries:
        faults.append("the head of the chain is missing")
    if head is not None and (head["number"], bytes(head["hash"])) != (entries, last):
        faults.append(f"the head says {head['number']} entries, the chain has {entries}: its end was cut off or forged")
    for day, number, digest, where in daily:
        if number > entries:
            faults.append(f"on {day} there were {number} entries ({where}), now there are {entries}")
        elif ends.get(number) != digest:
            faults.append(f"the chain no longer leads to the head of {day} ({where})")
    return faults


def _check_patients() -> list[str]:
    """Whether the entries found by patient are those that name the patient: what a viewer does not find was not seen."""
    found = sql.rows(
        """with named as (
               select e.number, unnest(e.patients) as patient_id from audit_event e
                where not exists (select from audit_span s where s.number = e.number)
           ), faults as (
               select coalesce(n.number, p.number) as number, p.number is null as hidden
                 from named n full join audit_patient p on p.number = n.number and p.patient_id = n.patient_id
                where n.number is null or p.number is null
               union
               select s.number, true from audit_span s left join audit_event e on e.number = s.number
                where left(s.first_patient::text, 23) <> left(s.last_patient::text, 23)
                      or s.first_patient is distinct from (select one from unnest(e.patients) as one order by one limit 1)
                      or s.last_patient is distinct from (select one from unnest(e.patients) as one order by one desc limit 1)
           )
           select number, hidden from faults order by 1 limit 21"""
    )
    faults = [
        f"entry {row['number']} is not found by a patient whom it names"
        if row["hidden"]
        else f"entry {row['number']} is found by a patient whom it does not name"
        for row in found[:20]
    ]
    return [*faults, "… and more"] if len(found) > 20 else faults


def _daily_heads(organization_id: UUID) -> list[tuple[str, int, bytes, str]]:
    heads = [
        (str(row["day"]), row["number"], bytes(row["hash"]), "database")
        for row in sql.rows("select day, number, hash from audit_head where day is not null order by day")
    ]
    path = heads_file(organization_id)
    if path.exists():
        for line in path.read_text().splitlines():
            kept = json.loads(line)
            heads.append((kept["day"], kept["number"], bytes.fromhex(kept["hash"]), "file"))
    return heads


def heads_file(organization_id: UUID) -> Path:
    """Where the daily heads are kept outside the database; copy this file away for a proof nobody here can forge."""
    return Path(settings.CARELOOP_FILES).parent / "audit" / f"{organization_id}.jsonl"


def keep_head_outside(organization_id: UUID, *, today: date) -> bool:
    """Write the running head into the file of daily heads, once a day. Return whether a line was written."""
    head = sql.row("select number, hash from audit_head where day is null")
    if head is None or not head["number"]:
        return False
    path = heads_file(organization_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and any(json.loads(line)["day"] == today.isoformat() for line in path.read_text().splitlines()):
        return False
    with path.open("a") as file:
        file.write(
            json.dumps({"day": today.isoformat(), "number": head["number"], "hash": bytes(head["hash"]).hex()}) + "\n"
        )
    return True
