"""Accent colours: whatever colour a clinic chooses, text on it and text in it stay readable (WCAG 2.2 AA)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

DEFAULT_ACCENT = "#0f766e"
# The surfaces the accent is read on; the same values as --cl-bg and --cl-surface in assets/css/tokens.css.
LIGHT_SURFACE, DARK_SURFACE = "#f5f6f8", "#1b2029"
AA = 4.5

HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Accent:
    """The colours derived from one chosen colour.

    `fill` and `on_fill` are buttons and marks and the text on them; `text` and `tint` are words in the
    accent and a faint background for them, in the light and in the dark theme.
    """

    fill: str
    on_fill: str
    text_light: str
    tint_light: str
    text_dark: str
    tint_dark: str


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255.

    Raises:
        ValueError: `colour` is not #rrggbb.
    """
    if not HEX.fullmatch(colour):
        raise ValueError("a colour is written #rrggbb")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """Relative luminance, 0 (black) to 1 (white).

    Source: WCAG 2.2, definition of relative luminance.
    """
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21.

    >>> contrast("#000000", "#ffffff")
    21.0
    """
    low, high = sorted((luminance(one), luminance(other)))
    return round((high + 0.05) / (low + 0.05), 4)


def mix(colour: str, other: str, part: float) -> str:
    """`colour` with `part` (0 to 1) of `other` in it.

    >>> mix("#000000", "#ffffff", 0.5)
    '#808080'
    """
    pairs = zip(rgb(colour), rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def accent(chosen: str) -> Accent:
    """Derive readable colours from the chosen one: darker or lighter in steps until they can be read."""
    chosen = chosen.lower() if HEX.fullmatch(chosen) else DEFAULT_ACCENT
    fill = _until(chosen, "#000000", lambda c: contrast(c, "#ffffff") >= AA)
    tint_light = mix(fill, "#ffffff", 0.9)
    tint_dark = mix(fill, DARK_SURFACE, 0.72)
    text_light = _until(fill, "#000000", lambda c: min(contrast(c, s) for s in (LIGHT_SURFACE, tint_light)) >= AA)
    text_dark = _until(fill, "#ffffff", lambda c: min(contrast(c, s) for s in (DARK_SURFACE, tint_dark)) >= AA)
    return Accent(fill, "#ffffff", text_light, tint_light, text_dark, tint_dark)


def _until(colour: str, towards: str, readable: Callable[[str], bool]) -> str:
    for step in range(0, 101, 2):
        candidate = mix(colour, towards, step / 100)
        if readable(candidate):
            return candidate
    return towards


def style_sheet(chosen: str) -> str:
    """The accent as a style sheet; `chosen` may be anything, an invalid colour gives the default."""
    a = accent(chosen)
    return (
        f":root{{--cl-accent:{a.fill};--cl-accent-fg:{a.on_fill};"
        f"--cl-accent-text:light-dark({a.text_light},{a.text_dark});"
        f"--cl-accent-bg:light-dark({a.tint_light},{a.tint_dark})}}\n"
    )
