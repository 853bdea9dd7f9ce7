"""Answers and the words that mean them: codes for journeys, words as data."""

import tomllib
from functools import lru_cache
from pathlib import Path

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.text import normalise

ANSWERS: dict[str, str | Promise] = {
    "YES": pgettext_lazy("answer", "Yes"),
    "NO": pgettext_lazy("answer", "No"),
    "BOOK": _("Would like a visit"),
    "CALL_ME": _("Please call me"),
    "LATER": _("Later"),
    "DONE": _("Already done"),
    "FINE": _("Doing well"),
    "UNWELL": _("Not well"),
    "STOP": _("No more of these messages"),
    "EMERGENCY": _("Sounds like an emergency"),
    "CONFIRM": _("Is coming"),
    "MOVE": _("Would like another time"),
    "CANCEL": _("Cannot come"),
    "AGAIN": _("Would like a new time"),
    "TAKE": _("Takes the offered place"),
    "PASS": _("Does not take the offered place"),
    "OFF_LIST": _("Does not wait any longer"),
    "CHECK_IN": _("Is here"),
    "NUMBER": _("Looks at the number"),
    **{f"SCORE_{n}": str(n) for n in range(11)},
}
"""What a tap or known words mean. Journeys wait for these codes."""


def answer_label(code: str) -> str | Promise:
    """Return the words for an answer code; an unknown code is shown as it is."""
    return ANSWERS.get(code, code)


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, tuple[str, ...]]]:
    data = tomllib.loads((Path(__file__).parent / "data" / "words.toml").read_text(encoding="utf-8"))
    return {
        code: {
            how: tuple(folded(word) for word in entry.get(how, ())) for how in ("whole", "anywhere", "not_after")
        }
        for code, entry in data.items()
    }  # fmt: skip


def folded(text: str) -> str:
    """Return a text in the form in which words are compared: half width, lower case, nothing but words at its ends.

    What phones make of an apostrophe is an apostrophe, and a smile or folded hands behind a word are manners.

    >>> folded("　ＳＴＯＰ！ "), folded("「退訂」。"), folded("退訂🙏🏻"), folded("I can’t breathe…")
    ('stop', '退訂', '退訂', "ican'tbreathe")
    """
    said = normalise(text).casefold().translate(APOSTROPHES)
    first = next((place for place, char in enumerate(said) if char.isalnum()), len(said))
    last = next((place for place in range(len(said), first, -1) if said[place - 1].isalnum()), first)
    return said[first:last].replace(" ", "")


APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'"})


def meaning(text: str) -> str:
    """Return the answer code a text means, or "" when a person must read it.

    Opting out needs the whole message to be the word: "請不要取消我的預約" is none. Emergencies and "please call me" are
    found anywhere; an emergency wins. "Do not call me" is not "please call me": a person reads it.

    >>> meaning("退訂"), meaning("STOP "), meaning("請幫我取消訂閱信件的那個活動，我要改期")
    ('STOP', 'STOP', '')
    >>> meaning("可以請你們打給我嗎"), meaning("請不要再打給我"), meaning("Please don’t call me")
    ('CALL_ME', '', '')
    """
    said = folded(text)
    if not said:
        return ""
    words = _words()
    for code in ("EMERGENCY", "STOP", "CALL_ME", "YES", "NO", "LATER", "DONE"):
        entry = words.get(code, {})
        if said in entry.get("whole", ()):
            return code
        if any(_says(said, word, entry["not_after"]) for word in entry.get("anywhere", ())):
            return code
    return ""


def _says(said: str, word: str, not_after: tuple[str, ...]) -> bool:
    """Whether a word is in a text, and not only behind one that turns it around."""
    before, *others = said.split(word)
    for following in others:
        if not before.endswith(not_after):
            return True
        before = following
    return False
