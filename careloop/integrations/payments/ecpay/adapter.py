"""ECPay (綠界科技) 全方位金流: the payer's form, the notice, asking, giving back.

Sources (read 2026-11): 產生訂單 https://developers.ecpay.com.tw/?p=2864, 付款結果通知 ?p=2878, 查詢訂單 ?p=2890,
查詢信用卡單筆明細 ?p=2894, 信用卡請退款功能 ?p=9242 (states and actions), 檢查碼機制 ?p=2902.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from careloop.payments.ports import (
    Asked,
    Check,
    GivenBack,
    Handover,
    Notice,
    NoticeRefused,
    ProviderError,
    Result,
    Trade,
)

from .calling import fields_in, post
from .checksum import NAME, check_mac_value, is_genuine

# The only hosts there are; the account's setting chooses between them.
HOSTS = {"stage": "https://payment-stage.ecpay.com.tw", "production": "https://payment.ecpay.com.tw"}
CHECKOUT, QUERY = "/Cashier/AioCheckOut/V5", "/Cashier/QueryTradeInfo/V5"
CARD_QUERY, CARD_ACTION = "/CreditDetail/QueryTrade/V2", "/CreditDetail/DoAction"
TAIPEI = ZoneInfo("Asia/Taipei")
# not stored: proofs, and what says whose card it was
NOT_KEPT = frozenset(
    {NAME, "card4no", "card6no", "auth_code", "CustomField1", "CustomField2", "CustomField3", "CustomField4"}
)
WAITING_CODES = frozenset({"2", "10100073"})  # a transfer account or a shop code was given out
NOT_COMPLETED = "10200095"  # QueryTradeInfo's TradeStatus of a trade that failed
# ECPay closes the day then, and asks to be left alone (信用卡請退款功能)
CLOSING_FROM, CLOSING_TO = (20, 15), (20, 30)
LANGUAGES = {"en": "ENG"}
CHECKING = "CLCONNECTIONTEST0000"


class ECPay:
    """One merchant at ECPay."""

    accepted = "1|OK"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.is_production = settings["environment"] == "production"
        self.host = HOSTS["production" if self.is_production else "stage"]
        self.merchant_id = str(settings["merchant_id"])
        self.choose_payment = str(settings.get("choose_payment") or "Credit")
        self._check_code = str(settings.get("check_code") or "")
        self._secrets = {"hash_key": str(settings["hash_key"]), "hash_iv": str(settings["hash_iv"])}

    # -- the payer's way --

    def start(self, asked: Asked) -> Handover:
        """Return the form for AioCheckOut. ECPay is told the clinic's name and the amount, never what it is for."""
        fields = {
            "MerchantID": self.merchant_id, "MerchantTradeNo": asked.trade_no,
            "MerchantTradeDate": asked.at.astimezone(TAIPEI).strftime("%Y/%m/%d %H:%M:%S"), "PaymentType": "aio",
            "TotalAmount": str(asked.amount), "TradeDesc": plain(asked.title)[:100], "ItemName": plain(asked.line)[:200],
            "ReturnURL": asked.notify_url, "ClientBackURL": asked.back_url, "OrderResultURL": asked.back_url + "back/",
            "ChoosePayment": self.choose_payment, "EncryptType": "1", "NeedExtraPaidInfo": "Y",
        }  # fmt: skip
        if asked.language in LANGUAGES:
            fields["Language"] = LANGUAGES[asked.language]
        return Handover(self.host + CHECKOUT, self._signed(fields), origin=self.host)

    # -- what ECPay says --

    def read_notice(self, body: bytes) -> Notice:
        """Prove and read a notice to ReturnURL.

        Raises:
            NoticeRefused: unreadable, a wrong checksum, or for another merchant.
        """
        try:
            fields = fields_in(body)
        except ValueError:
            raise NoticeRefused("unreadable") from None
        if not is_genuine(fields, **self._secrets):
            raise NoticeRefused("checksum")
        if fields.get("MerchantID") != self.merchant_id:
            raise NoticeRefused("merchant")
        return self._notice(fields, _result_of(fields, is_production=self.is_production))

    def query(self, trade: Trade) -> Notice:
        """Ask QueryTradeInfo what became of a trade.

        Raises:
            ProviderError: no answer, or one whose checksum is wrong.
        """
        fields = self._ask_about(trade.trade_no)
        match fields.get("TradeStatus", ""):
            case "1":
                return self._notice(fields, Result.PAID)
            case code if code == NOT_COMPLETED:
                return self._notice(fields | {"RtnMsg": _("The payment was not completed.")}, Result.FAILED)
            case code:
                # not paid yet, or (10200047) the payer never reached ECPay's page
                return Notice(
                    trade.trade_no, "", trade.amount, trade.currency, Result.WAITING, kept={"TradeStatus": code[:20]}
                )

    def check(self, *, now: datetime) -> Check:
        """Ask about a trade that does not exist: a right checksum in the answer says that both sides hold the same keys."""
        self._ask_about(CHECKING, now=now)
        where = _("ECPay knows this merchant (production).") if self.is_production else _("ECPay knows this merchant (test environment: no money moves).")  # fmt: skip
        return Check(True, where)

    def _ask_about(self, trade_no: str, *, now: datetime | None = None) -> dict[str, str]:
        stamp = int((now or datetime.now(UTC)).timestamp())
        asked = {"MerchantID": self.merchant_id, "MerchantTradeNo": trade_no, "TimeStamp": str(stamp)}
        fields = fields_in(post(self.host, QUERY, self._signed(asked)))
        if not is_genuine(fields, **self._secrets):
            raise ProviderError(_("ECPay's answer does not carry our checksum: see whether merchant number, HashKey and HashIV are right."))  # fmt: skip
        return fields

    def _notice(self, fields: Mapping[str, str], result: Result) -> Notice:
        amount = fields.get("TradeAmt", "")
        details = {name: fields[name] for name in ("gwsr", "PaymentType") if fields.get(name)}
        return Notice(
            trade_no=fields.get("MerchantTradeNo", ""), provider_trade_no=fields.get("TradeNo", ""),
            amount=int(amount) if amount.isascii() and amount.isdigit() else -1, currency="TWD", result=result,
            said=fields.get("RtnMsg", "")[:200], method=method_of(fields.get("PaymentType", "")),
            occurred_at=_moment(fields.get("PaymentDate", "")),
            kept={name: value[:200] for name, value in fields.items() if name not in NOT_KEPT}, details=details,
        )  # fmt: skip

    # -- back --

    def refund(self, trade: Trade, amount: int, *, now: datetime) -> GivenBack:
        """Give back what was paid by card, in the way its state at ECPay asks for.

        已授權: all by N (放棄), a part by C (關帳) then R (退刷). 要關帳: all by E (取消) then N, a part by R. 已關帳: R.

        Raises:
            ProviderError: not by card, not now, refused; `unclear` when a step was taken and the next has no answer.
        """
        local = now.astimezone(TAIPEI)
        if CLOSING_FROM <= (local.hour, local.minute) <= CLOSING_TO:
            raise ProviderError(_("ECPay takes no refunds between 20:15 and 20:30. Please try again later."))
        if not str(trade.details.get("PaymentType", "")).startswith("Credit"):
            raise ProviderError(_("Only card payments can be given back through ECPay. Give it back at the desk and note it as such."))  # fmt: skip
        left = trade.amount - trade.given_back
        is_all = amount == left
        state = self._card_state(trade)
        if trade.given_back or state == "已關帳":
            steps = ["R"]
        elif state == "要關帳":
            steps = ["E", "N"] if is_all else ["R"]
        elif state == "已授權":
            steps = ["N"] if is_all else ["C", "R"]
        else:
            raise ProviderError(_("ECPay says of this card payment: %(state)s.") % {"state": state or "?"})
        for number, action in enumerate(steps):
            try:
                self._act(trade, action, left if action in "CEN" else amount)
            except ProviderError as error:
                # the step before was taken: what holds now is for somebody to look at
                raise ProviderError(error.message, unclear=error.unclear or number > 0) from None
        return GivenBack(reference=trade.provider_trade_no, said="+".join(steps))

    def _card_state(self, trade: Trade) -> str:
        if not self._check_code:
            raise ProviderError(_("The merchant's check code (商家檢查碼) is missing in the settings; ECPay asks for it before a refund."))  # fmt: skip
        asked = {
            "MerchantID": self.merchant_id, "CreditRefundId": str(trade.details.get("gwsr", "")),
            "CreditAmount": str(trade.amount), "CreditCheckCode": self._check_code,
        }  # fmt: skip
        try:
            text = post(self.host, CARD_QUERY, self._signed(asked))
        except ProviderError as error:
            raise ProviderError(error.message) from None  # only asked: nothing can have happened
        try:
            found = json.loads(text)
            value = found.get("RtnValue") or {}
            return str(value.get("status", "")) if isinstance(value, dict) else str(found.get("RtnMsg", ""))
        except (ValueError, AttributeError):
            raise ProviderError(_("ECPay's answer could not be read.")) from None

    def _act(self, trade: Trade, action: str, amount: int) -> None:
        asked = {
            "MerchantID": self.merchant_id, "MerchantTradeNo": trade.trade_no, "TradeNo": trade.provider_trade_no,
            "Action": action, "TotalAmount": str(amount),
        }  # fmt: skip
        fields = fields_in(post(self.host, CARD_ACTION, self._signed(asked)))
        if fields.get("RtnCode") != "1":
            said = fields.get("RtnMsg", "")[:120]
            raise ProviderError(_("ECPay refused (%(action)s): %(said)s") % {"action": action, "said": said or "?"})

    def _signed(self, fields: dict[str, str]) -> dict[str, str]:
        return {**fields, NAME: check_mac_value(fields, **self._secrets)}


def _result_of(fields: Mapping[str, str], *, is_production: bool) -> Result:
    if fields.get("SimulatePaid") == "1" and is_production:
        return Result.SIMULATED
    code = fields.get("RtnCode", "")
    if code == "1":
        return Result.PAID
    return Result.WAITING if code in WAITING_CODES else Result.FAILED


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=TAIPEI)
    except ValueError:
        return None


def method_of(kind: str) -> str:
    """Return ECPay's way of payment in our own word.

    >>> method_of("Credit_CreditCard"), method_of("ATM_TAISHIN"), method_of("WeiXinPay")
    ('card', 'transfer', 'WeiXinPay')
    """
    for start, word in (
        ("Credit", "card"),
        ("WebATM", "transfer"),
        ("ATM", "transfer"),
        ("CVS", "shop"),
        ("BARCODE", "shop"),
    ):
        if kind.startswith(start):
            return word
    return kind[:40]


def plain(text: str) -> str:
    """Return text without what ECPay does not take in a description.

    >>> plain("安心診所 <A&B> #1%")
    '安心診所 A B 1'
    """
    return " ".join(
        "".join(" " if char in "<>&#%'\"\\^`|+" or not char.isprintable() else char for char in text).split()
    )
