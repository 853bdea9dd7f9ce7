"""The members' newsletter: issues, their words and class, who gets one, and what became of it."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.loyalty.models import NewsletterIssue
from careloop.loyalty.thanks import newsletters, wishes
from careloop.messaging import preview as previews
from careloop.messaging import texts
from careloop.messaging.models import MessageClass, TemplateVersion
from careloop.messaging.reasons import reason_label
from careloop.web.addresses import address
from careloop.web.http import Keyset, clinic_zone, redirect_to, respond
from careloop.web.screens.newsletters.forms import IssueForm, initial_of

TONES = {"DRAFT": "neutral", "CHECKED": "info", "SENT": "success"}
CHANNELS = {"line": "LINE", "sms": gettext_lazy("SMS"), "email": gettext_lazy("E-mail")}


@requires("loyalty.view")
@require_GET
def issues(request: HttpRequest) -> HttpResponse:
    """All issues, the newest first."""
    member: Any = request.member  # type: ignore[attr-defined]
    page = Keyset(request, order=("-created_at", "-id"), size=30).page_of(NewsletterIssue.objects.all())
    topics = wishes.topics()
    rows = [
        {
            "issue": one, "url": address("newsletters:issue", one.pk), "state": NewsletterIssue.State(one.state).label, "tone": TONES[one.state],
            "class_label": MessageClass(one.message_class).label if one.message_class else "", "gets": one.counted.get("gets"),
            "topics": [topics[key] for key in one.topics if key in topics], "at": (one.sent_at or one.created_at).astimezone(clinic_zone(request)),
        }
        for one in page.rows
    ]  # fmt: skip
    return respond(
        request, "newsletters/list.html", {"page": page, "rows": rows, "may_change": member.can("loyalty.manage")}
    )


@requires("loyalty.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write an issue."""
    form = IssueForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = _save(request, form, None)
        if made is not None:
            return redirect_to(request, reverse("newsletters:issue", args=[made.pk]), message=_("Saved."))
    return respond(request, "newsletters/edit.html", {"form": form, "issue": None}, status=422 if form.errors else 200)


@requires("loyalty.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    """Change an issue that was not sent."""
    found = get_object_or_404(NewsletterIssue, pk=issue_id)
    if found.state == NewsletterIssue.State.SENT:
        return redirect_to(request, reverse("newsletters:issue", args=[issue_id]))
    form = IssueForm(request.POST or None, initial=initial_of(found))
    if request.method == "POST" and form.is_valid() and _save(request, form, issue_id) is not None:
        return redirect_to(
            request,
            reverse("newsletters:issue", args=[issue_id]),
            message=_("Saved. Check it again before it is sent."),
        )
    return respond(request, "newsletters/edit.html", {"form": form, "issue": found}, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: IssueForm, issue_id: UUID | None) -> NewsletterIssue | None:
    member: Any = request.member  # type: ignore[attr-defined]
    try:
        return newsletters.save(
            issue_id=issue_id, title=form.cleaned_data["title"], issue_texts=form.texts(), topics=form.cleaned_data["topics"],
            version=form.cleaned_data["version"] if issue_id else None, now=timezone.now(), by=member.user_id,
        )  # fmt: skip
    except DomainError as refusal:
        form.add_error(None, str(refusal))
        return None


@requires("loyalty.view")
@require_GET
def issue(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    """One issue: as readers see it, who gets it, and once it was sent what became of it."""
    return _page(request, get_object_or_404(NewsletterIssue, pk=issue_id))


def _page(request: HttpRequest, found: NewsletterIssue, *, refusal: DomainError | None = None) -> HttpResponse:
    member: Any = request.member  # type: ignore[attr-defined]
    now = timezone.now()
    topics = wishes.topics()
    context: dict[str, Any] = {
        "issue": found, "state": NewsletterIssue.State(found.state).label, "tone": TONES[found.state],
        "class_label": MessageClass(found.message_class).label if found.message_class else "",
        "topics": [topics[key] for key in found.topics if key in topics], "may_change": member.can("loyalty.manage"),
        "refusal": str(refusal) if refusal else "", "verdict": getattr(refusal, "verdict", None), "previews": _previews(found),
    }  # fmt: skip
    if found.state == NewsletterIssue.State.CHECKED:
        context["numbers"] = _numbers(newsletters.count(found, now=now).stored())
    elif found.state == NewsletterIssue.State.SENT:
        done = newsletters.report(found.pk)
        context |= {
            "numbers": _numbers(found.counted), "report": done, "reasons": _reasons(done.reasons),
            "sent_at": found.sent_at.astimezone(clinic_zone(request)) if found.sent_at else None,
        }  # fmt: skip
    return respond(request, "newsletters/issue.html", context, status=refusal.status if refusal else 200)


def _previews(found: NewsletterIssue) -> list[dict[str, Any]]:
    """The words as an e-mail's reader sees them, in each language that is written."""
    if not found.texts:
        return []
    version = (
        TemplateVersion.objects.select_related("template")
        .filter(template__key=found.template_key)
        .order_by("-number")
        .first()
    )
    shown = []
    for language in sorted(found.texts, key=texts.LANGUAGE_ORDER):
        if found.state == NewsletterIssue.State.DRAFT or version is None:
            entry = found.texts[language]
            shown.append({"language": language, "subject": entry.get("subject", ""), "text": entry["text"]})
        else:
            made = previews.preview(version, patient_id=None, channel="email", language=language, now=timezone.now())
            shown.append({"language": language, "subject": made.subject, "text": made.text})
    return shown


def _numbers(counted: dict[str, Any]) -> dict[str, Any]:
    return {
        **counted, "not_interested": counted["members"] - counted["interested"], "reasons": _reasons(counted["left_out"]),
        "ways": [{"label": CHANNELS.get(name, name), "n": n} for name, n in counted["channels"].items()],
        "left_out_total": sum(counted["left_out"].values()),
    }  # fmt: skip


def _reasons(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"label": reason_label(code), "n": n} for code, n in sorted(counts.items(), key=lambda one: -one[1])]


