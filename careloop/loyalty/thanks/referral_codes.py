"""Codes that members give away: short, read out without mistakes. Pure: no clock, no database."""

import secrets

ALPHABET = "23456789ACDEFGHJKMNPQRTUVWXY"
"""28 signs: without 0 and O, 1, I and L, B (8), S (5) and Z (2)."""
LENGTH = 7
_CONFUSED = str.maketrans({"B": "8", "S": "5", "Z": "2"})


def new_code() -> str:
    """Return a new code: six signs by chance, and one that shows a slip."""
    body = "".join(secrets.choice(ALPHABET) for _number in range(LENGTH - 1))
    return body + check_sign(body)


def check_sign(body: str) -> str:
    """Return the last sign of a code.

    The weights share no factor with 28, the number of signs: every single wrong sign is seen, and nearly every pair of neighbours
    changed round.

    >>> check_sign("K7MX4Q")
    'F'
    """
    total = sum(ALPHABET.index(sign) * weight for sign, weight in zip(body, (1, 3, 5, 9, 11, 13), strict=True))
    return ALPHABET[-total % len(ALPHABET)]


def read_code(text: str) -> str:
    """Return the code that somebody typed or read out, or an empty text when it is none.

    What looks like a sign of ours is taken for it (5 for S); spaces, hyphens and small letters do not matter.

    >>> read_code(" k7m-x4qf "), read_code("K7M-X4QH"), read_code("hello"), read_code("K7M X4Q")
    ('K7MX4QF', '', '', '')
    """
    plain = "".join(text.upper().split()).replace("-", "").replace("－", "").translate(_CONFUSED)
    if len(plain) != LENGTH or any(sign not in ALPHABET for sign in plain):
        return ""
    return plain if check_sign(plain[:-1]) == plain[-1] else ""


def spoken_code(code: str) -> str:
    """Return a code as it is written for people.

    >>> spoken_code("K7MX4QF")
    'K7M-X4QF'
    """
    return f"{code[:3]}-{code[3:]}"
