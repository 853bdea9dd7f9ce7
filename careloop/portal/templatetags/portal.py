"""How days and times are said on the patients' pages."""

from datetime import date, datetime

from django import template
from django.utils import dates, translation

from careloop.loyalty.figures import in_groups, named_points, signed
from careloop.messaging.variables import spoken_date

register = template.Library()
register.filter("signed", signed)
register.filter("in_groups", in_groups)
register.filter("named_points", named_points)


@register.filter
def day(value: date | datetime) -> str:
    """A day as people say it.

    >>> with translation.override("zh-hant"):
    ...     day(date(2026, 3, 16))
    '3月16日（一）'
    """
    on = value.date() if isinstance(value, datetime) else value
    language = translation.get_language() or "zh-hant"
    return spoken_date(on, language if language in ("zh-hant", "zh-hans", "en") else "en")


@register.filter
def clock(value: datetime) -> str:
    """A time of the day.

    >>> clock(datetime(2026, 3, 16, 9, 5))
    '09:05'
    """
    return f"{value:%H:%M}"


@register.filter
def weekday(number: int) -> str:
    """A weekday's short name; 1 is Monday."""
    return str(dates.WEEKDAYS_ABBR[number - 1])


@register.inclusion_tag("portal/_call.html")
def telephone(clinic: object) -> dict[str, object]:
    """The clinic's telephone, on every page that says no: it is never closed."""
    return {"clinic": clinic}
