"""Find out in which encoding a text file was written, and notice text that was damaged before it came to us.

The whole file is looked at, not only its beginning: a clinic's export can be plain ASCII for thousands of rows
before the first Chinese name. Memory stays bounded: the scan keeps only a sample of the lines that matter.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

BLOCK = 1 << 20
SAMPLE = 256 * 1024

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_WIDE = re.compile("[\u3000-\U0010ffff]")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_LATIN_SUPPLEMENT = re.compile(r"[\u0080-\u00ff]")
_PRIVATE_USE = re.compile(r"[\ue000-\uf8ff]")


@dataclass(slots=True)
class Encoding:
    """How the bytes of a file become text.

    `name` is a Python codec. `bom` is the number of bytes to skip. `sure` is False where a person should confirm.
    `bad_from` is the first byte that cannot be read in this encoding, or -1. `mojibake` names how the text was
    spoiled before it reached us ("utf-8 read as latin-1" …) and `repair` the codec that undoes it, where one can.
    """

    name: str
    bom: int = 0
    sure: bool = True
    bad_from: int = -1
    mixed: bool = False
    cut_off: bool = False
    nul_bytes: int = 0
    own_characters: int = 0
    mojibake: str = ""
    repair: str = ""
    line_end: str = "\n"
    size: int = 0
    candidates: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The name people know it by: `big5` for what plain Big5 can hold, `cp950` for what only Microsoft's table has."""
        return f"{self.name} with BOM" if self.bom else self.name


