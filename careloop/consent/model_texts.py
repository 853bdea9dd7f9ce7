"""Model texts to begin a notice with, in three languages. A clinic reads, changes and publishes them as its own.

Source of the six items: Personal Data Protection Act art. 8(1). They are a starting point, not legal advice.
"""

from functools import cache
from importlib.resources import files

import orjson

Texts = dict[str, dict[str, str]]


@cache
def _all() -> dict[str, Texts]:
    found: dict[str, Texts] = orjson.loads(files("careloop.consent").joinpath("data/model_texts.json").read_bytes())
    return found


def model_texts(purpose: str, *, clinic: str) -> Texts:
    """Return the model text of the privacy notice (empty purpose) or of a purpose, with the clinic's name in it.

    >>> model_texts("MARKETING", clinic="安心診所")["zh-hant"]["title"]
    '活動與優惠訊息同意書'
    """
    return {
        language: {part: text.replace("{clinic}", clinic) for part, text in texts.items()}
        for language, texts in _all()[purpose].items()
    }
