"""Sources as clinics have them: files, folders, archives, in any order and any state of repair."""

import bz2
import lzma
import os
import tracemalloc
from pathlib import Path

import orjson
import pytest

from careloop.integrations.fhir.limits import MIB, Limits
from careloop.integrations.fhir.tests.building import (
    bundle,
    coded,
    lines,
    load,
    load_resources,
    of_patient,
    packed,
    patient,
    tar,
    write,
    zipped,
)

VISIT = of_patient("Encounter", period={"start": "2024-01-01T09:00:00+08:00"})
BOTH = orjson.dumps(bundle(patient(), VISIT))


def counts(path: Path, **limits: int) -> dict[str, int]:
    loaded = load(path, Limits(**limits) if limits else None)
    assert loaded.reasons() == []
    return {kind: len(found) for kind, found in loaded.rows.items()}


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection", "searchset", "document", "message", "history"])
def test_a_bundle_of_any_type_gives_its_resources(tmp_path, kind):
    path = write(tmp_path / "bundle.json", bundle(patient(), VISIT, kind=kind))

    assert counts(path) == {"patient": 1, "encounter": 1}


def test_a_single_resource_is_a_source(tmp_path):
    assert counts(write(tmp_path / "anything.txt", patient())) == {"patient": 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json.gz", packed(BOTH)),
        ("a.json.xz", lzma.compress(BOTH)),
        ("a.json.bz2", bz2.compress(BOTH)),
        ("bom.json", b"\xef\xbb\xbf" + BOTH),
        ("utf16.json", BOTH.decode().encode("utf-16")),
        ("lines.ndjson", lines([patient(), VISIT])),
        ("lines-with-blanks.jsonl", b"\xef\xbb\xbf" + lines([patient()]) + b"\r\n\n" + lines([VISIT])),
        ("lines-under-another-name.dat", lines([patient(), VISIT])),
        ("lines.ndjson.gz", packed(lines([patient(), VISIT]))),
        ("pretty.json", orjson.dumps(bundle(patient(), VISIT), option=orjson.OPT_INDENT_2)),
    ],
)
def test_a_file_is_known_by_what_is_in_it(tmp_path, name, content):
    assert counts(write(tmp_path / name, content)) == {"patient": 1, "encounter": 1}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_tar_is_read_in_the_order_of_need_not_of_storage(tmp_path, mode):
    path = tar(
        tmp_path / "export.tar.any",
        {
            "1-visits.ndjson": lines([VISIT]),
            "2-patients.ndjson.gz": packed(lines([patient()])),
            "3-hospital.json": orjson.dumps({"resourceType": "Organization", "id": "o1", "name": "安心診所"}),
        },
        mode,
    )

    loaded = load(path)

    assert loaded.reasons() == []
    assert loaded.order == ["organization", "patient", "encounter"]


def test_documents_before_others_are_in_earlier_chunks_too(tmp_path, monkeypatch):
    monkeypatch.setattr("careloop.integrations.fhir.loading.CHUNK_ROWS", 1)
    members = {"a.ndjson": lines([VISIT]), "b.ndjson": lines([patient()])}

    for path in (zipped(tmp_path / "a.zip", members), tar(tmp_path / "a.tar.gz", members)):
        assert load(path).order == ["patient", "encounter"]


def test_mixed_lines_in_the_wrong_order_are_sorted(tmp_path, monkeypatch):
    monkeypatch.setattr("careloop.integrations.fhir.documents.LINES_TOGETHER", 1)
    monkeypatch.setattr("careloop.integrations.fhir.loading.CHUNK_ROWS", 1)
    content = lines(
        [
            VISIT,
            patient(),
            of_patient("Observation", code=coded("1")),
            {"resourceType": "Organization", "name": "x"},
        ]
    )

    for path in (
        write(tmp_path / "mixed.ndjson", content),
        tar(tmp_path / "mixed.tar.gz", {"mixed.ndjson": content}),
        zipped(tmp_path / "mixed.zip", {"mixed.ndjson": content}),
    ):
        assert load(path).order == ["organization", "patient", "encounter", "observation"]