def decode_own_characters(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: read the user-defined areas of Big5 (造字) as the private-use characters Windows gives them.

    Hospitals gave rare name characters their own codes. Python's cp950 refuses these; dropping them would
    spoil a name, so they become private-use characters, which the same clinic's font shows again.
    Everything else that cannot be read is escaped (see `surrogateescape`), so that its row can be refused with its bytes.

    Source: Microsoft code page 950, end-user-defined characters: FA40-FEFE → E000, 8E40-A0FE → E311, 8140-8DFE → EEB8, C6A1-C8FE → F6B1.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, at = error.object, error.start
    if at + 1 < len(data):
        lead, trail = data[at], data[at + 1]
        column = trail - 0x40 if 0x40 <= trail <= 0x7E else trail - 0x62 if 0xA1 <= trail <= 0xFE else -1
        if column >= 0:
            for first, last, base, skip in (
                (0xFA, 0xFE, 0xE000, 0),
                (0x8E, 0xA0, 0xE311, 0),
                (0x81, 0x8D, 0xEEB8, 0),
                (0xC6, 0xC8, 0xF6B1, 63),
            ):
                if first <= lead <= last:
                    code = base + (lead - first) * 157 + column - skip
                    if base <= code:
                        return chr(code), at + 2
    escaped, end = codecs.lookup_error("surrogateescape")(
        UnicodeDecodeError(error.encoding, data, at, at + 1, error.reason)
    )
    assert isinstance(escaped, str)
    return escaped, end


codecs.register_error("careloop-big5", decode_own_characters)  # type: ignore[arg-type]


def error_handler(encoding: str) -> str:
    """Return the codec error handler under which a file in `encoding` is read: no row is lost, every bad byte is found again."""
    if encoding == "cp950":
        return "careloop-big5"
    if encoding.startswith(("utf-16", "utf-32")):
        return "replace"
    return "surrogateescape"


def detect(path: Path) -> Encoding:
    """Read the file once and say how its bytes become text.

    Order: byte order mark; the zero bytes of UTF-16 without one; valid UTF-8; then Big5/CP950, GB18030 and
    Windows-1252 by how common the characters are that each would give.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    for mark, name in _BOMS:
        if start.startswith(mark):
            found = Encoding(name, bom=len(mark), size=size)
            if name == "utf-8":
                _scan_utf8(path, found)
            else:
                found.cut_off = (size - len(mark)) % (2 if "16" in name else 4) != 0
            return _finish(path, found)
    if wide := _utf16_without_mark(start):
        return _finish(path, Encoding(wide, sure=False, cut_off=size % 2 != 0, size=size))

    found = Encoding("utf-8", size=size)
    wide_characters = _scan_utf8(path, found)
    if found.bad_from < 0 or found.cut_off:
        return _finish(path, found)
    other = _national(path, found.bad_from)
    if wide_characters >= 3:
        # Real UTF-8 up to a point and something else after it: two exports pasted into one file.
        found.mixed = True
        found.candidates = [other.name]
        return _finish(path, found)
    other.size = size
    other.nul_bytes = found.nul_bytes
    return _finish(path, other)


def _blocks(path: Path, *, skip: int = 0) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(skip)
        while block := file.read(BLOCK):
            yield block


def _scan_utf8(path: Path, found: Encoding) -> int:
    """Note zero bytes and the first byte that is not UTF-8; return how many wide characters stand before it: three are enough."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    wide, offset = 0, found.bom
    pending = 0
    for block in _blocks(path, skip=found.bom):
        found.nul_bytes += block.count(b"\0")
        if found.bad_from >= 0:
            continue
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            found.bad_from = offset - pending + error.start
            good = error.object[: error.start]
            wide += _wide_in(good.decode("utf-8", "ignore"))
        else:
            if wide < 3 and not text.isascii():
                wide += _wide_in(text)
        pending = len(decoder.getstate()[0])
        offset += len(block)
    if found.bad_from < 0 and pending:
        found.bad_from = offset - pending
        found.cut_off = True
    elif found.bad_from >= 0 and found.size - found.bad_from <= 3 and wide:
        found.cut_off = True
    return wide


def _wide_in(text: str) -> int:
    """Return how many wide characters a text holds, three at most."""
    return sum(1 for _found in islice(_WIDE.finditer(text), 3))


def _utf16_without_mark(sample: bytes) -> str:
    """Return utf-16-le or utf-16-be if zero bytes stand at every other place, as they do for digits and commas."""
    sample = sample[: 64 * 1024]
    if len(sample) < 4:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) / 2 * 0.15 or min(even, odd) > max(even, odd) * 0.05:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _national(path: Path, bad_from: int) -> Encoding:
    """Choose between Big5, GB18030 and Windows-1252 for a file that is not UTF-8."""
    sample = _lines_with_high_bytes(path, bad_from)
    big5, gb, western = _big5_score(sample), _gb_score(sample), _western_score(sample)
    if big5 >= 0.85 or (big5 > gb and big5 > western and big5 >= 0.6):
        strict = _decodes(sample, "cp950")
        own = 0 if strict else len(_PRIVATE_USE.findall(sample.decode("cp950", "careloop-big5")))
        return Encoding("cp950", sure=big5 >= 0.85, own_characters=own, candidates=["cp950", "gb18030"])
    if western > max(big5, gb) and western >= 0.6:
        return Encoding("cp1252", sure=False, candidates=["cp1252", "cp950", "gb18030"])
    if _decodes(sample, "gb18030"):
        return Encoding("gb18030", sure=False, candidates=["gb18030", "cp950"])
    return Encoding("cp950", sure=False, candidates=["cp950", "gb18030", "cp1252"])


def _lines_with_high_bytes(path: Path, bad_from: int) -> bytes:
    """Collect whole lines around the first bytes that are not ASCII: the evidence for every guess that follows."""
    with path.open("rb") as file:
        file.seek(max(0, bad_from - 64 * 1024))
        data = file.read(SAMPLE)
    lines = re.split(rb"[\r\n]+", data)
    if len(lines) > 3:
        lines = lines[1:-1] if bad_from > 64 * 1024 else lines[:-1]
    return b"\n".join(line for line in lines if not line.isascii()) or data


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _pairs(sample: bytes) -> Iterator[tuple[int, int]]:
    """Walk double-byte text: yield lead and trail byte of each pair, and (byte, -1) for a lead byte without a trail."""
    at, end = 0, len(sample)
    while at < end:
        lead = sample[at]
        if lead < 0x80:
            at += 1
        elif at + 1 < end and sample[at + 1] >= 0x40:
            yield lead, sample[at + 1]
            at += 2
        else:
            yield lead, -1
            at += 1


