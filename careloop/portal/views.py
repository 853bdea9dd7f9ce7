"""Pages that a link in a message opens. Opening one never does anything: mail programs and scanners open every link."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import public
from careloop.consent import services as consent
from careloop.consent.selectors import in_force
from careloop.events.services import publish
from careloop.kernel.text import clean
from careloop.messaging import inbound, rendering, words
from careloop.messaging.events import MessageLinkClicked
from careloop.messaging.models import AnswerLink
from careloop.portal.doors import Opened, opened

MOST_CHARACTERS = 1000
CHOICES = (
    ("MARKETING", _("News and offers"), _("What is new at the clinic. Only with your yes.")),
    ("SURVEY", _("Questions about your satisfaction"), _("After a visit, one or two questions.")),
    ("CARE", _("Care and reminders"), _("That a check is due, and how you are after a treatment.")),
)
BY_WHAT = "opened by a 256-bit token that only the patient was sent; opening changes nothing, sending the form does"


@public(BY_WHAT)
@never_cache
@csrf_exempt  # the token is the proof; mail programs open pages without cookies
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Show what can be answered; a POST answers, once or again with another answer."""
    now = timezone.now()
    with opened(token, now=now) as door:
        if door is None:
            return _gone(request)
        with translation.override(door.message.language):
            taps = _taps(door)
            if request.method != "POST":
                _note_opened(door)
                chosen = request.GET.get("a", "")
                taps.sort(key=lambda tap: tap["answer"] != chosen)
                return _page(request, "portal/answer.html", door, taps=taps, chosen=chosen)
            code, said = (
                request.POST.get("answer", ""),
                clean(request.POST.get("text", "").replace("\x00", ""))[:MOST_CHARACTERS],
            )
            labels = {tap["answer"]: tap["label"] for tap in taps}
            if code not in labels and not said:
                return _page(request, "portal/answer.html", door, taps=taps, chosen="", missing=True, status=422)
            if code not in labels:
                code = words.meaning(said)
            _hear(door, code=code, label=labels.get(code, str(words.answer_label(code)) if code else ""), said=said)
            return _page(request, "portal/answered.html", door, label=labels.get(code, ""))


@public(BY_WHAT)
@never_cache
@csrf_exempt  # RFC 8058: the POST comes from the mail provider, without cookies
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, unsubscribe this one person on POST: by the mail program's one click, or by the button."""
    now = timezone.now()
    with opened(token, now=now) as door:
        if door is None:
            return _gone(request)
        with translation.override(door.message.language):
            if request.method != "POST":
                _note_opened(door)
                return _page(request, "portal/unsubscribe.html", door)
            purposes = ("MARKETING", "SURVEY") if door.message.message_class == "SURVEY" else ("MARKETING",)
            inbound.opt_out(
                patient_id=door.message.patient_id, channel=door.message.channel, source="link", inbound_id=None, now=now,
                confirm=False, purposes=purposes,
            )  # fmt: skip
            return _page(request, "portal/unsubscribed.html", door)


@public(BY_WHAT)
@never_cache
@csrf_exempt  # the token is the proof
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show what this person receives; a POST keeps what they chose."""
    now = timezone.now()
    with opened(token, now=now) as door:
        if door is None:
            return _gone(request)
        with translation.override(door.message.language):
            patient_id, saved = door.message.patient_id, False
            if request.method == "POST":
                wanted = set(request.POST.getlist("wants"))
                for purpose, was in _wishes(door).items():
                    if purpose in wanted and not was:
                        consent.give(patient_id=patient_id, purpose=purpose, source="link", now=now, by=None)
                    elif purpose not in wanted and was:
                        _refuse(door, purpose)
                saved = True
            else:
                _note_opened(door)
            wishes = _wishes(door)
            choices = [
                {"purpose": purpose, "label": label, "help": text, "on": wishes[purpose]}
                for purpose, label, text in CHOICES
            ]
            return _page(request, "portal/preferences.html", door, choices=choices, saved=saved)


# -- inside ----------------------------------------------------------------------------------------------------


def _taps(door: Opened) -> list[dict[str, str]]:
    version = door.message.template_version
    if version is None:
        return []
    entry = rendering.compile_texts(version.texts).texts.get(door.message.language) or next(
        iter(version.texts.values())
    )
    items = (*entry.get("quick_replies", ()), *entry.get("buttons", ()))
    return [{"answer": item["answer"], "label": item["label"]} for item in items if item.get("answer")]


def _hear(door: Opened, *, code: str, label: str, said: str) -> None:
    """The same answer sent twice (a double click) is one; another answer to the same message is another."""
    message, now = door.message, timezone.now()
    day = now.strftime("%Y%m%d%H%M") if said else ""
    inbound.hear(
        patient_id=message.patient_id, channel=message.channel, account_id=None,
        event_id=f"link:{message.pk.hex}:{code}:{day}", kind="QUICK_REPLY" if code and not said else "TEXT", text=said,
        answer=code, label=label,
        message={
            "id": message.pk, "origin": message.origin, "origin_id": message.origin_id, "message_class": message.message_class,
            "template": message.template_version.template.key if message.template_version else "",
        },
        occurred_at=now, now=now,
    )  # fmt: skip


def _wishes(door: Opened) -> dict[str, bool]:
    """What the person receives now: marketing only after a yes, the others until a no."""
    decisions = {
        one["purpose"]: one["decision"] for one in in_force(door.message.patient_id) if one["channel"] == "any"
    }
    return {
        purpose: decisions.get(purpose) == "permit" if purpose == "MARKETING" else decisions.get(purpose) != "deny"
        for purpose, _label, _text in CHOICES
    }


def _refuse(door: Opened, purpose: str) -> None:
    inbound.opt_out(
        patient_id=door.message.patient_id, channel=door.message.channel, source="link", inbound_id=None, now=timezone.now(),
        confirm=False, purposes=(purpose,),
    )  # fmt: skip


def _note_opened(door: Opened) -> None:
    now = timezone.now()
    first = AnswerLink.objects.filter(pk=door.link.pk, first_opened_at__isnull=True).update(first_opened_at=now)
    if first:
        message = door.message
        template = message.template_version.template.key if message.template_version else ""
        publish(
            MessageLinkClicked(message.pk, message.channel, template, message.origin, message.origin_id),
            patient_id=message.patient_id,
            now=now,
            source=message.channel,
        )


def _page(request: HttpRequest, template: str, door: Opened, *, status: int = 200, **context: Any) -> HttpResponse:
    shown = {
        "clinic": door.organization,
        "language": door.message.language,
        "accent": door.organization.accent_color[1:],
        **context,
    }
    return render(request, template, shown, status=status)


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/gone.html", {"clinic": None, "language": translation.get_language()}, status=404)
