"""How often something may be asked for: counted in the shared cache, over all processes and machines.

A window slides: the times of the last asks are kept, and old ones fall out. Two asks at the very same moment may both be let in
as the last one; what must be exact (the tries of a code) is counted in its row instead.
"""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.cache import cache


@dataclass(frozen=True)
class Limit:
    """At most `most` times in `seconds`, for one `key` (an address, a network address, a clinic)."""

    name: str
    key: str
    most: int
    seconds: int

    @property
    def cache_key(self) -> str:
        # keys are hashed: the table of the cache is shared by all clinics
        return "portal:" + hashlib.sha256(f"{self.name}|{self.key}".encode()).hexdigest()


def wait_for(limits: Iterable[Limit]) -> int:
    """Count one more ask under every limit; return 0, or after how many seconds to come again (then nothing is counted)."""
    now = time.time()
    asked = [(one, [at for at in cache.get(one.cache_key, []) if at > now - one.seconds]) for one in limits]
    waits = [int(times[0] + one.seconds - now) + 1 for one, times in asked if len(times) >= one.most]
    if waits:
        return max(waits)
    for one, times in asked:
        cache.set(one.cache_key, [*times, now], one.seconds)
    return 0


def minutes(seconds: int) -> int:
    """Return whole minutes, at least one, for a sentence.

    >>> minutes(5), minutes(61), minutes(3600)
    (1, 2, 60)
    """
    return max(1, -(-seconds // 60))
