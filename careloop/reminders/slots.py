"""What keeps messages about the waiting room right; see `turns.py`."""

from careloop.messaging import planning
from careloop.reminders import turns

planning.bind(turns.ORIGIN, stale=turns.STALE)
