"""The languages people choose from."""

from django.conf import settings
from django.utils.translation import get_language_info


def offered(kept: str = "") -> list[tuple[str, str]]:
    """Return the languages of the product with their names, and the one kept of somebody if it is another.

    An import keeps a language as it was given (zh-TW, vi), and whoever saves a form must not take it away.
    """
    ours = [(code, str(name)) for code, name in settings.LANGUAGES]
    return [*ours, (kept, _name(kept))] if kept and kept not in dict(ours) else ours


def _name(code: str) -> str:
    """Return a language in words beside its code, or the code alone.

    >>> _name("xx-unknown")
    'xx-unknown'
    """
    try:
        return f"{get_language_info(code.lower())['name_translated']} ({code})"
    except KeyError:
        return code
