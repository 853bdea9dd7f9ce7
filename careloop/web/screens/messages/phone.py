"""The sandbox phones: what a demo patient's phone shows, and answering as the patient. Nothing leaves this machine."""

from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.integrations.channels.sandbox import services as sandbox
from careloop.integrations.channels.sandbox.models import SandboxDelivery
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.messaging import channels, inbound, selectors, services
from careloop.patients.sealing import load_keys, unseal
from careloop.web.http import is_htmx, redirect_to, refuse, respond
from careloop.web.screens.messages import common

KINDS = ("text", "quick_reply", "button", "block", "unblock")
MOST_SHOWN = 40


@requires("messages.view")
@require_GET
def phones(request: HttpRequest) -> HttpResponse:
    """Choose a patient: those who got something last come first."""
    accounts = _accounts()
    text = request.GET.get("q", "").replace("\0", "").strip()[:60]
    here, limit = at_home("p.home_location_id")
    found = sql.rows(
        f"""select p.id, p.name, p.chart_number, max(d.delivered_at) as last_at, count(d.id) as n,
                  (array_agg(d.plays order by d.delivered_at desc))[1] as plays
             from patients_patient p left join channels_sandbox_delivery d on d.patient_id = p.id
            where p.merged_into_id is null and not p.deceased
              and (%(text)s = '' or position(%(text)s in p.name) > 0 or p.chart_number = %(text)s)
              and (%(text)s <> '' or d.id is not null){here}
            group by p.id order by last_at desc nulls last, p.name limit 40""",
        {"text": text, **limit},
    )
    audit.record("phones.listed", patients=[row["id"] for row in found])
    first = next(iter(accounts), "line")
    for row in found:
        row["url"] = reverse("messaging:phone", args=[row["id"], row["plays"] or first])
    context = {"rows": found, "q": text, "tabs": common.tabs(request, "phones"), "phone": None}
    return respond(request, "messages/phones.html", context, fragment="messages/_phone_list.html")


@requires("messages.view")
@require_GET
def phone(request: HttpRequest, patient_id: UUID, channel: str) -> HttpResponse:
    """One patient's phone on one channel; asked again every two seconds while it is open."""
    context = {"phone": _phone(patient_id, channel), "tabs": common.tabs(request, "phones")}
    if not is_htmx(request):
        audit.record("phone.viewed", patients=[patient_id])
    return respond(request, "messages/phones.html", context, fragment="messages/_phone.html")


@requires("messages.view")
@require_POST
def say(request: HttpRequest, patient_id: UUID, channel: str) -> HttpResponse:
    """Answer as the patient; it goes the way a real answer goes."""
    account = _accounts().get(channel)
    if account is None:
        raise Http404
    if not sql.value("select 1 from patients_patient where id = %s", [patient_id]):
        raise Http404
    kind, text, data = (
        request.POST.get("kind", "text"),
        request.POST.get("text", "").strip(),
        request.POST.get("data", ""),
    )
    if kind not in KINDS or (kind == "text" and not text):
        return refuse(request, _("Write something first."))
    now = timezone.now()
    sandbox.answer(
        channel_id=account.pk, patient_id=patient_id, kind=kind, text=text, data=data, receive=services.receive, now=now,
        event_id=request.POST.get("event_id", "")[:60],
    )  # fmt: skip
    inbound.process_waiting(now=now)  # a patient who tries the demo expects to see the answer, worker or not
    if is_htmx(request):
        return respond(
            request, "messages/phones.html", {"phone": _phone(patient_id, channel)}, fragment="messages/_phone.html"
        )
    return redirect_to(request, reverse("messaging:phone", args=[patient_id, channel]))


def _accounts() -> dict[str, Any]:
    """The sandbox accounts by channel.

    Raises:
        PermissionDenied: this organization has no sandbox: real patients have real phones.
    """
    found = {account.channel: account for account in channels.sandbox_accounts()}
    if not found:
        raise PermissionDenied("no sandbox channel")
    return found


def _phone(patient_id: UUID, channel: str) -> dict[str, Any]:
    accounts = _accounts()
    if channel not in accounts:
        raise Http404
    patient = sql.row("select id, name, chart_number from patients_patient where id = %s", [patient_id])
    if patient is None:
        raise Http404
    lines = [*_delivered(patient_id, channel), *_said(patient_id, channel)]
    lines.sort(key=lambda line: line["at"])
    blocked = sql.value(
        "select 1 from patients_contact_point where patient_id = %s and system = %s and reach = 'blocked' limit 1",
        [patient_id, {"line": "line", "sms": "phone", "email": "email"}[channel]],
    )
    return {
        "patient": patient, "channel": channel, "channel_label": common.channel_name(channel), "lines": lines[-MOST_SHOWN:],
        "is_blocked": bool(blocked), "event_id": str(uuid7()),
        "apps": [
            {"label": common.channel_name(name), "icon": common.CHANNEL_ICONS[name], "is_current": name == channel,
             "url": reverse("messaging:phone", args=[patient_id, name])}
            for name in ("line", "sms", "email") if name in accounts
        ],
        "url": reverse("messaging:phone", args=[patient_id, channel]), "say_url": reverse("messaging:say", args=[patient_id, channel]),
    }  # fmt: skip


def _delivered(patient_id: UUID, channel: str) -> list[dict[str, Any]]:
    """What lies on the phone, opened with the patient's key; taps carry an id of this view, so that a double click is one."""
    view = uuid7().hex
    key = load_keys([patient_id]).get(patient_id)
    found = SandboxDelivery.objects.on_phone_of(patient_id).filter(plays=channel)[:MOST_SHOWN]
    lines = []
    for one in found:
        if key is None:
            continue
        said = orjson.loads(
            unseal(key, bytes(one.content_sealed), table=sandbox.TABLE, column=sandbox.COLUMN, row_id=one.message_key)
        )
        taps = [
            {**tap, "kind": kind, "event_id": f"tap-{view}-{one.message_key.hex[-8:]}-{n}"}
            for n, (kind, tap) in enumerate(
                [
                    *(("quick_reply", tap) for tap in said["quick_replies"]),
                    *(("button", tap) for tap in said["buttons"]),
                ]
            )
        ]
        lines.append(
            {
                "is_clinic": True, "at": one.delivered_at, "subject": said["subject"], "text": said["text"], "taps": taps,
                "links": said["links"],
            }
        )  # fmt: skip
    return lines


def _said(patient_id: UUID, channel: str) -> list[dict[str, Any]]:
    return [
        {"is_clinic": False, "at": line["at"], "text": line["text"] or line["answer"], "taken_back": line["taken_back"]}
        for line in selectors.thread(patient_id, channel=channel, limit=MOST_SHOWN)
        if line["direction"] == "in"
    ]
