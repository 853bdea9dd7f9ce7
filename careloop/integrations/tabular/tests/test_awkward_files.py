"""Every awkward file gives what it says, or says clearly what is wrong with it."""

import bz2
import csv
import gzip
import json
import lzma
import zipfile
from datetime import date
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from careloop.integrations.tabular import loader, mapping, sheets
from careloop.integrations.tabular.findings import Report, Verdict
from careloop.integrations.tabular.inspection import inspect
from careloop.integrations.tabular.reading import read_blocks

ZONE = ZoneInfo("Asia/Taipei")
TODAY = date(2026, 3, 16)
HEADER = "病歷號,姓名,性別,生日,手機,地址,備註"
PEOPLE = [
    "0100001,許功蓋,男,1957-10-28,0941777631,花蓮縣吉安鄉中華路15號,",
    "0100002,陳怡君,女,1995-10-25,0974391500,臺北市大安區和平東路一段278號,VIP 100%",
    '0100003,蓋許功,女,1988-11-07,0908377835,台中市西屯區臺灣大道113號,"第一行\r\n第二行"',
]
PLAIN = "\r\n".join([HEADER, *PEOPLE, ""])

ALLOWED = {
    "accept": {Verdict.ACCEPT, Verdict.WARN},
    "accept-or-ask": {Verdict.ACCEPT, Verdict.WARN, Verdict.ASK},
    "accept-or-report": {Verdict.ACCEPT, Verdict.WARN},
    "accept-with-warning": {Verdict.WARN},
    "ask": {Verdict.ASK},
    "warn": {Verdict.WARN},
    "report": {Verdict.WARN},
    "reject-or-report": {Verdict.REJECT, Verdict.WARN},
    "reject": {Verdict.REJECT},
}


def rows_of(path: Path, report: Report) -> tuple[list[list[str]], list[str]]:
    if report.rejected:
        return [], [report.rejected.code]
    if report.format == "xlsx":
        cells, first = sheets.read_sheet(sheets.open_workbook(path), report.sheet)
        layout = report.layout
        blocks = list(
            sheets.sheet_blocks(
                cells, first_row=first, lines_before_data=layout.lines_before_data, columns=layout.columns
            )
        )
    else:
        blocks = list(read_blocks(path, report.layout))
    return [row for block in blocks for row in block.rows], [one.code for block in blocks for one in block.refused]


def write(folder: Path, data: bytes | str, name: str = "patients.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def expected_files() -> list[str]:
    path = Path(__file__).parents[5] / "shared" / "data" / "csv-encodings" / "expected.json"
    return list(json.loads(path.read_text("utf-8"))["files"]) if path.exists() else ["(not on this machine)"]


@pytest.mark.parametrize("name", expected_files())
def test_a_file_of_the_conformance_set_gives_what_it_says(name: str, shared: Path) -> None:
    folder = shared / "data" / "csv-encodings"
    expected = json.loads((folder / "expected.json").read_text("utf-8"))["files"][name]

    report = inspect(folder / name)
    rows, refused = rows_of(folder / name, report)

    assert report.verdict in ALLOWED[expected["verdict"]]
    if expected["patients_expected"] is not None:
        assert len(rows) == expected["patients_expected"]
    if expected["verdict"] in {"report", "reject-or-report", "reject"}:
        assert refused
    assert all(notice.text and "%(" not in notice.text for notice in report.warnings)
    if expected.get("encoding") and report.encoding:
        assert report.encoding.name.replace("-", "")[:5] in {expected["encoding"].replace("-", "")[:5], "cp950", "utf8"}


@pytest.mark.parametrize(
    "name", ["header-variants.csv", "dates-many-forms.csv", "patients-mixed-cells.xlsx", "patients-1904-merged-title.xlsx", "big5.csv", "big5-cr-only.csv", "sep-line.csv", "utf16le-no-bom.csv"]
)  # fmt: skip
def test_names_and_birth_dates_come_out_as_in_the_canonical_table(name: str, shared: Path) -> None:
    folder = shared / "data" / "csv-encodings"
    with (folder / "canonical.csv").open(encoding="utf-8", newline="") as file:
        wanted = {row["病歷號"]: (row["姓名"], row["生日"], row["手機"]) for row in csv.DictReader(file)}

    with loader.open_source(folder / name) as source:
        chunks = list(loader.stream(source, zone=ZONE, today=TODAY))

    index = chunks[0].kind.index
    rows = [row for chunk in chunks for row in chunk.rows]
    assert len(rows) == 30
    for row in rows:
        name_is, birth, mobile = wanted[str(row[index["chart_number"]])]
        assert (row[index["name"]], row[index["birth_date"]]) == (name_is, birth)
        if row[index["mobile"]]:
            assert str(row[index["mobile"]]).replace("-", "") == mobile


def test_the_csv_spectrum_reads_as_its_json(shared: Path) -> None:
    for path in sorted((shared / "data" / "csv-encodings" / "csv-spectrum").glob("*.csv")):
        report = inspect(path)
        rows, _refused = rows_of(path, report)

        assert [dict(zip(report.headers, row, strict=True)) for row in rows] == json.loads(
            path.with_suffix(".json").read_text("utf-8")
        )


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (PLAIN.encode(), "utf-8"),
        (PLAIN.encode("utf-8-sig"), "utf-8"),
        (PLAIN.encode("utf-16"), "utf-16-le"),
        (PLAIN.encode("utf-16-le"), "utf-16-le"),
        (b"\xfe\xff" + PLAIN.encode("utf-16-be"), "utf-16-be"),
        (PLAIN.encode("cp950"), "cp950"),
        (PLAIN.replace("\r\n第二行", " 第二行").replace("\r\n", "\r").encode("cp950"), "cp950"),
        (PLAIN.encode("gb18030"), "gb18030"),
    ],
)
def test_an_encoding_is_found_by_itself(tmp_path: Path, data: bytes, encoding: str) -> None:
    path = write(tmp_path, data)

    report = inspect(path)
    rows, refused = rows_of(path, report)

    assert report.encoding is not None
    assert report.encoding.name == encoding
    assert [row[1] for row in rows] == ["許功蓋", "陳怡君", "蓋許功"]
    assert not refused


