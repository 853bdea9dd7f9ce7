"""Helpers for screens: fragments or pages, redirects that htmx follows, keyset pages, safe downloads.

Imports nothing of CareLoop, so that the screens of every slice may use it.
"""

import base64
import binascii
import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Q, QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

# -- the clinic's clock -------------------------------------------------------------------------------


def clinic_zone(request: HttpRequest) -> ZoneInfo:
    """Return the zone of the clock on the wall of the clinic the member works in."""
    return ZoneInfo(request.member.organization.time_zone)  # type: ignore[attr-defined]


# -- pages and fragments -----------------------------------------------------------------------------


def is_htmx(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment; when it restores history it wants the whole page."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def respond(
    request: HttpRequest, page: str, context: Mapping[str, Any] | None = None, *,
    fragment: str | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    """Render `fragment` for htmx and `page` for everybody else; the page includes the same fragment.

    A form shown again with its errors has status 422: htmx swaps it in place, browsers show it as a page.
    """
    template = fragment if fragment and is_htmx(request) else page
    return render(request, template, dict(context or {}), status=status)


def redirect_to(request: HttpRequest, url: str, *, message: str = "", tone: str = "success") -> HttpResponse:
    """Send the browser to `url`, also when the form was sent by htmx; `message` is shown there once."""
    if message:
        level = {"success": messages.SUCCESS, "warning": messages.WARNING, "danger": messages.ERROR}
        messages.add_message(request, level.get(tone, messages.INFO), message)
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url, status=303)


def with_toast(response: HttpResponse, text: str, tone: str = "success") -> HttpResponse:
    """Show `text` in the corner once htmx has swapped `response` in."""
    # json writes Chinese as \u escapes, and a header must be ASCII
    response["HX-Trigger"] = json.dumps({"toast": {"text": text, "tone": tone}})
    return response


def refuse(
    request: HttpRequest, sentence: str, *, status: int = 422, back_url: str = "", back_label: str = ""
) -> HttpResponse:
    """Say why something was not done: a message for htmx, a page with a way back for everybody else."""
    template = "errors/_sentence.html" if is_htmx(request) else "errors/refused.html"
    return render(
        request, template, {"sentence": sentence, "back_url": back_url, "back_label": back_label}, status=status
    )


