"""Kinds of arguments that several commands take."""

import argparse
from collections.abc import Callable


def number(least: int, most: int) -> Callable[[str], int]:
    """Return an argument type: a whole number in these bounds, anything else is wrong usage."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"“{text}” is no whole number") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return read