def test_chinese_far_down_a_plain_file_still_decides_the_encoding(tmp_path: Path) -> None:
    plain = "".join(f"{number:07d},Amy,F,1990-01-01,0912345678,Taipei,\r\n" for number in range(60_000))
    path = write(
        tmp_path,
        (HEADER.replace(HEADER, "chart,name,sex,birthday,mobile,address,note") + "\r\n" + plain).encode()
        + "0999999,許功蓋,男,1957-10-28,,,\r\n".encode("cp950"),
    )

    report = inspect(path)

    assert report.encoding is not None
    assert report.encoding.name == "cp950"


def test_characters_a_hospital_made_itself_are_kept_and_said(tmp_path: Path) -> None:
    path = write(
        tmp_path, PLAIN.encode("cp950").replace("蓋許功".encode("cp950"), "蓋許".encode("cp950") + b"\xfa\x40")
    )

    report = inspect(path)
    rows, refused = rows_of(path, report)

    assert rows[2][1] == "蓋許\ue000"
    assert not refused
    assert "tabular.own_characters" in {notice.code for notice in report.warnings}


def test_a_header_that_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, b"\x8f\xff\xfe,\x80\xff\nabc,def\n")

    report = inspect(path)

    assert report.rejected
    assert report.rejected.code == "tabular.is_binary"


def test_an_open_quote_swallows_nothing_in_silence(tmp_path: Path) -> None:
    lines = [HEADER, *(f"{n:07d},王小明{n},男,1957-10-28,,," for n in range(30))]
    lines[4] = '0000003,"王小明3,男,1957-10-28,,,'
    path = write(tmp_path, "\n".join(lines) + "\n")

    rows, refused = rows_of(path, inspect(path))

    assert len(rows) == 3
    assert refused[0] == "tabular.open_quote"
    assert refused.count("tabular.behind_open_quote") == 26


def test_a_cell_longer_than_any_value_costs_its_row_and_no_other(tmp_path: Path) -> None:
    lines = [HEADER, *(f"{n:07d},王小明{n},男,1957-10-28,,," for n in range(30))]
    lines[4] = f"0000003,{'王' * 1_100_000},男,1957-10-28,,,"
    path = write(tmp_path, "\n".join(lines) + "\n")

    rows, refused = rows_of(path, inspect(path))

    assert [row[0] for row in rows] == [f"{n:07d}" for n in range(30) if n != 3]
    assert refused == ["tabular.cell_too_long"]


def test_a_quoted_cell_that_holds_whole_rows_is_refused(tmp_path: Path) -> None:
    text = (
        PLAIN
        + '0100004,"李大,男,1990-01-01,,,\n0100005,王二,男,1990-01-01,,,\n0100006,王三,男,1990-01-01,,,\n0100007,王四",男,1990-01-01,,,\n0100008,林五,男,1990-01-01,,,\n'
    )
    path = write(tmp_path, text)

    rows, refused = rows_of(path, inspect(path))

    assert [row[0] for row in rows] == ["0100001", "0100002", "0100003", "0100008"]
    assert refused == ["tabular.quote_holds_rows"]


def test_the_first_patient_of_a_file_without_header_is_not_lost(tmp_path: Path) -> None:
    path = write(tmp_path, "\n".join(PEOPLE))

    report = inspect(path)
    rows, _refused = rows_of(path, report)

    assert [question.code for question in report.questions] == ["ask.no_header"]
    assert len(rows) == 3


def test_line_numbers_point_at_the_line_in_the_file_also_behind_quoted_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN + "0100004,林五\r\n")

    report = inspect(path)
    blocks = list(read_blocks(path, report.layout))

    assert list(blocks[0].lines) == [2, 3, 4]
    assert [(one.line, one.code) for one in blocks[0].refused] == [(6, "tabular.too_few_cells")]


def test_a_million_row_file_is_read_in_blocks_of_bounded_size(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "\n" + (PEOPLE[0] + "\n") * 45_000)

    sizes = [len(block.rows) for block in read_blocks(path, inspect(path).layout)]

    assert sizes == [20_000, 20_000, 5_000]


