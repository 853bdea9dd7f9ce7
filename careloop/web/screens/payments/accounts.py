"""Connecting payment providers: ECPay, the sandbox. Testing asks the provider who we are and charges nothing."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from careloop.accounts.access import requires
from careloop.kernel.errors import DomainError
from careloop.payments import accounts as services
from careloop.payments import links
from careloop.payments.models import ProviderAccount
from careloop.payments.ports import ProviderKind, kind_of, kinds
from careloop.web.addresses import address
from careloop.web.http import redirect_to, respond
from careloop.web.screens.payments.forms import AccountForm


@requires("settings.payments")
@require_GET
def accounts(request: HttpRequest) -> HttpResponse:
    """All accounts with how they are, and which kinds can be added."""
    rows = [
        {"account": one, "is_test": services.is_test(one)}
        for one in ProviderAccount.objects.order_by("-enabled", "-is_default", "name")
    ]
    offered = [{"kind": kind.kind, "label": kind.label} for kind in kinds()]
    return respond(request, "payments/accounts.html", {"rows": rows, "offered": offered})


@requires("settings.payments")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, kind: str) -> HttpResponse:
    """Connect an account of one kind."""
    chosen = _kind(kind)
    form = AccountForm(request.POST or None, kind=chosen, initial={"name": str(chosen.label)})
    return _edited(request, form, None) or _shown(request, form, chosen, None)


@requires("settings.payments")
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Change an account; secrets are only ever replaced."""
    one = _account(account_id)
    form = AccountForm(request.POST or None, kind=_kind(one.kind), account=one)
    return _edited(request, form, one) or _shown(request, form, _kind(one.kind), one)


@requires("settings.payments")
@require_POST
def check(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask the provider whether it knows us."""
    one = _account(account_id)
    try:
        result = services.check_account(account_id=one.pk, now=timezone.now())
        text, good = str(result.message), result.ok
    except Exception as error:  # an adapter may fail in its own way; the page says so instead of breaking
        text, good = _("The test failed: %(what)s") % {"what": type(error).__name__}, False
    tone = "success" if good else "danger"
    return redirect_to(request, address("payments:account", one.pk), message=text, tone=tone)


def _edited(request: HttpRequest, form: AccountForm, one: ProviderAccount | None) -> HttpResponse | None:
    if request.method != "POST" or not form.is_valid():
        return None
    data: dict[str, Any] = form.cleaned_data
    try:
        saved = services.save_account(
            account_id=one.pk if one else None, kind=form.kind.kind, name=data["name"], given=form.given(), now=timezone.now(),
            enabled=data["enabled"], make_default=data["is_default"],
        )  # fmt: skip
    except DomainError as error:
        form.add_error(None, str(error))
        return None
    return redirect_to(request, address("payments:account", saved.pk), message=_("Saved. Test it now."))


def _shown(request: HttpRequest, form: AccountForm, kind: ProviderKind, one: ProviderAccount | None) -> HttpResponse:
    context = {
        "form": form, "kind": kind, "account": one, "is_test": one is not None and services.is_test(one),
        "hook": links.notify_url(one.pk) if one is not None and one.kind != "sandbox" else "",
    }  # fmt: skip
    return respond(request, "payments/account.html", context, status=422 if form.errors else 200)


def _account(account_id: UUID) -> ProviderAccount:
    one = ProviderAccount.objects.filter(pk=account_id).first()
    if one is None:
        raise Http404
    return one


def _kind(name: str) -> ProviderKind:
    try:
        return kind_of(name)
    except ValueError:
        raise Http404 from None
