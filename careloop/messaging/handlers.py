"""What messaging does again and again, and what it does about what patients answer."""

import threading
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import override

from careloop.events.registry import Published, reader
from careloop.followups import services as followups
from careloop.kernel import sql
from careloop.tenancy.context import in_organization
from careloop.tenancy.loops import loop

PER_VISIT = 1_000
"""How many messages of an account leave in one visit: the worker looks for a signal to stop between visits."""
_dispatcher = threading.local()


@loop("messages", every=timedelta(seconds=1))
def send_due(organization_id: UUID, *, now: datetime) -> int:
    """Send what is due. The dispatcher stays open from visit to visit, and with it the connections to the providers."""
    from careloop.messaging.dispatch import Dispatcher

    if not hasattr(_dispatcher, "kept"):
        _dispatcher.kept = Dispatcher()
    return int(_dispatcher.kept.pass_over(organization_id, limit=PER_VISIT).total)


@loop("inbound", every=timedelta(seconds=5))
def understand_waiting(organization_id: UUID, *, now: datetime) -> int:
    """Catch up with what came in, should its job have been lost with its process."""
    from careloop.messaging import inbound

    with in_organization(organization_id):
        return inbound.process_waiting(now=now)


@reader("messaging.answers", kinds=("message.received",))
def open_follow_ups(batch: list[Published]) -> None:
    """Give staff a task when a patient writes words that no rule understands.

    An answer that asks for a person is the follow-ups' own business: they know what to say on the phone.
    """
    language = sql.value("select language from tenancy_organization")
    with override(language):
        for one in batch:
            if one.historical or one.patient_id is None or one.payload["answer"]:
                continue
            if one.payload["form"] in ("TEXT", "MEDIA") and not _is_being_read(one.patient_id):
                followups.create(
                    patient_id=one.patient_id, kind="REPLY", title=_("Read and answer what the patient wrote"), priority=2,
                    due_at=one.recorded_at, origin="message", origin_id=one.payload["message_id"], now=one.recorded_at, by=None,
                )  # fmt: skip


def _is_being_read(patient_id: UUID) -> bool:
    """Whether a task to read this patient's words is open already: three texts in a row are one task."""
    return bool(
        sql.value(
            "select 1 from followups_follow_up where patient_id = %s and state = 'OPEN' and kind = 'REPLY' limit 1",
            [patient_id],
        )
    )
