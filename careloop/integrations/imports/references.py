"""Who and what a row refers to: patients, visits and professionals by the names they have in a source."""

import re
from collections.abc import Iterable

from careloop.integrations.imports.staging import Run, fetch

#: how many lately seen references are remembered
REMEMBERED = 200_000

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


#: control characters that stand in no name
_BETWEEN = "\x1f\x1e\x1f"
#: the names handed over by `listed`, as a list
LISTED = "string_to_array(%(wanted)s, chr(31) || chr(30) || chr(31))"


def listed(names: Iterable[str]) -> str:
    """Return names as one text for `LISTED`: quoting thousands one by one takes longer than looking them up."""
    return _BETWEEN.join(names)


def find_patients(run: Run, references: Iterable[str]) -> dict[str, str]:
    """Return the patient behind each reference: by the id in this source, another name, the chart number, a UUID of any source.

    A merged patient gives the survivor. References nobody answers to are left out.
    """
    if len(run.patients) > REMEMBERED:
        run.patients.clear()
    known = run.patients
    wanted = {reference for reference in references if reference and reference not in known}
    for statement in (
        "select external_id, id::text from patients_patient where source = %(source)s and external_id <> '' "
        f"and external_id = any({LISTED})",
        "select external_id, record_id::text from imports_name where kind = 'patient' and source = %(source)s "
        f"and external_id = any({LISTED})",
        f"select chart_number, id::text from patients_patient where chart_number <> '' and chart_number = any({LISTED})",
    ):
        if wanted:
            found = dict(fetch(statement, {"source": run.source, "wanted": listed(wanted)}))
            known.update(found)
            wanted -= found.keys()
    if uuids := [reference for reference in wanted if _UUID.fullmatch(reference)]:
        found = dict(
            fetch(
                f"select external_id, id::text from patients_patient where external_id <> '' and external_id = any({LISTED}) "
                "and source in (select code from imports_source)",
                {"wanted": listed(uuids)},
            )
        )
        known.update(found)
    return _survivors(known, references)


def _survivors(known: dict[str, str], references: Iterable[str]) -> dict[str, str]:
    """Follow merged patients to the record that stands for them now."""
    answer = {reference: known[reference] for reference in references if reference in known}
    # usually nobody is merged, and the index of those who are says so at once
    merged = fetch("select exists (select 1 from patients_patient where merged_into_id is not null)")[0][0]
    for _step in range(5 if merged else 0):
        moved = dict(
            fetch(
                "select id::text, merged_into_id::text from patients_patient where id = any(%s::uuid[]) and merged_into_id is not null",
                [list(set(answer.values()))],
            )
        )
        if not moved:
            break
        answer = {reference: moved.get(patient, patient) for reference, patient in answer.items()}
    return answer


def find_encounters(run: Run, references: Iterable[str]) -> dict[str, str]:
    """Return the encounter behind each reference, by its id in this source or another name it is known by here."""
    if len(run.encounters) > REMEMBERED:
        run.encounters.clear()
    known = run.encounters
    wanted = {reference for reference in references if reference and reference not in known}
    for statement in (
        f"select external_id, id::text from records_encounter where source = %(source)s and external_id = any({LISTED})",
        "select external_id, record_id::text from imports_name where kind = 'encounter' and source = %(source)s "
        f"and external_id = any({LISTED})",
    ):
        if wanted:
            found = dict(fetch(statement, {"source": run.source, "wanted": listed(wanted)}))
            known.update(found)
            wanted -= found.keys()
    return known


def find_practitioners(run: Run, references: Iterable[str]) -> dict[str, str]:
    """Return the practitioner behind each reference of this source."""
    wanted = [reference for reference in references if reference]
    if not wanted:
        return {}
    return dict(
        fetch(
            "select external_id, id::text from records_practitioner where source = %s and external_id = any(%s)",
            [run.source, wanted],
        )
    )
