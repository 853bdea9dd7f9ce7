"""What is wrong with a field of a request, in the language of the request: pydantic speaks English only."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

_EMPTY = _("It is empty.")
_NO_TEXT = _("It is not a text.")
_NO_NUMBER = _("It is not a whole number.")
_NO_TRUTH = _("It is neither true nor false.")
_NO_ID = _("It is not a UUID.")
_NO_DATE = _("It is not a date as 2026-03-16.")
_NO_MOMENT = _("It is not a moment as 2026-03-16T10:00:00+08:00.")
_NO_OBJECT = _("It is not an object, in { }.")
_ONE_OF = _("It must be one of %(expected)s.")
_UNSTORABLE = _("It holds a character that cannot be stored.")

#: pydantic's names of what can be wrong → our sentence; the placeholders are pydantic's own
SENTENCES: dict[str, Any] = {
    "missing": _("It is missing."),
    "extra_forbidden": _("This field is not known here."),
    "literal_error": _ONE_OF, "enum": _ONE_OF,
    "string_too_long": _("It is longer than %(max_length)d characters."),
    "string_too_short": _("It is shorter than %(min_length)d characters."),
    "too_long": _("It has more than %(max_length)d entries."),
    "greater_than_equal": _("It is less than %(ge)d."),
    "less_than_equal": _("It is more than %(le)d."),
    "string_type": _NO_TEXT, "string_unicode": _UNSTORABLE, "unstorable": _UNSTORABLE,
    "int_type": _NO_NUMBER, "int_parsing": _NO_NUMBER, "int_from_float": _NO_NUMBER, "int_parsing_size": _NO_NUMBER,
    "bool_type": _NO_TRUTH, "bool_parsing": _NO_TRUTH, "uuid_type": _NO_ID, "uuid_parsing": _NO_ID,
    "date_type": _NO_DATE, "date_parsing": _NO_DATE, "date_from_datetime_parsing": _NO_DATE, "date_from_datetime_inexact": _NO_DATE,
    "datetime_type": _NO_MOMENT, "datetime_parsing": _NO_MOMENT, "datetime_from_date_parsing": _NO_MOMENT,
    "datetime_object_invalid": _NO_MOMENT, "timezone_aware": _NO_MOMENT, "list_type": _("It is not a list, in [ ]."),
    "dict_type": _NO_OBJECT, "model_type": _NO_OBJECT, "model_attributes_type": _NO_OBJECT,
}  # fmt: skip


def what_is_wrong(error: Mapping[str, Any]) -> str:
    """Return the sentence for one of pydantic's errors; its own, in English, for a kind that has none here.

    >>> what_is_wrong({"type": "frozen_field", "msg": "Field is frozen"})
    'Field is frozen'
    """
    kind, values = str(error["type"]), dict(error.get("ctx") or {})
    if kind == "string_too_short" and values.get("min_length") == 1:
        return str(_EMPTY)
    if "expected" in values:
        values["expected"] = str(values["expected"]).replace(" or ", ", ")
    return str(SENTENCES[kind]) % values if kind in SENTENCES else str(error["msg"])
