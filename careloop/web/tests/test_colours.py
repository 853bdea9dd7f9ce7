"""Every colour a clinic may choose, and every pair of tokens.css, can be read by people with weak sight
(WCAG 2.2 AA).
"""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from careloop.web.colours import (
    AA,
    DARK_SURFACE,
    DEFAULT_ACCENT,
    LIGHT_SURFACE,
    accent,
    contrast,
    luminance,
    mix,
    style_sheet,
)

TOKENS = Path(__file__).resolve().parents[3] / "assets" / "css" / "tokens.css"
colours = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06x}")


@given(colours)
@example("#ffffff")
@example("#000000")
@example("#ffff00")
def test_text_on_and_in_any_accent_can_be_read(chosen):
    a = accent(chosen)

    assert contrast(a.fill, a.on_fill) >= AA
    assert min(contrast(a.text_light, surface) for surface in ("#ffffff", LIGHT_SURFACE, a.tint_light)) >= AA
    assert min(contrast(a.text_dark, surface) for surface in (DARK_SURFACE, a.tint_dark)) >= AA


def test_a_colour_that_is_dark_enough_is_used_as_it_is():
    assert accent("#0F766E").fill == "#0f766e"


@pytest.mark.parametrize("damaged", ["", "red", "#12345", "#0f766e;}body{display:none", "#0f766é"])
def test_what_is_no_colour_gives_the_default_and_nothing_else(damaged):
    assert style_sheet(damaged) == style_sheet(DEFAULT_ACCENT)


def test_known_contrasts():
    """Source: WCAG 2.2 technique G18 examples."""
    assert luminance("#ffffff") == pytest.approx(1)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert mix("#ff0000", "#0000ff", 0.5) == "#800080"


def tokens(theme):
    """The custom properties of tokens.css as they hold in one theme."""
    found = {}
    for name, value in re.findall(r"(--cl-[\w-]+):\s*([^;]+);", TOKENS.read_text()):
        pair = re.fullmatch(r"light-dark\((#\w{6}), (#\w{6})\)", value.strip())
        if pair:
            found[name] = pair.group(1 if theme == "light" else 2)
        elif re.fullmatch(r"#\w{6}", value.strip()):
            found[name] = value.strip()
    return found


TONES = ["neutral", "info", "success", "warning", "danger"]
SURFACES = ["--cl-bg", "--cl-surface", "--cl-raised", "--cl-sunken"]
TEXT_PAIRS = [
    *[(text, surface) for text in ("--cl-text", "--cl-text-2") for surface in SURFACES],
    *[(f"--cl-{tone}-fg", f"--cl-{tone}-bg") for tone in TONES],
    *[(f"--cl-{tone}-fg", surface) for tone in TONES for surface in ("--cl-bg", "--cl-surface")],
    *[("--cl-text", f"--cl-{tone}-bg") for tone in TONES],
    *[("--cl-accent-text", surface) for surface in ("--cl-bg", "--cl-surface", "--cl-accent-bg")],
    ("--cl-accent-fg", "--cl-accent"),
]  # fmt: skip
# Borders of inputs, focus rings and the lines of charts need 3 : 1 (WCAG 1.4.11).
SHAPE_PAIRS = [
    *[("--cl-line-strong", surface) for surface in ("--cl-bg", "--cl-surface")],
    *[("--cl-focus", surface) for surface in SURFACES],
    *[(f"--cl-series-{n}", "--cl-surface") for n in range(1, 6)],
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_and_shape_of_the_shell_stands_out_from_what_is_behind_it(theme):
    colour = tokens(theme)

    weak = [
        f"{one} on {other}: {contrast(colour[one], colour[other]):.2f}"
        for pairs, wanted in ((TEXT_PAIRS, AA), (SHAPE_PAIRS, 3))
        for one, other in pairs
        if contrast(colour[one], colour[other]) < wanted
    ]

    assert weak == []


@pytest.mark.parametrize(("theme", "surface"), [("light", LIGHT_SURFACE), ("dark", DARK_SURFACE)])
def test_the_accent_is_measured_on_the_surfaces_that_are_really_there(theme, surface):
    assert surface in (tokens(theme)["--cl-bg"], tokens(theme)["--cl-surface"])
