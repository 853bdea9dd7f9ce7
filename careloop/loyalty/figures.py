"""How points and members' numbers are written, for staff and patients alike."""

from django.utils.translation import ngettext

# what a clinic calls points when it gives them no name of their own: said in the reader's language
PLAIN = {"", "點", "点", "點數", "積分", "积分", "points"}


def named_points(points: int, name: str) -> str:
    """Return points with the clinic's own name for them, or in the reader's words.

    >>> named_points(1200, "愛心")
    '1,200 愛心'
    """
    if name in PLAIN:
        return ngettext("%(n)s point", "%(n)s points", points) % {"n": f"{points:,}"}
    return f"{points:,} {name}"


def signed(points: int) -> str:
    """Return points with their sign.

    >>> signed(1200), signed(-30), signed(0)
    ('+1,200', '−30', '0')
    """
    return f"+{points:,}" if points > 0 else f"−{-points:,}" if points else "0"


def in_groups(number: str) -> str:
    """Return a member's number in groups of three, as the card shows it.

    >>> in_groups("123456784")
    '123 456 784'
    """
    return " ".join(number[at : at + 3] for at in range(0, len(number), 3))
