"""The conversation with one patient, and writing to them."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.kernel.ids import uuid7
from careloop.messaging import selectors, services
from careloop.messaging.models import ChannelAccount
from careloop.patients.models import Patient
from careloop.web.http import redirect_to, respond
from careloop.web.screens.messages import common
from careloop.web.screens.messages.forms import WriteForm


@requires("messages.view")
@require_http_methods(["GET", "POST"])
def conversation(request: HttpRequest, patient_id: UUID) -> HttpResponse:
    """Everything said both ways; a POST sends words of one's own."""
    patient = Patient.objects.filter(pk=patient_id).first()
    if patient is None:
        raise Http404
    now = timezone.now()
    member: Any = request.member  # type: ignore[attr-defined]
    may_write = member.can("messages.send")
    form = write_form(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not may_write:
            from django.core.exceptions import PermissionDenied

            raise PermissionDenied("messages.send")
        if form.is_valid():
            try:
                services.write_to(
                    patient_id=patient_id, text=form.cleaned_data["text"], subject=form.cleaned_data["subject"],
                    channel=form.cleaned_data["channel"], key=f"staff:{form.cleaned_data['key']}", by=request.user, now=now,
                    at_once=True,
                )  # fmt: skip
            except DomainError as error:
                form.add_error("text", str(error))
            else:
                selectors.mark_read(patient_id, now=now)
                return redirect_to(
                    request,
                    reverse("messaging:conversation", args=[patient_id]),
                    message=_("The message is on its way."),
                )
    else:
        if may_write:
            selectors.mark_read(patient_id, now=now)
        audit.record("messages.conversation_viewed", patients=[patient_id])
    context = {
        "patient": patient, "lines": lines_of(patient_id), "form": form, "may_write": may_write,
    }  # fmt: skip
    return respond(request, "messages/conversation.html", context, status=422 if form.errors else 200)


def write_form(data: Any = None) -> WriteForm:
    """Return the form with the channels that are connected."""
    connected = ChannelAccount.objects.filter(enabled=True, is_default=True).values_list("channel", flat=True)
    choices = [(name, label) for name, label in common.CHANNEL_NAMES.items() if name in set(connected)]
    return WriteForm(data, channels=choices, initial={"key": str(uuid7())})


def lines_of(patient_id: UUID, *, limit: int = 60) -> list[dict[str, Any]]:
    """Return the thread with the words of its channels."""
    return [
        {**line, "channel_label": common.channel_name(line["channel"])}
        for line in selectors.thread(patient_id, limit=limit)
    ]
