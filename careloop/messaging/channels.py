"""The clinic's accounts with providers: adding, testing, pausing, opening, finding the door of a webhook."""

import asyncio
from collections.abc import Mapping
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
from careloop.messaging.errors import BadChannel
from careloop.messaging.models import ChannelAccount
from careloop.messaging.ports import Capabilities, Channel, Check, Door, SettingField, kind_of
from careloop.tenancy.context import in_organization

CHANNEL_OF_KIND = {"line": "line", "email": "email"}


def secrets_place(account_id: UUID) -> str:
    return f"messaging_channel_account.secrets_sealed.{account_id}"


def opened_settings(account: ChannelAccount) -> dict[str, Any]:
    """Return everything an adapter needs to open: settings, secrets, and whose it is."""
    secrets = sealing.open_for_organization(secrets_place(account.pk), account.secrets_sealed)
    return {
        **account.settings,
        **secrets,
        "organization_id": str(account.organization_id),
        "channel_id": str(account.pk),
    }


def capabilities(account: ChannelAccount) -> Capabilities:
    """Return what this account can carry."""
    kind = kind_of(account.kind)
    return kind.capabilities_for(account.settings) if kind.capabilities_for else kind.capabilities


def open_channel(account: ChannelAccount) -> Channel:
    """Open the way out. Belongs to the event loop it is used in."""
    return kind_of(account.kind).open(opened_settings(account))


def find_door(channel_id: UUID) -> Door | None:
    """Return the channel a webhook names, with its settings; None when there is none or it is switched off."""
    organization_id = sql.value("select messaging_find_account(%s)", [channel_id])
    if organization_id is None:
        return None
    with in_organization(organization_id):
        account = ChannelAccount.objects.filter(pk=channel_id, enabled=True).first()
        if account is None:
            return None
        return Door(account.pk, organization_id, account.kind, opened_settings(account))


@transaction.atomic
def save_account(
    *,
    account_id: UUID | None,
    kind: str,
    name: str,
    given: Mapping[str, Any],
    now: datetime,
    channel: str = "",
    enabled: bool = True,
    make_default: bool | None = None,
    monthly_budget: int | None = None,
) -> ChannelAccount:
    """Add an account, or change it. A secret left empty keeps its old value; secrets are never given back.

    Raises:
        BadChannel: a required setting is missing, a number is none, or the name is taken.
    """
    fields = kind_of(kind).fields
    account = ChannelAccount.objects.select_for_update().filter(pk=account_id).first() if account_id else None
    if account is None:
        account = ChannelAccount(id=account_id or uuid7(), kind=kind, created_at=now)
    secrets = (
        sealing.open_for_organization(secrets_place(account.pk), account.secrets_sealed)
        if account.secrets_sealed
        else {}
    )
    settings: dict[str, Any] = {}
    for setting in fields:
        value = _read(setting, given.get(setting.name))
        if setting.secret:
            secrets[setting.name] = value or secrets.get(setting.name, "")
            value = secrets[setting.name]
        else:
            settings[setting.name] = value
        if setting.required and value in ("", None):
            raise BadChannel(why=_("“%(field)s” is missing") % {"field": setting.label})
    account.name = clean(name) or str(kind_of(kind).label)
    if ChannelAccount.objects.filter(name=account.name).exclude(pk=account.pk).exists():
        raise BadChannel(why=_("another channel has this name"))
    account.channel = channel or CHANNEL_OF_KIND.get(kind) or settings.get("plays") or "line"
    account.settings, account.monthly_budget, account.enabled, account.changed_at = (
        settings,
        monthly_budget,
        enabled,
        now,
    )
    account.secrets_sealed = (
        sealing.seal_for_organization(secrets_place(account.pk), secrets) if any(secrets.values()) else None
    )
    others = ChannelAccount.objects.filter(channel=account.channel, enabled=True, is_default=True).exclude(
        pk=account.pk
    )
    account.is_default = enabled and (not others.exists() if make_default is None else make_default)
    if account.is_default:
        others.update(is_default=False)
    account.save()
    audit.record("channel.saved", target=("channel", account.pk), details={"kind": kind})
    return account


def _read(setting: SettingField, value: Any) -> Any:
    text = clean(str(value)) if value not in (None, "") else ""
    if not text:
        return "" if setting.secret else setting.default
    if setting.type == "number":
        try:
            return int(text)
        except ValueError:
            raise BadChannel(why=_("“%(field)s” is not a number") % {"field": setting.label}) from None
    if setting.type == "choice" and text not in {code for code, _label in setting.choices}:
        raise BadChannel(why=_("“%(field)s” has no such choice") % {"field": setting.label})
    return text


def check_account(*, account_id: UUID, now: datetime) -> Check:
    """Ask the provider whether it knows us, and keep the answer for the settings page; nothing is sent."""
    account = ChannelAccount.objects.get(pk=account_id)

    async def ask() -> Check:
        channel = open_channel_with(account, settings)
        try:
            return await asyncio.wait_for(channel.check(), 20)
        except TimeoutError:
            return Check(False, _("The provider did not answer in time."))
        finally:
            await channel.close()

    settings = opened_settings(account)
    check = asyncio.run(ask())
    account.checked_at, account.check_ok, account.check_message = now, check.ok, str(check.message)[:300]
    changed = ["checked_at", "check_ok", "check_message"]
    if check.ok and account.pause_reason == ChannelAccount.Pause.AUTH:
        account.paused_until, account.pause_reason = None, ""
        changed += ["paused_until", "pause_reason"]
    if check.ok and (bot := check.details.get("bot_user_id")) and not account.settings.get("bot_user_id"):
        account.settings = {**account.settings, "bot_user_id": bot}
        changed.append("settings")
    account.save(update_fields=changed)
    return check


def open_channel_with(account: ChannelAccount, settings: Mapping[str, Any]) -> Channel:
    return kind_of(account.kind).open(settings)


def pause(*, account_id: UUID, paused: bool, now: datetime) -> None:
    """Stop sending by this account until somebody starts it again; its messages wait."""
    account = ChannelAccount.objects.select_for_update().get(pk=account_id)
    account.paused_until = now.replace(year=now.year + 50) if paused else None
    account.pause_reason = ChannelAccount.Pause.STAFF if paused else ""
    account.save(update_fields=["paused_until", "pause_reason"])
    audit.record("channel.paused" if paused else "channel.resumed", target=("channel", account_id))


def sandbox_accounts() -> list[ChannelAccount]:
    """Return the sandbox phones' accounts that are switched on."""
    return list(ChannelAccount.objects.filter(kind="sandbox", enabled=True).order_by("channel"))