def test_a_folder_is_read_with_its_archives_and_without_its_litter(tmp_path):
    folder = tmp_path / "export"
    (folder / "deep").mkdir(parents=True)
    write(folder / "deep" / "visit.json", VISIT)
    zipped(folder / "people.zip", {"p.json": orjson.dumps(patient()), "__MACOSX/._p.json": b"\x00\x05"})
    write(folder / ".DS_Store", b"\x00\x00")
    write(folder / "read me.txt", b"hello")
    os.symlink("/etc/passwd", folder / "link.json")

    loaded = load(folder)

    assert loaded.order == ["patient", "encounter"]
    assert loaded.reasons() == []
    assert [(found.part, found.code) for found in loaded.warned] == [("read me.txt", "fhir.not_read")]


def test_names_in_an_archive_lead_nowhere(tmp_path):
    path = tar(
        tmp_path / "a.tar",
        {"../../outside.json": orjson.dumps(patient()), "/etc/evil.json": orjson.dumps(VISIT)},
        "w",
    )

    assert counts(path) == {"patient": 1, "encounter": 1}
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.tar"]


# what is not well-formed


def test_broken_json_says_line_column_and_path_and_the_others_go_on(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    write(folder / "bad.json", b'{"resourceType": "Patient",\n "name": [{"given": ["a", #]}]}')
    write(folder / "good.json", patient())

    loaded = load(folder)

    assert len(loaded.rows["patient"]) == 1
    (refused,) = loaded.refused
    assert (refused.part, refused.code, refused.field) == (
        "bad.json",
        "fhir.not_well_formed",
        "name[0].given[1]",
    )
    assert (refused.values["row"], refused.values["column"]) == (2, 27)


def test_a_broken_line_is_refused_with_its_number_and_text(tmp_path):
    path = write(tmp_path / "a.ndjson", lines([patient()]) + b'{"resourceType": "Patient", "id": \n' + lines([VISIT]))

    loaded = load(path)

    assert {kind: len(found) for kind, found in loaded.rows.items()} == {"patient": 1, "encounter": 1}
    (refused,) = loaded.refused
    assert (refused.line, refused.code) == (2, "fhir.not_well_formed")
    assert refused.raw == '{"resourceType": "Patient", "id":'


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"", "fhir.empty"),
        ("a.json", b" \n ", "fhir.empty"),
        ("a.xml", b'<?xml version="1.0"?><Patient xmlns="http://hl7.org/fhir"/>', "fhir.xml"),
        ("a.json", b"[]", "fhir.not_an_object"),
        ("a.json", b'"Patient"', "fhir.not_an_object"),
        ("a.json", b"{}", "fhir.no_resource_type"),
        ("a.json", b'{"resourceType": 1}', "fhir.no_resource_type"),
        ("a.json", b'{"resourceType": "Pateint"}', "fhir.unknown_type"),
        ("a.json", b'{"resourceType": "Bundle", "entry": {}}', "fhir.no_entry_list"),
        ("a.json", b'{"resourceType": "Bundle", "entry": [7]}', "fhir.not_an_object"),
        ("a.json", b'{"resourceType": "Patient", "id": "\xff"}', "fhir.not_utf8"),
        ("a.json", b'{"resourceType": "Patient", "id": "\\ud800"}', "fhir.half_character"),
        ("a.json", b'{"resourceType": "Patient"', "fhir.not_well_formed"),
        ("a.json", b'{"resourceType":' * 3000, "fhir.not_well_formed"),
        ("a.json", b'{"resourceType": "Patient", "multipleBirthInteger": 1e999}', "fhir.not_well_formed"),
        ("a.zip", b"PK\x03\x04 no zip at all", "fhir.not_an_archive"),
        ("a.gz", b"\x1f\x8b\x08\x00 no gzip at all", "fhir.not_an_archive"),
        ("a.tar.gz", packed(BOTH * 300)[:200], "fhir.not_an_archive"),
    ],
)
def test_what_is_no_fhir_is_refused_with_a_reason(tmp_path, name, content, reason):
    assert load(write(tmp_path / name, content)).reasons() == [reason]


