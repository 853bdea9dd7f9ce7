"""From the token in a link to the message it belongs to, inside the right organization."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from careloop.audit.services import Actor, acting_as
from careloop.kernel import sql
from careloop.kernel.ids import token_hash
from careloop.messaging.models import AnswerLink, Message
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Organization


@dataclass(frozen=True)
class Opened:
    """An open door: the link, the message it came in, and the clinic."""

    link: AnswerLink
    message: Message
    organization: Organization


@contextmanager
def opened(token: str, *, now: datetime) -> Iterator[Opened | None]:
    """Enter the organization of the message this token came in, as its patient; None when it opens nothing (any more)."""
    wanted = token_hash(token)
    organization_id = sql.value("select messaging_find_link(%s)", [wanted])
    if organization_id is None:
        yield None
        return
    with in_organization(organization_id):
        link = (
            AnswerLink.objects.select_related(
                "message__template_version__template", "message__patient", "message__organization"
            )
            .filter(token_hash=wanted, revoked_at__isnull=True, expires_at__gt=now)
            .first()
        )
        if link is None:
            yield None
            return
        clinic = link.message.organization
        with timezone.override(clinic.time_zone), acting_as(Actor("patient", id=link.message.patient_id, via="link")):
            yield Opened(link, link.message, clinic)
