"""What patients write that a person must act on."""

from datetime import datetime, timedelta

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from careloop.events.registry import Published, reader, reading_now
from careloop.followups import services
from careloop.followups.models import FollowUp
from careloop.kernel import sql

# Answer code → kind, priority, title, script. Rule T4: emergencies go to a person at once, and no automatic advice is given.
ASKED_FOR: dict[str, tuple[str, int, str | Promise, str | Promise]] = {
    "EMERGENCY": (
        FollowUp.Kind.CALL, 1, _("Possible emergency: call now"),
        _("The patient’s message sounds like an emergency. Call at once. If there is danger, ask them to call 119; "
          "for thoughts of suicide the line is 1925. Tell the physician on duty."),
    ),
    "UNWELL": (
        FollowUp.Kind.CHECK, 1, _("Says they are not well"),
        _("Ask what is wrong, since when, and how bad it is. Bring the physician in if you are in doubt."),
    ),
    "CALL_ME": (FollowUp.Kind.CALL, 2, _("Asks to be called"), _("Read the conversation first, then call and ask how you can help.")),
    "BOOK": (FollowUp.Kind.VISIT, 2, _("Would like a visit"), _("Offer two times that fit the patient’s usual day and physician.")),
}  # fmt: skip
NEWER_THAN = timedelta(days=7)  # a log that is replayed opens nothing for what was said long ago


@reader("followups", kinds=("message.received",), batch_size=2000)
def open_what_is_asked_for(batch: list[Published]) -> None:
    """Open a follow-up for each answer that asks for a person; the inbound message is its origin, so once."""
    open_for(batch, now=reading_now())


def open_for(batch: list[Published], *, now: datetime) -> int:
    """Open follow-ups for these events, one statement per kind of answer; return how many are new."""
    opened = 0
    language = sql.value("select language from tenancy_organization")
    for answer, (kind, priority, title, script) in ASKED_FOR.items():
        asking = [
            event for event in batch
            if event.payload.get("answer") == answer and event.patient_id and not event.historical
            and event.occurred_at > now - NEWER_THAN
        ]  # fmt: skip
        if not asking:
            continue
        with translation.override(language):
            opened += services.create_many(
                wanted=services.Wanted(
                    "select * from unnest(%(patients)s::uuid[], %(messages)s::text[]) as w (patient_id, origin_id)",
                    {
                        "patients": [event.patient_id for event in asking],
                        "messages": [str(event.payload["message_id"]) for event in asking],
                    },
                ),
                title=str(title), script=str(script), kind=kind, priority=priority, due_at=now, now=now, by=None, origin="message",
            )  # fmt: skip
    return opened