def test_synthea_tables_are_recognised_as_a_whole(tmp_path: Path) -> None:
    path = write(
        tmp_path, "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n2013-12-18,2014-03-09,p1,e1,359817006,Fracture\n"
    )

    with loader.open_source(path) as source:
        chunk = next(loader.stream(source, zone=ZONE, today=TODAY))

    row = dict(zip(chunk.kind.names, chunk.rows[0], strict=True))
    assert source.tables[0].mapping.recognised == "Synthea conditions.csv"
    assert (row["clinical_status"], row["onset"], row["abatement"]) == ("resolved", "2013-12-18", "2014-03-09")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "cat"}, "沒有「cat」這個種類"),
        ({"kind": "patient", "columns": {"colour": "色"}}, "種類「patient」沒有「colour」這個欄位"),
        ({"kind": "patient", "options": {"speed": 1}}, "沒有「speed」這個選項"),
        ({"kind": "patient", "columns": {"name": "名號"}}, "表格中沒有「名號」這一欄"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said_in_the_language_of_the_reader(tmp_path, document, words):
    path = write(tmp_path, PLAIN)

    with (
        translation.override("zh-hant"),
        pytest.raises(mapping.MappingRefused) as refusal,
        loader.open_source(path, document=document) as source,
    ):
        next(loader.stream(source, zone=ZONE, today=TODAY))

    with translation.override("zh-hant"):
        assert words in str(refusal.value)


def zipped(folder: Path) -> bytearray:
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("patients.csv", PLAIN)
    return bytearray(path.read_bytes())


def test_a_zip_compressed_in_another_way_is_not_called_damaged(tmp_path):
    data = zipped(tmp_path)
    # the way of compressing, in the member's head and in the directory at the end: 9 is Deflate64, as Windows writes it
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(signature) + offset] = 9
    path = write(tmp_path, bytes(data), "windows.zip")

    with pytest.raises(loader.ArchiveRefused) as refusal, loader.open_source(path):
        pass

    for language, words in (
        ("en", "not supported here"),
        ("zh-hant", "重新壓縮成一般的 ZIP 檔"),
        ("zh-hans", "重新压缩成普通的 ZIP 文件"),
    ):
        with translation.override(language):
            assert words in str(refusal.value)


def test_a_zip_whose_inside_is_broken_is_damaged(tmp_path):
    data = zipped(tmp_path)
    start = data.index(b"patients.csv") + len(b"patients.csv")
    data[start : start + 8] = b"\xff" * 8
    path = write(tmp_path, bytes(data), "broken.zip")

    with pytest.raises(loader.ArchiveRefused) as refusal, loader.open_source(path):
        pass

    with translation.override("en"):
        assert "damaged" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.gz", b"\x1f\x8bgarbage"),
        ("cut.tgz", b"\x1f\x8bgarbage"),
        ("cut.zip", b"PK\x03\x04garbage"),
        ("cut.tar", b"garbage" * 200),
    ],
)
def test_an_archive_that_is_cut_off_is_damaged_and_not_taken_for_a_table(tmp_path, name, data):
    path = write(tmp_path, data, name)

    with pytest.raises(loader.ArchiveRefused) as refusal, loader.open_source(path):
        pass

    with translation.override("en"):
        assert "damaged" in str(refusal.value)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_one_packed_table_is_read_like_the_table(tmp_path, suffix):
    pack = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}[suffix]
    path = write(tmp_path, pack(PLAIN.encode()), f"patients.csv{suffix}")

    with loader.open_source(path) as source:
        names = [table.name for table in source.tables]

    assert names == ["patients.csv"]


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2"])
def test_a_packed_table_that_is_broken_is_damaged(tmp_path, suffix):
    path = write(tmp_path, b"BZh91AY&SYgarbage" * 9, f"patients.csv{suffix}")

    with pytest.raises(loader.ArchiveRefused), loader.open_source(path):
        pass


def test_a_packed_table_that_would_fill_the_disk_is_refused(tmp_path):
    path = write(tmp_path, gzip.compress(PLAIN.encode() + b" " * 40_000_000), "patients.csv.gz")

    with pytest.raises(loader.ArchiveRefused) as refusal, loader.open_source(path):
        pass

    with translation.override("en"):
        assert "far more" in str(refusal.value)


def test_blocks_grow_at_the_beginning_and_shrink_towards_the_end(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("病歷號,姓名\n" + "".join(f"{number:06d},王小明\n" for number in range(20_000)), encoding="utf-8")

    def cut() -> list[int]:
        return [len(block.rows) for block in read_blocks(path, inspect(path).layout, size=4_000, first=500)]

    sizes = cut()

    assert sizes[:4] == [500, 1_000, 2_000, 4_000]
    assert max(sizes) == 4_000
    assert sizes[-1] <= 1_000
    assert all(later <= earlier for earlier, later in pairwise(sizes[3:]))
    assert sum(sizes) == 20_000
    assert cut() == sizes, "an import that was cut off goes on behind the same chunks"
