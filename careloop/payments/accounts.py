"""The clinic's accounts with payment providers: adding, testing, opening, finding the door of a callback."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.kernel.text import clean
from careloop.messaging import sealing
from careloop.payments.errors import BadAccount, NoProvider
from careloop.payments.models import ProviderAccount
from careloop.payments.ports import Check, Provider, ProviderError, SettingField, kind_of
from careloop.tenancy.context import in_organization


def secrets_place(account_id: UUID) -> str:
    return f"payments_account.secrets_sealed.{account_id}"


def opened_settings(account: ProviderAccount) -> dict[str, Any]:
    """Return everything an adapter needs to open: settings, secrets, and which account it is."""
    secrets = sealing.open_for_organization(secrets_place(account.pk), account.secrets_sealed)
    return {**account.settings, **secrets, "account_id": str(account.pk)}


def open_provider(account: ProviderAccount) -> Provider:
    """Open an account."""
    return kind_of(account.kind).open(opened_settings(account))


def is_test(account: ProviderAccount) -> bool:
    """Whether its money is play money."""
    return kind_of(account.kind).is_test(account.settings)


def default_account() -> ProviderAccount:
    """Return the account new payments go to.

    Raises:
        NoProvider: none is connected, or it is switched off.
    """
    account = ProviderAccount.objects.filter(enabled=True, is_default=True).first()
    if account is None:
        raise NoProvider
    return account


def is_connected() -> bool:
    """Whether payments can be taken at all."""
    return ProviderAccount.objects.filter(enabled=True, is_default=True).exists()


@dataclass(frozen=True)
class Door:
    """An account as a callback finds it."""

    account: ProviderAccount
    provider: Provider
    organization_id: UUID


def find_door(account_id: UUID, *, kind: str = "") -> Door | None:
    """Return the account a callback names; None when there is none. Works with no organization set.

    Also one that is switched off: what was begun there may still be paid.
    """
    organization_id = sql.value("select payments_find_account(%s)", [account_id])
    if organization_id is None:
        return None
    with in_organization(organization_id):
        account = ProviderAccount.objects.filter(pk=account_id).first()
        if account is None or (kind and account.kind != kind):
            return None
        return Door(account, open_provider(account), organization_id)


@transaction.atomic
def save_account(
    *, account_id: UUID | None, kind: str, name: str, given: Mapping[str, Any], now: datetime, enabled: bool = True,
    make_default: bool | None = None,
) -> ProviderAccount:  # fmt: skip
    """Add an account, or change it. A secret left empty keeps its old value; secrets are never given back.

    Raises:
        BadAccount: a required setting is missing or has no such choice, or the name is taken.
    """
    account = ProviderAccount.objects.select_for_update().filter(pk=account_id).first() if account_id else None
    if account is None:
        account = ProviderAccount(id=account_id or uuid7(), kind=kind, created_at=now)
    secrets = sealing.open_for_organization(secrets_place(account.pk), account.secrets_sealed)
    settings: dict[str, Any] = {}
    for field in kind_of(kind).fields:
        value = _read(field, given.get(field.name))
        if field.secret:
            secrets[field.name] = value or secrets.get(field.name, "")
            value = secrets[field.name]
        else:
            settings[field.name] = value
        if field.required and value == "":
            raise BadAccount(why=_("“%(field)s” is missing") % {"field": field.label})
    account.name = clean(name) or str(kind_of(kind).label)
    if ProviderAccount.objects.filter(name=account.name).exclude(pk=account.pk).exists():
        raise BadAccount(why=_("another account has this name"))
    account.settings, account.enabled, account.changed_at = settings, enabled, now
    account.secrets_sealed = (
        sealing.seal_for_organization(secrets_place(account.pk), secrets) if any(secrets.values()) else None
    )
    others = ProviderAccount.objects.filter(enabled=True, is_default=True).exclude(pk=account.pk)
    account.is_default = enabled and (not others.exists() if make_default is None else make_default)
    if account.is_default:
        others.update(is_default=False)
    account.save()
    audit.record(
        "payment_account.saved",
        target=("payment_account", account.pk),
        details={"kind": kind, "enabled": enabled},
        now=now,
    )
    return account


def _read(field: SettingField, value: Any) -> str:
    text = clean(str(value)) if value not in (None, "") else ""
    if not text:
        return "" if field.secret else str(field.default)
    if field.type == "choice" and text not in {code for code, _label in field.choices}:
        raise BadAccount(why=_("“%(field)s” has no such choice") % {"field": field.label})
    return text


def check_account(*, account_id: UUID, now: datetime) -> Check:
    """Ask the provider whether it knows us, and keep the answer for the settings page; nothing is charged."""
    account = ProviderAccount.objects.get(pk=account_id)
    try:
        check = open_provider(account).check(now=now)
    except ProviderError as error:
        check = Check(False, error.message)
    account.checked_at, account.check_ok, account.check_message = now, check.ok, str(check.message)[:300]
    account.save(update_fields=["checked_at", "check_ok", "check_message"])
    audit.record("payment_account.checked", target=("payment_account", account.pk), details={"ok": check.ok}, now=now)
    return check
