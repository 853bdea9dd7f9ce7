"""The list of messages, one message with its history, and what staff decide about it."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.audit import services as audit
from careloop.kernel.errors import DomainError
from careloop.messaging import selectors, services
from careloop.messaging.models import Message
from careloop.messaging.reasons import reason_label
from careloop.messaging.words import answer_label
from careloop.web.frame import LANGUAGE_NAMES
from careloop.web.http import Cursor, Page, redirect_to, refuse, respond
from careloop.web.screens.messages import common
from careloop.web.screens.messages.forms import FilterForm


@requires("messages.view")
@require_GET
def messages(request: HttpRequest) -> HttpResponse:
    """Messages of a period, with their state and the reason in words."""
    now = timezone.now()
    form = FilterForm(request.GET or None)
    filters = FilterForm(request.GET).filters()
    after = request.GET.get("after", "")
    before = Cursor.decode(after, keys=2).values if after else None
    found = selectors.messages(filters, now=now, before=before)  # type: ignore[arg-type]
    rows = [shown(row) for row in found[: selectors.PAGE]]
    following = ""
    if len(found) > selectors.PAGE:
        last = found[selectors.PAGE - 1]
        following = Cursor((last["due_at"], last["id"])).encode()
    params: dict[str, str | list[str]] = {
        name: str(value) for name, value in request.GET.items() if value and name != "after"
    }
    audit.record("messages.listed", patients=[row["patient_id"] for row in rows], details={"filters": sorted(params)})
    waiting = selectors.waiting_for_people()
    counts = selectors.counts(now=now, days=filters.days)
    context = {
        "form": form, "page": Page(rows, next=following, params=params), "rows": rows, "waiting": waiting,
        "stats": _stats(counts), "tabs": common.tabs(request, "list", unread=waiting["unread"]), "is_filtered": bool(params),
    }  # fmt: skip
    return respond(request, "messages/list.html", context)


def _stats(counts: dict[str, int]) -> list[dict[str, Any]]:
    here = reverse("messaging:list")
    labels = (
        ("accepted", pgettext("messages", "Sent"), ""), ("planned", pgettext("messages", "Planned"), ""), ("blocked", _("Not sent, with reason"), ""),
        ("failed", pgettext("messages", "Failed"), "danger"), ("unknown", pgettext("messages", "Unknown"), "warning"),
    )  # fmt: skip
    return [
        {
            "label": label,
            "value": counts.get(state, 0),
            "href": f"{here}?state={state}",
            "tone": tone if counts.get(state) else "",
        }
        for state, label, tone in labels
    ]


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return one row with its words."""
    paused = row["paused_until"] and row["state"] == "planned" and row["pause_reason"]
    reason = reason_label(row["reason"]) if row["reason"] else ""
    if paused:
        reason = reason_label("paused")
    elif row["state"] == "planned" and (row["details"] or {}).get("delay"):
        reason = reason_label(row["details"]["delay"])
    return {
        **row, "tone": common.TONES[row["state"]], "state_label": common.state_label(row["state"]), "reason_label": reason,
        "channel_label": common.channel_name(row["channel"]), "channel_icon": common.CHANNEL_ICONS.get(row["channel"], "ban"),
        "answer_label": answer_label(row["answer"]) if row["answer"] else "", "at": row["accepted_at"] or row["due_at"],
        "origin_label": Message.Origin(row["origin"]).label,
    }  # fmt: skip


@requires("messages.view")
@require_GET
def answers(request: HttpRequest) -> HttpResponse:
    """What patients wrote and nobody has read yet."""
    found = selectors.unread_conversations()
    audit.record("messages.answers_listed", patients=[row["patient_id"] for row in found])
    rows = [
        {
            **row,
            "channel_label": common.channel_name(row["channel"]),
            "channel_icon": common.CHANNEL_ICONS[row["channel"]],
        }
        for row in found
    ]
    return respond(
        request, "messages/answers.html", {"rows": rows, "tabs": common.tabs(request, "answers", unread=len(rows))}
    )


@requires("messages.view")
@require_GET
def page(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """One message: what it says, where it stands, everything that happened and why."""
    row = selectors.message(message_id)
    if row is None:
        raise Http404
    message = Message.objects.select_related("planned_by", "patient").get(pk=message_id)
    audit.record("message.viewed", patients=[message.patient_id], target=("message", message_id))
    member: Any = request.member  # type: ignore[attr-defined]
    said = selectors.content(message)
    context = {
        "row": shown(row), "message": message, "said": said if message.state == Message.State.ACCEPTED else {},
        "history": selectors.history(message), "may_decide": member.can("messages.send"),
        "can_cancel": message.state == Message.State.PLANNED,
        "can_retry": message.state in (Message.State.FAILED, Message.State.BLOCKED),
        "is_unknown": message.state == Message.State.UNKNOWN,
        "language": LANGUAGE_NAMES.get(message.language, message.language), "details": _details(message),
    }  # fmt: skip
    return respond(request, "messages/page.html", context)


def _details(message: Message) -> list[dict[str, Any]]:
    found = []
    details = message.details if isinstance(message.details, dict) else {}
    if "missing" in details:
        found.append({"label": _("Missing values"), "value": ", ".join(details["missing"] or [])})
    if "cap" in details:
        found.append(
            {"label": _("Marketing messages in 30 days"), "value": f"{details.get('had', 0)} / {details['cap']}"}
        )
    if "said" in details:
        found.append({"label": _("What the provider said"), "value": details["said"]})
    if "rules" in details:
        found.append({"label": _("Legal rules"), "value": ", ".join(details["rules"])})
    return found


@requires("messages.send")
@require_POST
def cancel(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Stop a message that has not left."""
    _known(message_id)
    done = services.cancel(message_ids=[message_id], reason="staff", now=timezone.now(), by=request.user.pk)
    text = _("The message is cancelled.") if done else _("It has left already.")
    return _back(request, message_id, text, tone="success" if done else "warning")


@requires("messages.send")
@require_POST
def retry(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Plan it again; every rule is asked again before it leaves."""
    _known(message_id)
    try:
        services.retry(message_id=message_id, by=request.user, now=timezone.now())
    except DomainError as error:
        return refuse(request, str(error))
    return _back(request, message_id, _("It is planned again. Every rule is checked again before it leaves."))


@requires("messages.send")
@require_POST
def resolve(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Settle a message of which nobody knows whether it arrived."""
    _known(message_id)
    decision = request.POST.get("decision", "")
    if decision not in ("arrived", "leave", "send_again"):
        return refuse(request, _("Choose what to do with it."))
    try:
        services.resolve_unknown(message_id=message_id, decision=decision, by=request.user, now=timezone.now())
    except DomainError as error:
        return refuse(request, str(error))
    return _back(request, message_id, _("Settled."))


def _known(message_id: UUID) -> None:
    if selectors.message(message_id) is None:
        raise Http404


def _back(request: HttpRequest, message_id: UUID, text: str, *, tone: str = "success") -> HttpResponse:
    return redirect_to(request, reverse("messaging:page", args=[message_id]), message=text, tone=tone)
