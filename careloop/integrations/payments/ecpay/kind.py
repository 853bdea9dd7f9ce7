"""ECPay as payments knows it: what it asks for and how it is opened."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from careloop.payments.ports import Provider, ProviderKind, SettingField


def open_provider(settings: Mapping[str, Any]) -> Provider:
    """Open the merchant described by its stored settings."""
    from .adapter import ECPay

    return ECPay(settings)


KIND = ProviderKind(
    kind="ecpay",
    label="ECPay 綠界",
    open=open_provider,
    currencies=frozenset({"TWD"}),
    is_test=lambda settings: settings.get("environment") != "production",
    fields=(
        SettingField(
            "environment", _("Environment"), type="choice", default="stage",
            choices=(("stage", _("test (payment-stage.ecpay.com.tw)")), ("production", _("production (payment.ecpay.com.tw)"))),
            help=_("In the test environment no money moves."),
        ),
        SettingField("merchant_id", _("Merchant number (MerchantID)"), help=_("In ECPay's merchant pages under 系統開發管理, 系統介接設定.")),
        SettingField("hash_key", "HashKey", secret=True, help=_("On the same page.")),
        SettingField("hash_iv", "HashIV", secret=True, help=_("On the same page.")),
        SettingField(
            "check_code", _("Check code (商家檢查碼)"), secret=True, required=False,
            help=_("For refunds: in ECPay's merchant pages under 信用卡收單, 信用卡授權資訊."),
        ),
        SettingField(
            "choose_payment", _("How patients can pay"), type="choice", default="Credit",
            choices=(("Credit", _("by card")), ("ALL", _("by everything the merchant offers"))),
            help=_("Only card payments can be given back through ECPay."),
        ),
    ),
)  # fmt: skip
