"""What is said about calendar files: why one cannot be read, what was skipped, what was read otherwise."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REFUSALS: dict[str, str | Promise] = {
    "too_large": _("The file is larger than %(most)d MB. Export only the months ahead, or only the calendar with the leave."),
    "empty": _("The file is empty. Export the calendar again."),
    "encoding": _("The text is in an unknown encoding. Export the calendar again as an .ics file (UTF-8)."),
    "no_calendar": _("There is no calendar in this file. Export the calendar as an .ics file and upload that."),
    "cut_off": _("The file ends in the middle of the calendar. Export it again and wait until the download has finished."),
    "line": _("“%(what)s” is not a line of a calendar. Export the calendar again, or take this line out of the file."),
    "too_deep": _("The parts of this file stand inside each other more than fifty deep, as in no calendar. Export it again."),
    "too_many": _("The calendar tells of more than %(most)d times away. Export only the calendar with the leave."),
    "too_slow": _("Reading took longer than %(seconds)d seconds. Take out the entry with the unusual repetition, or export fewer months."),
    "unreadable": _("The calendar cannot be read at this place. Take the entry out of the calendar, export it again and upload it."),
}  # fmt: skip

SKIPPED: dict[str, str | Promise] = {
    "free": _("shown as free in the calendar"),
    "cancelled": _("called off"),
    "all_day": _("a whole day, and whole days were not wanted"),
    "past": _("over already"),
    "later": _("repeats, but not within the next 180 days"),
    "far": _("more than two years ahead"),
    "no_start": _("has no beginning"),
    "no_length": _("does not last"),
    "own": _("one of the clinic’s own sessions or appointments"),
    "replaced": _("a newer version of the same entry is in the file"),
    "twice": _("stands in the file twice"),
    "too_often": _("repeats every minute or second"),
    "unreadable": _("its beginning or end cannot be read"),
}

WARNED: dict[str, str | Promise] = {
    "zone": _("The time zone “%(what)s” is unknown; the time was read as the clinic’s."),
    "floating": _("The entry has no time zone; the time was read as the clinic’s."),
    "rule": _("The repetition cannot be read; only its first time was taken."),
    "unreadable": _("“%(what)s” cannot be read and was left out."),
    "cut_off": _(
        "The file ends in the middle of the calendar. Export it again and wait until the download has finished."
    ),
    "line": _("A line of the entry cannot be read and was left out."),
}


def refusal(reason: str, values: Mapping[str, Any]) -> str:
    """Return why a file cannot be read, and what helps."""
    return str(REFUSALS.get(reason, REFUSALS["unreadable"])) % values


def skipped(reason: str) -> str:
    """Return why an entry is no time away."""
    return str(SKIPPED.get(reason, reason))


def warned(reason: str, what: str) -> str:
    """Return what was read otherwise than it stands in the file."""
    if reason == "unreadable" and not what:
        reason = "line"
    return str(WARNED.get(reason, reason)) % {"what": what}
