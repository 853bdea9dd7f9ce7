"""Fail if a string has no translation, its placeholders differ, or two catalogues translate it in two ways."""

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


def quarrels() -> Iterator[str]:
    """One line for each string that two catalogues translate in two ways: all are one when the program runs, and one would win.

    What means two things gets a context (`pgettext`, `{% translate … context … %}`).
    """
    said: dict[tuple[str, str | None, str], dict[object, Path]] = {}
    for path in sorted(PACKAGE.rglob("django.po")):
        language = path.parts[-3]
        for entry in polib.pofile(str(path)):
            if not entry.obsolete:
                text = entry.msgstr or tuple(entry.msgstr_plural.values())
                said.setdefault((language, entry.msgctxt, entry.msgid), {}).setdefault(text, path.relative_to(PACKAGE))
    for (language, context, text), ways in said.items():
        if len(ways) > 1:
            listed = ", ".join(f"{way!r} in {path}" for way, path in ways.items())
            yield f"{language}: {text!r}{f' ({context})' if context else ''} is {listed}"


def main() -> int:
    found = [*faults(), *quarrels()]
    print("\n".join(found))
    print(f"{len(found)} faults in translations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
