"""Finding words in a text as a person would, not fooled by blanks, width, case or invisible characters."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from careloop.kernel.text import INVISIBLE, UNSPACED

# Full-width letters, digits and signs; the punctuation ，：；！？ stays, because it ends clauses as it is.
WIDE = re.compile("[\uff03-\uff05\uff0b\uff0d-\uff19\uff1d\uff20-\uff3a\uff41-\uff5a\uff5e\u3000\xa0]")
FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if WIDE.match(chr(code))} | {
    0x3000: 0x20,
    0xA0: 0x20,
}
# What people put between Chinese characters to slip a word past a filter, or by accident.
SPLITTERS = re.compile(rf"(?<=[{UNSPACED}])[ \t\u3000*_·・‧.]{{1,3}}(?=[{UNSPACED}])")
SENTENCE_ENDS = re.compile(r"[。！？!?；;\n]")
LATIN = re.compile("[a-z]")
TOKEN = re.compile("[a-z0-9]+")
HIDDEN = "\ufffc"  # stands where the organization's own name was


@dataclass(frozen=True)
class Folded:
    """A text in the form in which words are searched, and where each of its characters stood."""

    original: str
    text: str
    places: tuple[int, ...] | None = None

    @cached_property
    def tokens(self) -> frozenset[str]:
        """The Latin words and numbers of the text."""
        return frozenset(TOKEN.findall(self.text))

    @cached_property
    def found(self) -> dict[int, list[tuple[int, int]]]:
        """What groups of words have found already: several rules read the same group."""
        return {}

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the original text."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end - 1] + 1

    def sentence_around(self, start: int, end: int) -> str:
        before = max((found.end() for found in SENTENCE_ENDS.finditer(self.text, 0, start)), default=0)
        after = SENTENCE_ENDS.search(self.text, end)
        return self.text[before : after.start() if after else len(self.text)]


def fold(text: str, *, hide: Iterable[str] = ()) -> Folded:
    """Return the text in lower case and half width, without invisible characters and split words.

    `hide` names (the organization's own) are blotted out: a clinic may be called 安心精神科診所.

    >>> fold("特 價\u200b中").text, fold("ＳＡＬＥ").text
    ('特價中', 'sale')
    """
    plain = text.translate(FULL_WIDTH) if WIDE.search(text) else text
    lower = plain.lower()
    if len(lower) != len(plain):  # İ becomes two characters; places must stay
        lower = "".join(char.lower() if len(char.lower()) == 1 else char for char in plain)
    for name in hide:
        folded_name = name.translate(FULL_WIDTH).lower().strip()
        if folded_name:
            lower = lower.replace(folded_name, HIDDEN * len(folded_name))
    if text.isascii():
        return Folded(text, lower)
    places: tuple[int, ...] | None = None
    for pattern in (INVISIBLE, SPLITTERS):
        if not pattern.search(lower):
            continue
        dropped = [found.span() for found in pattern.finditer(lower)]
        gone = {place for start, end in dropped for place in range(start, end)}
        keep = [place for place in range(len(lower)) if place not in gone]
        places = tuple(keep if places is None else (places[place] for place in keep))
        lower = "".join(lower[place] for place in keep)
    return Folded(text, lower, places)


def one_pattern(words: Sequence[str]) -> str:
    """Return one regular expression for many words that share beginnings, so that a search looks once.

    The longest word wins. `re` skips quickly to places where some word could begin, because every branch
    begins with a plain character.

    >>> one_pattern(["團購", "團購價", "特價"])
    '(?:團購(?:價)?|特價)'
    """
    tree: dict[str, dict] = {}  # type: ignore[type-arg]
    for word in words:
        node = tree
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}
    return _branches(tree)


def _branches(node: dict[str, dict]) -> str:  # type: ignore[type-arg]
    parts = []
    for char, below in node.items():
        if char == "":
            continue
        text = re.escape(char)
        while len(below) == 1 and "" not in below:
            ((char, below),) = below.items()
            text += re.escape(char)
        tail = _branches({key: value for key, value in below.items() if key}) if set(below) - {""} else ""
        parts.append(text + (f"{tail}?" if tail and "" in below else tail))
    return f"(?:{'|'.join(parts)})"


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A group of words and patterns, and the surroundings in which they mean nothing.

    `latin` is searched only when the text holds one of `latin_tokens`, with which its words begin.
    """

    patterns: tuple[re.Pattern[str], ...]
    latin: re.Pattern[str] | None = None
    latin_tokens: frozenset[str] = frozenset()
    unless: tuple[re.Pattern[str], ...] = ()
    unless_near: tuple[re.Pattern[str], ...] = ()

    def find(self, folded: Folded) -> list[tuple[int, int]]:
        """Return the spans (in the folded text) that stand, in order; a span inside another is left out."""
        if id(self) not in folded.found:
            folded.found[id(self)] = self._search(folded)
        return folded.found[id(self)]

    def _search(self, folded: Folded) -> list[tuple[int, int]]:
        text = folded.text
        patterns = self.patterns
        if self.latin and not self.latin_tokens.isdisjoint(folded.tokens):
            patterns = (*patterns, self.latin)
        # Most texts hold nothing; a search that fails is cheaper than an iterator.
        hits = [pattern for pattern in patterns if pattern.search(text)]
        if not hits:
            return []
        spans = sorted({found.span() for pattern in hits for found in pattern.finditer(text)})
        excused = [found.span() for pattern in self.unless for found in pattern.finditer(text)]
        standing: list[tuple[int, int]] = []
        for start, end in spans:
            if standing and end <= standing[-1][1]:
                continue
            if any(start < excuse_end and excuse_start < end for excuse_start, excuse_end in excused):
                continue
            if self.unless_near:
                sentence = folded.sentence_around(start, end)
                if any(pattern.search(sentence) for pattern in self.unless_near):
                    continue
            standing.append((start, end))
        return standing


def compile_words(
    words: Sequence[str],
    patterns: Sequence[str],
    unless: Sequence[str],
    unless_near: Sequence[str],
) -> Words:
    """Compile a group of the data file. Latin words stand alone (`hiv` is not in `shiver`)."""
    chinese_words = [word for word in words if not LATIN.search(word)]
    latin_words = [word for word in words if LATIN.search(word)]
    chinese = [one_pattern(chinese_words)] if chinese_words else []
    # Words such as b肝 mix both; they need no word boundary on the Chinese side.
    latin = re.compile(rf"(?<![a-z0-9]){one_pattern(latin_words)}(?![a-z])") if latin_words else None
    return Words(
        patterns=tuple(re.compile(pattern) for pattern in (*chinese, *patterns)),
        latin=latin,
        latin_tokens=frozenset(TOKEN.findall(word)[0] for word in latin_words),
        unless=tuple(re.compile(pattern) for pattern in unless),
        unless_near=tuple(re.compile(pattern) for pattern in unless_near),
    )
