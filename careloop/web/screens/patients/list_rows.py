"""The rows of the list as HTML, and its filter bar kept ready.

A template costs about 10 µs a variable, which is 6 ms for fifty rows: half of what the whole page may take. So the rows, and
only they, are put together here; every value goes through `escape`.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache
from html import escape
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from careloop.facts.models import Stage
from careloop.facts.rules import Reach
from careloop.web.screens.patients import words

STAGE_TONES = {
    Stage.PROSPECT: "neutral", Stage.NEW: "info", Stage.ACTIVE: "success", Stage.AT_RISK: "warning", Stage.LAPSED: "danger",
    Stage.CLOSED: "neutral", Stage.DECEASED: "neutral",
}  # fmt: skip
# As the header's lights name them.
REACHES = (
    ("LINE", int(Reach.LINE_ARRIVES)), ("SMS", int(Reach.SMS_ARRIVES)), (gettext_lazy("E-mail"), int(Reach.EMAIL_ARRIVES)),
)  # fmt: skip


def rows_html(rows: Iterable[dict[str, Any]], *, today: date, tags: dict[int, str], may_tick: bool) -> SafeString:
    """Return the `<tr>` of each patient; the same columns as the head in `_list.html`."""
    labels = [
        escape(one)
        for one in (
            _("Chart number"), _("Birth date"), _("Stage"), _("Last visit"), _("Visits in 12 months"), _("Reach"), _("Tags"),
        )
    ]  # fmt: skip
    stages = {
        stage.value: f'<span class="cl-badge is-{tone}">{escape(str(words.STAGES[stage]))}</span>'
        for stage, tone in STAGE_TONES.items()
    }
    badges = {number: f'<span class="cl-badge">{escape(name)}</span>' for number, name in tags.items()}
    sexes = {code: str(label) for code, label in words.SEX_SHORT.items()}
    reaches = [(escape(str(name)), bit) for name, bit in REACHES]
    return mark_safe(  # noqa: S308 - every value below is escaped
        "\n".join(_row(row, labels, stages, badges, sexes, reaches, today, may_tick=may_tick) for row in rows)
    )


def _row(
    row: dict[str, Any], labels: Sequence[str], stages: dict[int, str], badges: dict[int, str], sexes: dict[str, str],
    reaches: Sequence[tuple[str, int]], today: date, *, may_tick: bool,
) -> str:  # fmt: skip
    chart, born, stage, last, visits, reach, tag = labels
    one, name, precision = str(row["id"]), escape(row["name"]), row["birth_precision"]
    age = words.age(row["birth_date"], today=today, precision=precision)
    person = escape(" · ".join(part for part in (sexes.get(row["sex"], ""), age) if part))
    reached = " ".join(label for label, bit in reaches if (row["reach"] or 0) & bit)
    given = " ".join(badges[number] for number in row["tags"] or () if number in badges)
    box = (
        f'<td class="is-check"><input type="checkbox" class="form-check-input" name="patient" value="{one}" '
        f'aria-label="{name}"></td>'
        if may_tick
        else ""
    )
    return (
        f'<tr>{box}<th scope="row"><a href="/patients/{one}/">{name}</a> <span class="cl-muted cl-nowrap">{person}</span></th>'
        f'<td data-label="{chart}">{escape(row["chart_number"])}</td>'
        f'<td data-label="{born}" class="cl-nowrap">{words.day(row["birth_date"], precision=precision)}</td>'
        f'<td data-label="{stage}">{stages.get(row["stage"], "")}</td>'
        f'<td data-label="{last}" class="cl-nowrap">{words.day(row["last_visit_on"])}</td>'
        f'<td data-label="{visits}" class="is-number">{row["visits_12m"] or ""}</td>'
        f'<td data-label="{reach}" class="cl-nowrap is-muted">{reached}</td><td data-label="{tag}">{given}</td></tr>'
    )


def filter_bar(
    form: Callable[[], Any], *, typed: bool, path: str, chips: list[dict[str, str]], asked: str, choices: str
) -> SafeString:
    """Return the filter bar. Drawn once per language, filters and choices; never kept when something was typed in it."""
    if typed:
        return _draw(form(), path, chips)
    drawn = _Drawn(form, path, chips)
    return _kept(get_language(), path, asked, choices, drawn)


class _Drawn:
    """What `_kept` draws from; all are equal, so that only the other arguments make the key."""

    def __init__(self, form: Callable[[], Any], path: str, chips: list[dict[str, str]]) -> None:
        self.form, self.path, self.chips = form, path, chips

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Drawn)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=200)
def _kept(language: str | None, path: str, asked: str, choices: str, drawn: _Drawn) -> SafeString:
    return _draw(drawn.form(), drawn.path, drawn.chips)


def _draw(form: Any, path: str, chips: list[dict[str, str]]) -> SafeString:
    context = {"form": form, "action": path, "target": "patient-list", "chips": chips, "reset_url": path}
    return render_to_string("components/filter_bar.html", context)
