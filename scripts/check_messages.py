"""Fail if a string has no translation, or its placeholders differ."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polib

PACKAGE = Path(__file__).resolve().parent.parent / "careloop"
PLACEHOLDER = re.compile(r"%\(\w+\)[sdif]|\{\w+\}")


def faults() -> Iterator[str]:
    """One line for each thing wrong in a catalogue."""
    for path in sorted(PACKAGE.rglob("django.po")):
        here = path.relative_to(PACKAGE)
        for entry in polib.pofile(str(path)):
            if entry.obsolete:
                continue
            texts = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
            if not all(texts):
                yield f"{here}: not translated: {entry.msgid!r}"
                continue
            if "fuzzy" in entry.flags:
                yield f"{here}: fuzzy: {entry.msgid!r}"
            wanted = set(PLACEHOLDER.findall(entry.msgid)) | set(PLACEHOLDER.findall(entry.msgid_plural or ""))
            for text in texts:
                if extra := set(PLACEHOLDER.findall(text)) - wanted:
                    yield f"{here}: unknown placeholder {sorted(extra)} in {text!r}"


def main() -> int:
    found = list(faults())
    print("\n".join(found))
    print(f"{len(found)} faults in translations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
