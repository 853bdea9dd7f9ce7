"""How winners are computed, so that anyone can do it again. No clock, no database.

Before: the hash of the seed is published when the draw opens, the hash of the list of tickets when it closes. After: the seed is
published. A ticket's rank is SHA-256 over seed, outside value and ticket; the list is sorted by it, and the first tickets get the
prizes in the order in which these are listed. Who has won does not win again with another ticket.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

SCRIPT = Path(__file__).with_name("data") / "check_draw.txt"


def hash_of(text: str) -> str:
    """Return SHA-256 of the text in UTF-8, in hexadecimal."""
    return sha256(text.encode()).hexdigest()


def list_text(tickets: Iterable[str]) -> str:
    """Return the list of tickets as it is published and hashed: sorted, one a line, each line ended.

    >>> list_text(["b-1", "a-1"])
    'a-1\\nb-1\\n'
    """
    return "".join(f"{ticket}\n" for ticket in sorted(tickets))


def holder_of(ticket: str) -> str:
    """Return the code that all tickets of one person begin with."""
    return ticket.partition("-")[0]


def rank(ticket: str, *, seed: str, outside: str) -> str:
    """Return what decides a ticket's place; the smallest comes first."""
    return hash_of(f"{seed}|{outside}|{ticket}")


def winners(tickets: Sequence[str], *, prizes: Sequence[int], seed: str, outside: str) -> list[tuple[int, str]]:
    """Return (place of the prize, ticket) for every prize, in order; fewer when there are fewer people than prizes.

    Args:
        prizes: how many of each prize there are, in their order.
    """
    places = [place for place, count in enumerate(prizes) for _ in range(count)]
    won: list[tuple[int, str]] = []
    holders: set[str] = set()
    for ticket in sorted(tickets, key=lambda one: rank(one, seed=seed, outside=outside)):
        if len(won) == len(places):
            break
        if holder_of(ticket) not in holders:
            holders.add(holder_of(ticket))
            won.append((places[len(won)], ticket))
    return won


def script() -> str:
    """Return the script that the page shows: it reads the file of the page and computes everything again."""
    return SCRIPT.read_text(encoding="utf-8")
