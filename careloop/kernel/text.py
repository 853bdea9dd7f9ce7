"""Text that people type: kept as typed, and folded for search.

`clean` decides what is stored, `normalise` decides what counts as the same when searching, and
`grams` cuts a name into the small pieces that an index can find by equality (see `matches`).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from operator import add
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError

# PostgreSQL text holds neither; a lone surrogate is half of a character that was cut in two.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# Characters that show nothing: zero-width spaces, joiners, direction marks, soft hyphen, variation selectors.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)

SPACES = re.compile(r"\s+")
ACCENTS = re.compile("[\u0300-\u036f]+")

# Hyphens, apostrophes and middle dots join the parts of one name: Hsiao-Ming, O'Brien, 瓦歷斯·諾幹.
JOINERS = re.compile("[-‐-―−'’‘`´ʼ·•‧・･․.]")

# The same character written two ways, and Latin letters that carry their accent inside.
# Not a conversion between scripts: 昇 and 升, 凃 and 涂 are different names and stay apart.
VARIANTS = str.maketrans(
    {
        "臺": "台", "峯": "峰", "温": "溫", "黄": "黃", "吴": "吳", "呉": "吳", "呂": "吕", "内": "內",
        "羣": "群", "靑": "青", "敎": "教", "衞": "衛", "淸": "清", "栢": "柏", "喆": "哲", "啓": "啟",
        "綉": "繡", "眞": "真", "曁": "暨", "頴": "穎", "麽": "麼", "裏": "裡", "邨": "村",
        "đ": "d", "ð": "d", "ø": "o", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th",
    }
)  # fmt: skip

VARIANT_CHARACTERS = frozenset(map(chr, VARIANTS))

# Scripts written without spaces between words: every single character is worth finding.
UNSPACED = (
    "\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u31a0-\u31bf"  # 々, kana, bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "\uac00-\ud7af"  # hangul
)
WORD = re.compile(rf"([{UNSPACED}]+)|([^\W_{UNSPACED}]+)")
PLAIN_CHINESE = re.compile("[\u4e00-\u9fff]{1,4}")

# A name longer than this is found by its beginning only; no real name comes near.
MAX_GRAMS = 300


class TextRefused(DomainError, ValueError):
    """A text that cannot be stored. The text itself is never part of the message."""

    code: ClassVar[str] = "text.refused"
    status: ClassVar[int] = 422


class NulRefused(TextRefused):
    code = "text.nul"
    message = _("The text holds a NUL character at position %(position)d; remove it.")


class SurrogateRefused(TextRefused):
    code = "text.surrogate"
    message = _("The text holds half a character (an unpaired surrogate) at position %(position)d; type it again.")


def clean(text: str) -> str:
    """Return the text as it is stored: NFC, without white space around it.

    Everything else stays as typed: line breaks, direction marks, emoji, markup. It is shown as text.

    Raises:
        NulRefused: the text holds U+0000.
        SurrogateRefused: the text holds an unpaired surrogate.

    >>> clean("　王小明 ")
    '王小明'
    """
    if text.isascii() and "\x00" not in text:
        return text.strip()
    if found := UNSTORABLE.search(text):
        refusal = NulRefused if found[0] == "\x00" else SurrogateRefused
        raise refusal(position=found.start() + 1)
    return unicodedata.normalize("NFC", text).strip()


def normalise(text: str) -> str:
    """Return the form in which two texts are compared when searching; never shown, never stored as the text.

    NFKC and case folding, invisible characters out, Latin accents off, white space as one blank,
    characters that are written two ways made one (臺 → 台).

    >>> normalise("Ｎguyễn  Văn ÂN"), normalise("臺大\u200b醫院")
    ('nguyen van an', '台大醫院')
    """
    if text.isascii():
        return " ".join(text.split()).casefold()
    text = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold()
    # Folding may undo the composed form (İ), and the accents must stand alone to be taken off.
    text = ACCENTS.sub("", unicodedata.normalize("NFD", text))
    text = unicodedata.normalize("NFC", text).translate(VARIANTS)
    return SPACES.sub(" ", text).strip()


def search_words(text: str) -> list[str]:
    """Return the words of a name or query, normalised; Chinese and Latin runs are separate words.

    >>> search_words("Wang, Hsiao-Ming 王小明")
    ['wang', 'hsiaoming', '王小明']
    """
    return [found[0] for found in WORD.finditer(JOINERS.sub("", normalise(text)))]


def _is_unspaced(word: str) -> bool:
    found = WORD.match(word)
    return bool(found and found[1])


def _pieces(word: str, sizes: Iterable[int]) -> Iterator[str]:
    for size in sizes:
        for start in range(len(word) - size + 1):
            yield word[start : start + size]


def grams(name: str) -> list[str]:
    """Return the pieces under which a name is indexed, each once.

    Chinese (and kana, hangul, bopomofo): every character and every pair. Other words: the first letter and
    every two and three neighbouring letters, so that any part of at least two letters is found.

    >>> grams("王小明")
    ['王', '小', '明', '王小', '小明']
    >>> grams("Amy")
    ['a', 'am', 'my', 'amy']
    """
    if PLAIN_CHINESE.fullmatch(name):
        if not VARIANT_CHARACTERS.isdisjoint(name):
            name = name.translate(VARIANTS)
        return list(dict.fromkeys([*name, *map(add, name, name[1:])]))
    found: dict[str, None] = {}
    for word in search_words(name):
        if _is_unspaced(word):
            found.update(dict.fromkeys(_pieces(word, (1, 2))))
        else:
            found[word[0]] = None
            found.update(dict.fromkeys(_pieces(word, (2, 3))))
    return list(found)[:MAX_GRAMS]


def query_grams(query: str) -> list[str]:
    """Return the pieces that a name must all have to be worth comparing with the query (see `matches`).

    An empty list means the query holds nothing to search for.

    >>> query_grams("小明"), query_grams("明"), query_grams("santos")
    (['小明'], ['明'], ['san', 'ant', 'nto', 'tos'])
    """
    found: dict[str, None] = {}
    for word in search_words(query):
        longest = 2 if _is_unspaced(word) else 3
        found.update(dict.fromkeys(_pieces(word, (min(len(word), longest),))))
    return list(found)[:MAX_GRAMS]


def matches(query: str, name: str) -> bool:
    """Return whether every word of the query is part of a word of the name.

    A single Latin letter must begin a word; anything else may stand anywhere in it.

    >>> matches("小明", "王小明"), matches("ming wang", "Wang Hsiao-Ming"), matches("大明", "王小明")
    (True, True, False)
    """
    wanted = search_words(query)
    words = search_words(name)
    return bool(wanted) and all(any(_is_part(part, word) for word in words) for part in wanted)


def _is_part(part: str, word: str) -> bool:
    if len(part) == 1 and not _is_unspaced(part):
        return word.startswith(part)
    return part in word
