"""A reason that somebody gives is kept as evidence, so it has to say something."""

from careloop.kernel.text import clean
from careloop.policy.errors import ReasonNeeded

LEAST_REASON = 5


def reason_given(reason: str) -> str:
    """Return the reason as it is kept.

    Raises:
        ReasonNeeded: there is none to speak of.
    """
    reason = clean(reason)
    if len(reason) < LEAST_REASON:
        raise ReasonNeeded(least=LEAST_REASON)
    return reason
