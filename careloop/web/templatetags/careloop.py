"""Tags every template has (they are built in through settings.TEMPLATES)."""

import re
import unicodedata
import zlib
from datetime import date
from functools import lru_cache

from django import template
from django.template import defaulttags
from django.template.base import Node, Parser, Token
from django.templatetags.static import static
from django.utils import translation
from django.utils.html import format_html, format_html_join, json_script
from django.utils.safestring import SafeString, mark_safe

from careloop.kernel.dates import roc_year
from careloop.kernel.devices import device_name
from careloop.web import addresses

register = template.Library()

AVATAR_TINTS = 5
SPRITE = "build/icons.svg"
_SIGNS = re.compile(r"[^\w\s]|_")  # what is neither letter, digit nor space


@register.tag
def url(parser: Parser, token: Token) -> Node:
    """Django's tag, with addresses whose shape is worked out once."""
    return addresses.quick(defaulttags.url(parser, token))


@register.simple_tag
@lru_cache(maxsize=1024)
def icon(name: str, css: str = "") -> SafeString:
    """A picture from the sprite. Screen readers pass over it: the text beside it (or aria-label) speaks.

    A page shows fifty of a hundred pictures: each is written once a process.
    """
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        css, static(SPRITE), name,
    )  # fmt: skip


@register.simple_tag
def chart_data(data: object, chart_id: str) -> SafeString:
    """The numbers of a chart as JSON that the policy lets stand in a page (it is data, not a script)."""
    return json_script(data, f"{chart_id}-data")


@register.filter
def svg_only(document: object) -> SafeString:
    """An SVG made by our own libraries (never by a person), without the XML declaration in front of it."""
    text = str(document)
    return mark_safe(text[text.index("<svg") :]) if "<svg" in text else mark_safe("")  # noqa: S308


_ADDRESS = re.compile(r"https?://[^\s<>\"'，。、；：！？（）「」]+")


@register.filter
def with_links(text: str) -> SafeString:
    """A message with its addresses to tap, as a phone shows it: also right behind a Chinese colon, where Django's `urlize` finds none.

    >>> with_links("確認：https://clinic.example/p/a/x/ <b>")
    '確認：<a href="https://clinic.example/p/a/x/" target="_blank" rel="noopener">https://clinic.example/p/a/x/</a> &lt;b&gt;'
    """
    link, parts, at = '<a href="{}" target="_blank" rel="noopener">{}</a>', list[str](), 0
    for found in _ADDRESS.finditer(text):
        parts += [text[at : found.start()], format_html(link, found[0], found[0])]
        at = found.end()
    return format_html_join("", "{}", ((one,) for one in [*parts, text[at:]]))


@register.filter
def device(user_agent: object) -> str:
    """A browser's name for people: “Windows · Chrome”; what it sent when we do not know it."""
    return device_name(str(user_agent)) or str(user_agent)


@register.filter
def can(member: object, permission: str) -> bool:
    """Whether the member's role holds `permission`: {% if request.member|can:"patients.edit" %}."""
    allowed = getattr(member, "can", None)
    return bool(allowed and allowed(permission))


@register.filter
def initials(name: object) -> str:
    """One or two characters that stand for a person.

    Chinese names are known by their given name, so the last two characters; other names give the first
    letter of the first and last word.

    >>> initials("王小明"), initials("Mary Ann Smith"), initials("歐陽娜娜"), initials("")
    ('小明', 'MS', '娜娜', '?')
    """
    text = _SIGNS.sub("", unicodedata.normalize("NFC", str(name or ""))).strip()
    if not text:
        return "?"
    words = text.split()
    if "CJK" in unicodedata.name(words[-1][-1], ""):
        return "".join(words)[-2:]
    ends = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    return ends.upper()


@register.filter
def tint(key: object) -> int:
    """A stable colour number (1 to 5) for a person or thing, so that it looks the same on every page."""
    return zlib.crc32(str(key).encode()) % AVATAR_TINTS + 1


@register.filter
def day_shown(day: date | None) -> str:
    """A day as the reader writes it: in Traditional Chinese with the ROC year beside it, as in Taiwan.

    >>> with translation.override("en"):
    ...     day_shown(date(1990, 3, 5))
    '1990-03-05'
    >>> with translation.override("zh-hant"):
    ...     day_shown(date(1990, 3, 5))
    '1990-03-05（79/3/5）'
    """
    if day is None:
        return ""
    text = f"{day:%Y-%m-%d}"
    if translation.get_language() != "zh-hant" or roc_year(day) < 1:
        return text
    return f"{text}（{roc_year(day)}/{day.month}/{day.day}）"


@register.filter
def share(part: float | None, whole: float | None) -> str:
    """`part` of `whole` as percent with at most one decimal, or a dash when there is no whole.

    >>> share(1, 3), share(2, 4), share(5, 0)
    ('33.3%', '50%', '–')
    """
    if not whole or part is None:
        return "–"
    return f"{round(100 * part / whole, 1):g}%"


@register.filter
def grouped(value: object) -> object:
    """A whole number as people read it; anything else as it is.

    >>> grouped(84375), grouped("NT$650"), grouped(True)
    ('84,375', 'NT$650', True)
    """
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value


@register.filter
def width(part: float | None, whole: float | None) -> str:
    """The same as a number from 0 to 100 for an SVG width; the smallest visible bar is 0.5."""
    if not whole or not part:
        return "0"
    return f"{max(0.5, min(100.0, 100 * part / whole)):.2f}"


@register.filter
def item(mapping: object, key: object) -> object:
    """`mapping[key]`, or nothing: for tables whose columns are chosen at run time."""
    try:
        return mapping[key]  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return getattr(mapping, str(key), "")