def test_a_missing_source_and_one_with_nothing_in_it_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()

    assert load(tmp_path / "nowhere").reasons() == ["fhir.no_such_file"]
    assert load(tmp_path / "empty").reasons() == ["fhir.nothing_inside"]


def test_an_archive_that_was_cut_off_gives_what_is_whole(tmp_path):
    whole = tar(tmp_path / "whole.tar", {"a.json": orjson.dumps(patient()), "b.json": BOTH * 50}, "w").read_bytes()

    loaded = load(write(tmp_path / "cut.tar", whole[:2000]))

    assert loaded.reasons() == ["fhir.not_an_archive"]


def test_one_half_character_costs_one_entry(tmp_path):
    content = orjson.dumps(bundle(patient("p1"), patient("p2"))).replace(b'"p2"', b'"\\ud800"')

    loaded = load(write(tmp_path / "a.json", content))

    assert loaded.one("patient")["external_id"] == "p1"
    assert [(found.line, found.code) for found in loaded.refused] == [(2, "fhir.half_character")]


def test_nul_characters_are_taken_out_and_said(tmp_path):
    content = orjson.dumps(patient()).replace("小".encode(), b"\\u0000")

    loaded = load(write(tmp_path / "a.json", content))

    assert loaded.one("patient")["name"] == "王明"
    assert loaded.doubts() == ["fhir.nul_removed"]


# Bundles


def test_entries_without_a_resource_are_counted_and_deletions_not_followed(tmp_path):
    entries = [
        {"response": {"status": "201 Created"}},
        {"request": {"method": "DELETE", "url": "Patient/p1"}, "resource": patient()},
        {"resource": patient("p2")},
    ]

    loaded = load(write(tmp_path / "a.json", {"resourceType": "Bundle", "entry": entries}))

    assert loaded.one("patient")["external_id"] == "p2"
    assert loaded.doubts() == ["fhir.entry_without_resource", "fhir.delete_not_followed"]


def test_a_bundle_in_a_bundle_is_taken_apart(tmp_path):
    inner = bundle(VISIT, of_patient("Condition"))

    loaded = load(write(tmp_path / "a.json", bundle(patient(), {**inner, "id": "inner"})))

    assert len(loaded.rows["encounter"]) == 1
    (refused,) = loaded.refused
    assert refused.field == "entry[1].resource.Condition.code"


def test_the_same_id_twice_is_taken_once(tmp_path):
    loaded = load_resources(tmp_path, patient(), patient(), patient(gender="female"))

    assert len(loaded.rows["patient"]) == 1
    assert loaded.doubts() == ["fhir.repeated"]
    assert [(found.line, found.code) for found in loaded.refused] == [(3, "fhir.duplicate_id")]


# guards


def test_a_bomb_is_stopped(tmp_path):
    bomb = b'{"resourceType": "Binary", "data": "' + b"A" * (8 * MIB) + b'"}'
    limits = Limits(ratio=20, ratio_from_bytes=MIB)

    assert load(tar(tmp_path / "a.tar.gz", {"a.json": bomb}), limits).reasons() == ["fhir.suspicious_ratio"]
    assert load(zipped(tmp_path / "a.zip", {"a.json": bomb}), limits).reasons() == ["fhir.suspicious_ratio"]
    assert load(write(tmp_path / "a.json.gz", packed(bomb)), limits).reasons() == ["fhir.suspicious_ratio"]
    inside = tar(tmp_path / "inside.tar", {"a.json.gz": packed(bomb)}, "w")
    assert "fhir.suspicious_ratio" in load(inside, limits).reasons()


