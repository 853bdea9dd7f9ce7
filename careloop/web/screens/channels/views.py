"""Connecting channels: LINE, e-mail, the sandbox phone. Testing asks the provider who we are and sends nothing."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.messaging import channels, links
from careloop.messaging.models import ChannelAccount
from careloop.messaging.ports import ChannelKind, kind_of, kinds
from careloop.web.http import redirect_to, respond
from careloop.web.screens.channels.forms import AccountForm

ICONS = {"line": "brand-line", "email": "mail", "sandbox": "device-mobile"}
CHANNEL_ICONS = {"line": "brand-line", "sms": "device-mobile", "email": "mail"}


@requires("settings.channels")
@require_GET
def accounts(request: HttpRequest) -> HttpResponse:
    """All accounts with how they are, and which kinds can be added."""
    now = timezone.now()
    used = {
        row["account_id"]: row["n"]
        for row in sql.rows(
            """select m.account_id, count(*) as n from messaging_message m, tenancy_organization o
                where m.accepted_at >= date_trunc('month', %s at time zone o.time_zone) at time zone o.time_zone
                group by m.account_id""",
            [now],
        )
    }
    found = [
        {
            "account": one, "icon": CHANNEL_ICONS.get(one.channel, "send"), "used": used.get(one.pk, 0),
            "paused": one.paused_until is not None and one.paused_until > now,
        }
        for one in ChannelAccount.objects.order_by("-enabled", "channel", "name")
    ]  # fmt: skip
    offered = [{"kind": kind.kind, "label": kind.label, "icon": ICONS.get(kind.kind, "send")} for kind in kinds()]
    return respond(request, "channels/list.html", {"rows": found, "offered": offered})


@requires("settings.channels")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, kind: str) -> HttpResponse:
    """Connect an account of one kind."""
    chosen = _kind(kind)
    form = AccountForm(request.POST or None, kind=chosen, initial={"name": str(chosen.label)})
    return _edited(request, form, None) or respond(
        request,
        "channels/account.html",
        {"form": form, "kind": chosen, "account": None},
        status=422 if form.errors else 200,
    )


@requires("settings.channels")
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Change an account; secrets are only ever replaced."""
    one = _account(account_id)
    form = AccountForm(request.POST or None, kind=_kind(one.kind), account=one)
    saved = _edited(request, form, one)
    if saved is not None:
        return saved
    paused = one.paused_until is not None and one.paused_until > timezone.now()
    hook = f"{links.base_url()}{reverse('hooks:line', args=[one.pk])}" if one.kind == "line" else ""
    context = {"form": form, "kind": _kind(one.kind), "account": one, "paused": paused, "hook": hook}
    return respond(request, "channels/account.html", context, status=422 if form.errors else 200)


def _edited(request: HttpRequest, form: AccountForm, one: ChannelAccount | None) -> HttpResponse | None:
    if request.method != "POST" or not form.is_valid():
        return None
    data: dict[str, Any] = form.cleaned_data
    try:
        saved = channels.save_account(
            account_id=one.pk if one else None, kind=form.kind.kind, name=data["name"], given=form.given(), now=timezone.now(),
            enabled=data["enabled"], make_default=data["is_default"], monthly_budget=data["monthly_budget"],
        )  # fmt: skip
    except DomainError as error:
        form.add_error(None, str(error))
        return None
    return redirect_to(request, reverse("channels:account", args=[saved.pk]), message=_("Saved. Test it now."))


@requires("settings.channels")
@require_POST
def check(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask the provider whether it knows us."""
    one = _account(account_id)
    try:
        result = channels.check_account(account_id=one.pk, now=timezone.now())
        text, good = str(result.message), result.ok
    except Exception as error:  # an adapter may fail in its own way; the page says so instead of breaking
        text, good = _("The test failed: %(what)s") % {"what": type(error).__name__}, False
    return redirect_to(
        request, reverse("channels:account", args=[one.pk]), message=text, tone="success" if good else "danger"
    )


@requires("settings.channels")
@require_POST
def pause(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Stop sending by this account, or go on; its messages wait."""
    one = _account(account_id)
    is_paused = one.paused_until is not None and one.paused_until > timezone.now()
    channels.pause(account_id=one.pk, paused=not is_paused, now=timezone.now())
    text = _("Sending goes on.") if is_paused else _("Paused. Messages wait until you start it again.")
    return redirect_to(request, reverse("channels:account", args=[one.pk]), message=text)


def _account(account_id: UUID) -> ChannelAccount:
    one = ChannelAccount.objects.filter(pk=account_id).first()
    if one is None:
        raise Http404
    return one


def _kind(name: str) -> ChannelKind:
    try:
        return kind_of(name)
    except ValueError:
        raise Http404 from None
