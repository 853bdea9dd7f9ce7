"""What people agreed to, refused, and were shown."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "consent.given", label=_("Consent given"), group="profile", icon="circle-check",
    sentence=_("Agreed to %(purpose)s on %(channel)s."),
)  # fmt: skip
@dataclass(frozen=True)
class ConsentGiven:
    """An agreement, in force from now on."""

    consent_id: UUID
    purpose: str
    channel: str
    source: str


@fact(
    "consent.withdrawn", label=_("Consent withdrawn"), group="profile", icon="ban",
    sentence=_("Refused %(purpose)s on %(channel)s."),
)  # fmt: skip
@dataclass(frozen=True)
class ConsentWithdrawn:
    """A refusal, in force from now on; it wins over agreements."""

    consent_id: UUID
    purpose: str
    channel: str
    source: str


@fact(
    "notice.shown", label=_("Privacy notice shown"), group="profile", icon="clipboard-check",
    sentence=_("Was shown the privacy notice, version %(version)s."),
)  # fmt: skip
@dataclass(frozen=True)
class PrivacyNoticeShown:
    """The person was shown a version of the privacy notice (PDPA art. 8, 9)."""

    notice_id: UUID
    version: int
    how: str