def test_limits_are_said_with_a_cure(tmp_path):
    many = zipped(tmp_path / "many.zip", {f"{place}.json": b"{}" for place in range(5)})
    assert load(many, Limits(members=4)).reasons() == ["fhir.too_many_members"]

    large = write(tmp_path / "large.json", bundle(*(patient(f"p{place}") for place in range(50_000))))
    assert load(large, Limits(document_bytes=MIB)).reasons() == ["fhir.document_too_large"]
    assert load(large, Limits(total_bytes=MIB)).reasons() == ["fhir.total_too_large"]

    one = write(tmp_path / "one.json", patient(note="x" * 3 * MIB))
    limits = Limits(resource_bytes=MIB, split_bytes=MIB)
    assert load(one, limits).reasons() == ["fhir.resource_too_large"]
    line = write(tmp_path / "line.ndjson", lines([patient("a"), patient("b", note="x" * 3 * MIB), patient("c")]))
    loaded = load(line, limits)
    assert loaded.reasons() == ["fhir.resource_too_large"]
    assert [row["external_id"] for row in loaded.rows["patient"]] == ["a", "c"]


def test_an_archive_in_an_archive_and_a_locked_one_are_not_opened(tmp_path):
    inner = zipped(tmp_path / "inner.zip", {"a.json": BOTH}).read_bytes()

    assert load(zipped(tmp_path / "outer.zip", {"inner.zip": inner})).reasons() == ["fhir.archive_in_archive"]

    locked = bytearray(inner)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1
    assert load(write(tmp_path / "locked.zip", bytes(locked))).reasons() == ["fhir.encrypted"]


# large documents


def test_a_large_bundle_is_taken_apart_entry_by_entry_with_the_same_result(tmp_path):
    people = [patient(f"p{place}") for place in range(1200)]
    visits = [
        {
            "resourceType": "Encounter",
            "id": f"e{place}",
            "subject": {"reference": f"urn:uuid:p{place}"},
            "period": {"start": "2024"},
        }
        for place in range(1200)
    ]
    bad = {"resourceType": "Pateint", "id": "x"}
    path = write(tmp_path / "a.json", bundle(*people, *visits, bad, patient("p7", gender="other")))

    whole, split = load(path), load(path, Limits(split_bytes=1))

    assert split.rows == whole.rows
    assert [(found.line, found.code) for found in split.refused] == [
        (2401, "fhir.unknown_type"),
        (2402, "fhir.duplicate_id"),
    ]
    assert split.reasons() == whole.reasons()


def test_what_is_wrong_in_a_large_bundle_costs_only_its_entry(tmp_path):
    content = orjson.dumps(bundle(patient("p1"), patient("p2"), patient("p3"))).replace(b'"id":"p2"', b'"id":#', 1)

    loaded = load(write(tmp_path / "a.json", content), Limits(split_bytes=1))

    assert [row["external_id"] for row in loaded.rows["patient"]] == ["p1", "p3"]
    (refused,) = loaded.refused
    assert (refused.line, refused.code, refused.field) == (2, "fhir.not_well_formed", "entry[1].resource.id")


def test_a_large_bundle_that_breaks_off_is_refused(tmp_path):
    content = orjson.dumps(bundle(patient("p1"), patient("p2")))

    assert load(write(tmp_path / "a.json", content[:-5]), Limits(split_bytes=1)).reasons() == ["fhir.cut_off"]


def test_memory_follows_the_largest_line_not_the_file(tmp_path):
    path = tmp_path / "many.ndjson"
    with path.open("wb") as file:
        for place in range(40_000):
            file.write(lines([patient(f"p{place}", note="x" * 200)]))
    assert path.stat().st_size > 10 * MIB

    tracemalloc.start()
    rows = 0
    from careloop.integrations.fhir import loading
    from careloop.integrations.fhir.tests.building import NOW, TAIPEI

    for chunk in loading.rows(path, zone=TAIPEI, now=NOW):
        rows += len(chunk.rows)
        chunk.rows.clear()
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert rows == 40_000
    assert peak < 40 * MIB