def next_url(request: HttpRequest, otherwise: str) -> str:
    """Where the form asked to go afterwards (`next`), if that is on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else otherwise


# -- keyset pages ------------------------------------------------------------------------------------

Direction = Literal["next", "previous"]
_READ: dict[str, Callable[[Any], Any]] = {
    "s": str, "i": int, "f": float, "b": bool,
    "d": date.fromisoformat, "t": datetime.fromisoformat, "u": UUID,
}  # fmt: skip


@dataclass(frozen=True)
class Cursor:
    """A place in a sorted list: the sort values of a row, and which side of it is wanted."""

    values: tuple[Any, ...]
    direction: Direction = "next"

    def encode(self) -> str:
        """The cursor as text for a URL. Anyone can read it: never sort by something that must stay hidden."""
        text = json.dumps([self.direction[0], *(_tagged(value) for value in self.values)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, *, keys: int) -> "Cursor":
        """Read what `encode` wrote for a list sorted by `keys` columns.

        Raises:
            BadRequest: the text was cut, changed, or belongs to another list.
        """
        try:
            first, *tagged = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            direction: Direction = {"n": "next", "p": "previous"}[first]  # type: ignore[assignment]
            values = tuple(_READ[kind](value) for kind, value in tagged)
        except (binascii.Error, ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadRequest("cursor") from error
        if len(values) != keys:
            raise BadRequest("cursor")
        return cls(values, direction)


def _tagged(value: Any) -> list[Any]:
    match value:
        case bool():
            return ["b", value]
        case int():
            return ["i", value]
        case float():
            return ["f", value]
        case datetime():
            return ["t", value.isoformat()]
        case date():
            return ["d", value.isoformat()]
        case UUID():
            return ["u", str(value)]
        case str():
            return ["s", value]
    raise ValueError(f"cannot page by a {type(value).__name__}; a sort column must never be null")


@dataclass(frozen=True)
class Page:
    """One page of a list with the cursors to its neighbours (empty: there is none)."""

    rows: list[Any]
    next: str = ""
    previous: str = ""
    params: Mapping[str, str | list[str]] = field(default_factory=dict)

    @property
    def next_url(self) -> str:
        """The address of the next page, filters included."""
        return self._url(self.next)

    @property
    def previous_url(self) -> str:
        """The address of the page before."""
        return self._url(self.previous)

    def _url(self, cursor: str) -> str:
        return "?" + urlencode({**self.params, "after": cursor}, doseq=True) if cursor else ""

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Keyset:
    """Pages through a list by the values of its last row: as fast at row 100,000 as at row 1.

    `order` names the sort columns, all in one direction ("-" for descending); the last one must be unique
    and none may be null. Works on querysets (`page_of`) and with SQL of your own (`where`, `order_by`,
    `limit`, then `cut`):

        keyset = Keyset(request, order=("-occurred_at", "-id"), size=50)
        page = keyset.page_of(Visit.objects.values("id", "occurred_at", "reason"))

        condition, params = keyset.where(occurred_at="v.occurred_at", id="v.id")
        order = keyset.order_by(occurred_at="v.occurred_at", id="v.id")
        found = sql.rows(f"select … where {condition} order by {order} limit %s", [*params, keyset.limit])
        page = keyset.cut(found)
    """

    request: HttpRequest
    order: Sequence[str]
    size: int = 50

    def __post_init__(self) -> None:
        if len({name.startswith("-") for name in self.order}) != 1:
            raise ValueError("all columns of a keyset go in one direction")

    @property
    def columns(self) -> list[str]:
        """The sort columns without their direction."""
        return [name.removeprefix("-") for name in self.order]

    @property
    def cursor(self) -> Cursor | None:
        """Where the reader is; nothing on the first page."""
        text = self.request.GET.get("after", "")
        return Cursor.decode(text, keys=len(self.order)) if text else None

    @property
    def limit(self) -> int:
        """How many rows to fetch: one more than shown, to know whether there is a next page."""
        return self.size + 1

    @property
    def _descending(self) -> bool:
        backwards = self.cursor is not None and self.cursor.direction == "previous"
        return self.order[0].startswith("-") != backwards

    def where(self, **expressions: str) -> tuple[str, list[Any]]:
        """The SQL condition that starts at the cursor, with its parameters.

        Expressions are ours, never the reader's.
        """
        cursor = self.cursor
        if cursor is None:
            return "true", []
        names = [expressions.get(name, name) for name in self.columns]
        sign = "<" if self._descending else ">"
        marks = ", ".join(["%s"] * len(names))
        return f"({', '.join(names)}) {sign} ({marks})", list(cursor.values)

    def order_by(self, **expressions: str) -> str:
        """What stands behind ORDER BY."""
        direction = " desc" if self._descending else ""
        return ", ".join(f"{expressions.get(name, name)}{direction}" for name in self.columns)

    def page_of(self, queryset: QuerySet[Any]) -> Page:
        """The page the request asks for; `queryset` gives objects or values()."""
        cursor = self.cursor
        if cursor is not None:
            queryset = queryset.filter(self._beyond(cursor))
        sign = "-" if self._descending else ""
        return self.cut(queryset.order_by(*(sign + name for name in self.columns))[: self.limit])

    def _beyond(self, cursor: Cursor) -> Q:
        side = "lt" if self._descending else "gt"
        condition = Q()
        for name, value in reversed(list(zip(self.columns, cursor.values, strict=True))):
            here = Q(**{f"{name}__{side}": value})
            # This bound is implied by the rest, but it lets PostgreSQL start in the middle of an index.
            condition = Q(**{f"{name}__{side}e": value}) & (here | condition) if condition else here
        return condition

    def cut(self, found: Iterable[Any]) -> Page:
        """Make a page of up to `limit` rows that were fetched in `order_by` order."""
        rows = list(found)
        cursor, more = self.cursor, len(rows) > self.size
        rows = rows[: self.size]
        backwards = cursor is not None and cursor.direction == "previous"
        if backwards:
            rows.reverse()
        has_next, has_previous = (True, more) if backwards else (more, cursor is not None)
        params = {name: values for name, values in self.request.GET.lists() if name != "after"}
        return Page(
            rows,
            next=self._cursor_at(rows[-1], "next") if rows and has_next else "",
            previous=self._cursor_at(rows[0], "previous") if rows and has_previous else "",
            params=params,
        )

    def _cursor_at(self, row: Any, direction: Direction) -> str:
        get = row.__getitem__ if isinstance(row, Mapping) else lambda name: getattr(row, name)
        return Cursor(tuple(get(name) for name in self.columns), direction).encode()


# -- downloads ---------------------------------------------------------------------------------------

# A spreadsheet takes text that starts with one of these for a formula. Full-width forms are included
# because Chinese and Japanese Excel turn them into the narrow ones while reading.
FORMULA_STARTS = frozenset("=+-@\t\r\n\0＝＋－＠")
_MEMORY = 2_000_000


def guard_cell(value: Any) -> Any:
    """Make text harmless for a spreadsheet; numbers, dates and nothing stay what they are.

    Spaces and invisible characters before the sign are looked through, because some programs drop them.

    >>> guard_cell("=1+1"), guard_cell("＝1+1"), guard_cell("王小明"), guard_cell(-5)
    ("'=1+1", "'＝1+1", '王小明', -5)
    """
    if not isinstance(value, str):
        return value
    start = value.lstrip(" \u00a0\u3000\u200b\ufeff")
    return f"'{value}" if value[:1] in FORMULA_STARTS or start[:1] in FORMULA_STARTS else value


def csv_download(filename: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> FileResponse:
    """A CSV file that opens rightly in Excel (UTF-8 with a mark) and cannot carry formulas.

    The rows are read now, inside the request's transaction: afterwards there is no organization and
    therefore no row. Up to 2 MB stay in memory, more goes to a temporary file.
    """
    file = tempfile.SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115 - the response closes it
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # type: ignore[type-var]
    writer = csv.writer(text)
    writer.writerow([guard_cell(name) for name in header])
    writer.writerows([guard_cell(cell) for cell in row] for row in rows)
    text.flush()
    text.detach()
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=filename, content_type="text/csv; charset=utf-8")


def shown_count(count: int, *, limit: int) -> str:
    """A count that was stopped at `limit`, in words.

    Counting every row of a long list costs more than showing a page of it, so lists count up to a limit.
    """
    if count >= limit:
        return _("%(count)s or more") % {"count": f"{limit:,}"}
    return f"{count:,}"
