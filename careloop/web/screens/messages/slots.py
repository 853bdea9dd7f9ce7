"""What these screens add to a patient's page: the conversation, and writing to the patient."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from careloop.messaging import selectors
from careloop.patients.panels import Panel, PatientHead, Rendered, register
from careloop.web.screens.messages import writing


def render_messages(request: HttpRequest, patient: PatientHead) -> Rendered:
    """The last messages both ways, and a form to write one."""
    member: Any = request.member  # type: ignore[attr-defined]
    context = {
        "lines": writing.lines_of(patient.id, limit=30), "form": writing.write_form(), "may_write": member.can("messages.send"),
    }  # fmt: skip
    return "messages/_patient_panel.html", context


def render_next(request: HttpRequest, patient: PatientHead) -> Rendered:
    """Unread words of this patient, where staff look first."""
    unread = selectors.unread_of(patient.id)
    return ("messages/_patient_next.html", {"unread": unread}) if unread else None


register(Panel("messages", _("Messages"), render_messages, order=60, permission="messages.view", icon="messages"))
register(
    Panel(
        "messages",
        _("Messages"),
        render_next,
        order=10,
        permission="messages.view",
        place="next",
        asks=True,
        shows_when="exists (select 1 from messaging_conversation c where c.patient_id = p.id and c.unread > 0)",
    )
)
