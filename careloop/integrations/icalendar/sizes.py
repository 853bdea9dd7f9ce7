"""How large a calendar file may be. By itself, so that nobody loads the parser who only asks this."""

LARGEST = 1_000_000  # bytes
