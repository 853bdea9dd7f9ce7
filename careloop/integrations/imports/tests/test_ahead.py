"""Reading ahead changes when chunks are made, and nothing else."""

import threading
from collections.abc import Iterator

import pytest
from django.utils import translation

from careloop.integrations.imports.ahead import ahead


class Source:
    """Counts how far it was read and whether it was closed."""

    def __init__(self, size: int, breaks_at: int = -1) -> None:
        self.size = size
        self.breaks_at = breaks_at
        self.made = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.size):
                if number == self.breaks_at:
                    raise ValueError("broken")
                self.made += 1
                yield number
        finally:
            self.closed.set()


def test_chunks_come_in_their_order():
    assert list(ahead(Source(100), chunks=3)) == list(range(100))


def test_the_source_runs_only_so_far_ahead():
    source = Source(1000)

    stream = ahead(source, chunks=3)
    assert next(stream) == 0
    stream.close()

    assert source.made <= 6
    assert source.closed.is_set()


def test_what_the_source_raises_is_raised_after_what_it_made():
    stream = ahead(Source(10, breaks_at=4))

    assert [next(stream) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_a_caller_that_fails_ends_the_reading():
    source = Source(1000)

    def write() -> None:
        for _number in ahead(source, chunks=2):
            raise KeyError

    with pytest.raises(KeyError):
        write()

    assert source.closed.wait(2)


def test_what_is_refused_is_said_in_the_callers_language() -> None:
    def spoken() -> Iterator[str | None]:
        yield translation.get_language()

    with translation.override("zh-hans"):
        assert list(ahead(spoken())) == ["zh-hans"]  # type: ignore[arg-type, comparison-overlap]
    with translation.override("en"):
        assert list(ahead(spoken())) == ["en"]  # type: ignore[arg-type, comparison-overlap]
