"""What messaging gives out and erases for one person."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.messaging import sealing
from careloop.messaging.models import Conversation, InboundMessage, Message
from careloop.patients.sealing import load_keys


def export(patient_id: UUID) -> dict[str, Any]:
    """Return everything said to the patient and by them, in clear, and what was not sent and why."""
    key = load_keys([patient_id]).get(patient_id)

    def opened(place: str, sealed: Any) -> dict[str, Any]:
        return sealing.open_under(key, place, bytes(sealed)) if key and sealed else {}

    sent = [
        {
            "at": one.accepted_at or one.due_at, "channel": one.channel, "class": one.message_class, "state": one.state,
            "reason": one.reason, "template": one.template_version.template.name if one.template_version else "",
            "values": one.params, "answer": one.answer, "said": opened(f"{sealing.CONTENT_PLACE}.{one.pk}", one.content_sealed),
        }
        for one in Message.objects.filter(patient_id=patient_id).select_related("template_version__template").order_by("due_at")
    ]  # fmt: skip
    heard = [
        {
            "at": one.occurred_at, "channel": one.conversation.channel, "kind": one.kind, "answer": one.answer,
            "said": opened(f"{sealing.INBOUND_PLACE}.{one.pk}", one.text_sealed),
        }
        for one in InboundMessage.objects.filter(patient_id=patient_id).select_related("conversation").order_by("occurred_at")
    ]  # fmt: skip
    return {"messages": sent, "answers": heard}


def erase(patient_id: UUID) -> None:
    """Erase the words both ways, the values in them and the doors; keep that a message was sent, for the clinic's evidence."""
    InboundMessage.objects.filter(patient_id=patient_id).delete()
    Conversation.objects.filter(patient_id=patient_id).delete()
    sql.execute(
        "delete from messaging_answer_link where message_id in (select id from messaging_message where patient_id = %s)",
        [patient_id],
    )
    sql.execute(
        """update messaging_message
              set content_sealed = null, params = '{}', contact_point_id = null, related_person_id = null, together = '',
                  state = case when state = 'planned' then 'cancelled' else state end,
                  reason = case when state = 'planned' then 'withdrawn' else reason end,
                  closed_at = case when state = 'planned' then now() else closed_at end
            where patient_id = %s""",
        [patient_id],
    )
