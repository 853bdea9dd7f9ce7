"""What a mail server's answer means for us."""

import re
from typing import NamedTuple

from careloop.messaging.ports import ChannelError, Reason

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})\b")
_ADDRESS = re.compile(r"\S*@\S*")

# A greylisting server wants us back after some minutes; sooner is answered with the same 4xx.
GREYLIST_SECONDS = 300.0


class Reply(NamedTuple):
    """One answer of the server: the code and its lines joined."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300


def without_addresses(text: str) -> str:
    """Return a server's words on one line without the mailboxes they name, short enough to keep.

    >>> without_addresses("5.1.1 <ming@example.com>: unknown")
    '5.1.1 (address) unknown'
    """
    return _ADDRESS.sub("(address)", " ".join(text.split()))[:160]


def error_from(reply: Reply, *, stage: str) -> ChannelError:
    """Translate a refusal at `stage` (connect, auth, mail, rcpt, data, content) into a typed error.

    4xx can be tried again, 5xx cannot (RFC 5321 4.2.1). The enhanced code (RFC 3463) says more than the
    basic one and wins where it is given.
    """
    found = _ENHANCED.match(reply.text)
    subject, detail = (int(found[2]), int(found[3])) if found else (None, None)
    words = f"{stage}: {reply.code} {without_addresses(reply.text)}".strip()
    temporary = 400 <= reply.code < 500
    if stage == "auth" or reply.code in (530, 534, 535, 538):
        return ChannelError(words, retry=temporary, reason=Reason.AUTH)
    if temporary:
        reason = Reason.RATE if subject == 7 or reply.code in (421, 450, 451) else Reason.UNAVAILABLE
        return ChannelError(words, retry=True, reason=reason, retry_after=GREYLIST_SECONDS)
    return ChannelError(words, retry=False, reason=_final(reply.code, subject, detail, stage))


def _final(code: int, subject: int | None, detail: int | None, stage: str) -> Reason:
    if stage == "mail":
        return Reason.AUTH if subject in (None, 7) else Reason.REFUSED  # our own sender address is refused
    if subject == 1 or (subject == 2 and detail == 1):
        return Reason.BAD_ADDRESS  # no such mailbox, or it is closed
    if code == 552 or (subject == 3 and detail == 4) or (subject == 2 and detail == 3):
        return Reason.TOO_LONG if stage == "content" else Reason.BLOCKED
    if subject in (2, 7):
        return Reason.BLOCKED if stage == "rcpt" else Reason.REFUSED
    if stage == "rcpt" and code in (550, 551, 553):
        return Reason.BAD_ADDRESS
    return Reason.REFUSED