def _version(request: HttpRequest) -> int:
    try:
        return int(request.POST.get("version", ""))
    except ValueError:
        return -1


@requires("loyalty.manage")
@require_POST
def check(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    """Judge the words and count the readers."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = get_object_or_404(NewsletterIssue, pk=issue_id)
    try:
        newsletters.check(issue_id=issue_id, version=_version(request), now=timezone.now(), by=member.user)
    except DomainError as refusal:
        return _page(request, found, refusal=refusal)
    return redirect_to(request, reverse("newsletters:issue", args=[issue_id]), message=_("Checked: it can be sent."))


@requires("loyalty.manage")
@require_http_methods(["GET", "HEAD", "POST"])
def send(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    """Say who gets it, ask, and send."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = get_object_or_404(NewsletterIssue, pk=issue_id)
    back = reverse("newsletters:issue", args=[issue_id])
    if request.method == "POST":
        try:
            done = newsletters.send(issue_id=issue_id, version=_version(request), now=timezone.now(), by=member.user_id)
        except DomainError as refusal:
            return _page(request, found, refusal=refusal)
        n = done.counted["gets"]
        said = ngettext("On its way to %(n)d member.", "On its way to %(n)d members.", n) % {"n": n}
        return redirect_to(request, back, message=said)
    if found.state != NewsletterIssue.State.CHECKED:
        return redirect_to(request, back)
    numbers = newsletters.count(found, now=timezone.now())
    context = {
        "issue": found, "back": back, "title": _("Send this issue?"), "action": request.path, "label": pgettext("newsletter", "Send"),
        "text": _("It leaves as soon as quiet hours allow. What has left cannot be taken back."),
        "facts": [
            {"label": pgettext("newsletter", "Members"), "value": numbers.members}, {"label": _("Interested"), "value": numbers.interested},
            {"label": _("Get it"), "value": numbers.gets}, {"label": pgettext("newsletter", "Left out"), "value": sum(numbers.left_out.values())},
        ],
        "hidden": [{"name": "version", "value": found.version}],
    }  # fmt: skip
    return respond(request, "newsletters/confirm.html", context, fragment="components/confirm.html")


@requires("loyalty.manage")
@require_POST
def stop(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    """Take back what has not left yet."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = get_object_or_404(NewsletterIssue, pk=issue_id)
    stopped = newsletters.stop(issue_id=found.pk, now=timezone.now(), by=member.user_id)
    said = ngettext("%(n)d message was taken back.", "%(n)d messages were taken back.", stopped) % {"n": stopped}
    return redirect_to(request, reverse("newsletters:issue", args=[issue_id]), message=said)


@requires("loyalty.manage")
@require_POST
def delete(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    """Throw away an issue that was never sent."""
    member: Any = request.member  # type: ignore[attr-defined]
    found = get_object_or_404(NewsletterIssue, pk=issue_id)
    try:
        newsletters.delete(issue_id=issue_id, now=timezone.now(), by=member.user_id)
    except DomainError as refusal:
        return _page(request, found, refusal=refusal)
    return redirect_to(request, reverse("newsletters:list"), message=_("Deleted."))
