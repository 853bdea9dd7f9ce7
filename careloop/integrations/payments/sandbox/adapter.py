"""The sandbox provider: a page of our own on which whoever tries the program pays, fails or walks away. No money moves.

Its notices are signed and taken through the same door as a real provider's.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from careloop.kernel import sql, vault
from careloop.payments.ports import (
    Asked,
    Check,
    GivenBack,
    Handover,
    Notice,
    NoticeRefused,
    Provider,
    ProviderError,
    ProviderKind,
    Result,
    Trade,
)

FIELDS = ("trade_no", "amount", "currency", "title", "back")


class Sandbox:
    """Play money. The key that signs belongs to the installation and the account."""

    accepted = "OK"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.account_id = UUID(str(settings["account_id"]))

    def start(self, asked: Asked) -> Handover:
        fields = {
            "trade_no": asked.trade_no, "amount": str(asked.amount), "currency": asked.currency, "title": asked.title,
            "back": asked.back_url,
        }  # fmt: skip
        return Handover(f"/p/y/sandbox/{self.account_id}/", {**fields, "proof": self.proof(fields)})

    def is_ours(self, fields: Mapping[str, str]) -> bool:
        """Whether `start` wrote these fields."""
        given = str(fields.get("proof", "")).encode("utf-8", "replace")
        return hmac.compare_digest(given, self.proof({name: fields.get(name, "") for name in FIELDS}).encode())

    def write_notice(self, *, trade_no: str, amount: int, currency: str, result: Result, at: datetime) -> bytes:
        """Return what this provider's server sends when the payer pressed a button."""
        said = {
            "trade_no": trade_no, "provider_trade_no": f"S{trade_no[2:]}", "amount": str(amount), "currency": currency,
            "result": result.value, "at": at.isoformat(),
        }  # fmt: skip
        return json.dumps({**said, "proof": self.proof(said)}).encode()

    def read_notice(self, body: bytes) -> Notice:
        try:
            found = json.loads(body)
            fields = {str(name): str(value) for name, value in found.items()}
        except (ValueError, AttributeError):
            raise NoticeRefused("unreadable") from None
        given = fields.pop("proof", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self.proof(fields).encode()):
            raise NoticeRefused("checksum")
        result = Result(fields["result"])
        return Notice(
            trade_no=fields["trade_no"], provider_trade_no=fields["provider_trade_no"], amount=int(fields["amount"]),
            currency=fields["currency"], result=result, said=_("The card was refused (sandbox).") if result is Result.FAILED else "",
            method="sandbox", occurred_at=datetime.fromisoformat(fields["at"]), kept=fields,
        )  # fmt: skip

    def query(self, trade: Trade) -> Notice:
        """The sandbox tells at once, so what it did not tell did not happen."""
        return Notice(trade.trade_no, "", trade.amount, trade.currency, Result.WAITING)

    def refund(self, trade: Trade, amount: int, *, now: datetime) -> GivenBack:
        if amount > trade.amount - trade.given_back:
            raise ProviderError(_("More than was paid."))
        return GivenBack(reference=f"R{trade.trade_no[2:]}")

    def check(self, *, now: datetime) -> Check:
        return Check(True, _("The sandbox is ready. No money moves."))

    def proof(self, fields: Mapping[str, str]) -> str:
        """Return the signature of `fields`."""
        organization_id = sql.value("select payments_find_account(%s)", [self.account_id])
        if organization_id is None:
            raise ProviderError("no such account")
        key = vault.keyring().index_key(organization_id, f"payments.sandbox.{self.account_id}")
        text = json.dumps(sorted(fields.items()), ensure_ascii=False)
        return hashlib.sha256(vault.keyed_hash(key)(text.encode())).hexdigest()


def open_provider(settings: Mapping[str, Any]) -> Provider:
    return Sandbox(settings)


KIND = ProviderKind(
    kind="sandbox", label=gettext_lazy("Sandbox provider"), open=open_provider, is_test=lambda settings: True
)
