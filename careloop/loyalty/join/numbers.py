"""Member numbers: short enough to read out, and checkable when typed."""

# a quasigroup that finds every wrong digit and every pair of neighbours in the wrong order (H. M. Damm, 2004)
DAMM = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip


def check_digit(digits: str) -> str:
    """Return the digit that makes a member number checkable.

    >>> check_digit("572")
    '4'
    """
    state = 0
    for digit in digits:
        state = int(DAMM[state][int(digit)])
    return str(state)


def is_member_number(text: str) -> bool:
    """Return whether a number was typed without a mistake: every single wrong digit and every swap of two neighbours shows.

    >>> is_member_number("5724"), is_member_number("5274"), is_member_number("")
    (True, False, False)
    """
    return text.isascii() and text.isdigit() and len(text) > 1 and check_digit(text) == "0"
