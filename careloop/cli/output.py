"""What a command says: progress on stderr, its answer on stdout."""

import json
import os
import sys
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any
from uuid import UUID


class CommandFailed(Exception):
    """A command cannot do what was asked; the text goes to stderr, the exit code is 1."""


class Output:
    """Where a command's words go."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._line_open = False

    def say(self, text: str) -> None:
        """Say what is going on."""
        self.end_line()
        print(text, file=sys.stderr, flush=True)

    def progress(self, text: str) -> None:
        """Overwrite the running line on a terminal; stay quiet elsewhere."""
        if sys.stderr.isatty():
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
            self._line_open = True

    def end_line(self) -> None:
        if self._line_open:
            print(file=sys.stderr)
            self._line_open = False

    def answer(self, facts: dict[str, Any], text: str | None = None) -> None:
        """Print the answer: one JSON object with `--json`, else `text` (or the facts, a line each)."""
        self.end_line()
        if self.as_json:
            print(json.dumps(facts, ensure_ascii=False, default=_plain), flush=True)
        elif text is not None:
            print(text, flush=True)
        else:
            for name, value in facts.items():
                print(f"{name}: {value}")


def in_own_words() -> AbstractContextManager[None]:
    """Say translated sentences in the language of this terminal (LANG), English when it is none of ours."""
    from django.utils import translation

    spoken = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    if spoken.startswith(("zh_TW", "zh_HK", "zh_MO")):
        return translation.override("zh-hant")
    return translation.override("zh-hans" if spoken.startswith("zh") else "en")


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return str(value)