def _big5_score(sample: bytes) -> float:
    """Return the share of pairs that are frequent Big5 characters (level 1, A440-C67E) or Big5 punctuation."""
    total = good = 0
    for lead, trail in _pairs(sample):
        total += 1
        if trail >= 0 and 0xA1 <= lead <= 0xC6 and (trail <= 0x7E or trail >= 0xA1):
            good += 1
    return good / total if total else 0.0


def _gb_score(sample: bytes) -> float:
    """Return the share of pairs that are frequent GB2312 characters (level 1, B0A1-D7F9) or its punctuation."""
    total = good = 0
    for lead, trail in _pairs(sample):
        total += 1
        if trail >= 0xA1 and (0xB0 <= lead <= 0xD7 or 0xA1 <= lead <= 0xA3):
            good += 1
    return good / total if total else 0.0


def _western_score(sample: bytes) -> float:
    """Return the share of high bytes that would be accented letters within a word, each alone, as in `Rentería`."""
    total = good = 0
    for at, byte in enumerate(sample):
        if byte < 0x80:
            continue
        total += 1
        before = sample[at - 1] if at else 32
        after = sample[at + 1] if at + 1 < len(sample) else 32
        if byte >= 0xC0 and before < 0x80 and after < 0x80 and (chr(before).isalpha() or chr(after).isalpha()):
            good += 1
    return good / total if total else 0.0


def _finish(path: Path, found: Encoding) -> Encoding:
    """Add what needs decoded text: line ends and signs of damage."""
    with path.open("rb") as file:
        file.seek(found.bom)
        data = file.read(SAMPLE)
    text = data.decode(found.name, "ignore")
    found.line_end = line_end(text)
    if found.bad_from < 0 or found.cut_off:
        if found.name == "utf-8" and text.isascii():
            text = _later_sample(path, found)
        found.mojibake, found.repair = mojibake(text)
    if found.name == "cp950" and not found.own_characters:
        found.own_characters = len(_PRIVATE_USE.findall(data.decode("cp950", "careloop-big5")))
    return found


def _later_sample(path: Path, found: Encoding) -> str:
    for block in _blocks(path, skip=found.bom):
        if not block.isascii():
            return block.decode("utf-8", "ignore")
    return ""


def line_end(text: str) -> str:
    """Return the line end of most lines: CRLF, LF, or a lone CR as old Macs wrote.

    >>> line_end("a,b\\r1,2\\r")
    '\\r'
    """
    crlf = text.count("\r\n")
    lf, cr = text.count("\n") - crlf, text.count("\r") - crlf
    if crlf >= max(lf, cr):
        return "\r\n" if crlf else "\n"
    return "\n" if lf >= cr else "\r"


def mojibake(text: str) -> tuple[str, str]:
    """Say how text was spoiled by an earlier program that took it for another encoding, and which codec undoes it.

    Three ways are known and common here: UTF-8 taken for Latin-1 (repairable), Big5 taken for Latin-1 (repairable), UTF-8
    taken for CP950 (characters are lost: only a new export helps).

    >>> mojibake("王小明,花蓮縣吉安鄉".encode().decode("latin-1"))[0]
    'utf-8 read as latin-1'
    >>> mojibake("王小明,男,花蓮縣吉安鄉")
    ('', '')
    """
    latin = _LATIN_SUPPLEMENT.findall(text)
    han = _HAN.findall(text)
    if len(latin) >= 6 and len(latin) > 3 * len(han):
        for codec in ("latin-1", "cp1252"):
            back = _reread(text, codec, "utf-8")
            if len(_HAN.findall(back)) * 3 >= len(latin) * 0.5:
                return "utf-8 read as latin-1", codec
            if _big5_score(text.encode(codec, "ignore")) >= 0.85:
                return "big5 read as latin-1", codec
    if len(han) >= 6:
        data = "".join(han).encode("cp950", "ignore")
        triples = len(re.findall(rb"[\xe3-\xe9][\x80-\xbf][\x80-\xbf]", data))
        lost = text.count("\ufffd") + len(_PRIVATE_USE.findall(text))
        if triples * 3 > len(data) * 0.5 or (lost > len(han) * 0.2 and triples * 3 > len(data) * 0.2):
            return "utf-8 read as cp950", ""
    return "", ""


def _reread(text: str, wrong: str, right: str) -> str:
    return text.encode(wrong, "ignore").decode(right, "ignore")
