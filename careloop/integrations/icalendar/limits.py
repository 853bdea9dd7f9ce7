"""How often a link may be asked: calendar programs ask every few minutes, and never more."""

import hashlib
import time

from django.core.cache import cache

WINDOW_SECONDS = 600
PER_LINK = 60
# for addresses from which tokens come that open nothing; a clinic's whole network may stand behind one
PER_ADDRESS = 120


def wait_for(what: str, limit: int) -> int:
    """Count one more ask; return 0, or after how many seconds to come again."""
    # counting on makes the cache forget later, so each window counts under a name of its own
    window, past = divmod(int(time.time()), WINDOW_SECONDS)
    key = "calendar:" + hashlib.sha256(f"{window}|{what}".encode()).hexdigest()
    if cache.add(key, 1, WINDOW_SECONDS):
        return 0
    try:
        asked = cache.incr(key)
    except ValueError:  # emptied in between
        return 0
    return WINDOW_SECONDS - past if asked > limit else 0
