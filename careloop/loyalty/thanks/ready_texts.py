"""The words of thanks and greetings that come with the program: brought in when something first uses them."""

import tomllib
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db import transaction

from careloop.loyalty.thanks.lunar import Occasion
from careloop.messaging import texts
from careloop.messaging.models import MessageTemplate

REFERRAL = "referral-thanks"
BIRTHDAY, BIRTHDAY_DAYS = "birthday", "birthday-days"


@lru_cache(maxsize=1)
def _library() -> dict[str, dict[str, Any]]:
    path = Path(__file__).parent / "data" / "texts.toml"
    return {one["key"]: one for one in tomllib.loads(path.read_text(encoding="utf-8"))["template"]}


def key_for(occasion: str, *, window_days: int = 0) -> str:
    """Return the text that comes with the program for an occasion.

    >>> key_for("MID_AUTUMN"), key_for("BIRTHDAY"), key_for("BIRTHDAY", window_days=3)
    ('greeting-mid-autumn', 'birthday', 'birthday-days')
    """
    if occasion == Occasion.BIRTHDAY:
        return BIRTHDAY_DAYS if window_days else BIRTHDAY
    return f"greeting-{occasion.lower().replace('_', '-')}"


@transaction.atomic
def bring_in(key: str, *, now: datetime) -> None:
    """Give the organization a text of ours that it does not have yet, published; a text of its own with this key stays."""
    if MessageTemplate.objects.filter(key=key).exists():
        return
    if key == BIRTHDAY:
        texts.library_version(key)
        return
    entry = _library().get(key)
    if entry is None:
        return
    template = MessageTemplate.objects.create(
        key=key, name=entry["name"], description=entry["description"], message_class=entry["class"], is_library=True,
        created_at=now,
    )  # fmt: skip
    draft = texts.save_draft(template=template, texts=entry["texts"], by=None, now=now)
    texts.publish(version_id=draft.pk, by=None, now=now)
