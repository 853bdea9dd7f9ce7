"""How many records of each kind there are: a registry that slices above add to."""

from collections.abc import Callable

from careloop.kernel import sql

Count = Callable[[], dict[str, int]]
_counts: list[Count] = []


def register(count: Count) -> None:
    """Add a function that returns FHIR resource name → number; slices above do this in their `slots.py`."""
    if count not in _counts:
        _counts.append(count)


def counted(name: str, table: str, where: str = "true") -> Count:
    """Return a count of one table's rows under one name: `counting.register(counted("Message", "messaging_message"))`."""

    def count() -> dict[str, int]:
        return {name: sql.value(f"select count(*) from {table} where {where}")}

    return count


def everything() -> dict[str, int]:
    """Return all counts by name, in alphabetical order; equal names are added up."""
    found: dict[str, int] = {}
    for count in _counts:
        for name, number in count().items():
            found[name] = found.get(name, 0) + number
    return dict(sorted(found.items()))
