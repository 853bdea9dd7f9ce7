"""What payments add to the slices below: the words a message about one may use."""

from django.utils.translation import gettext_lazy as _

from careloop.messaging.variables import Variable, register

_SAME_LINK = "https://clinic.example.tw/p/y/…"

register(Variable("pay_amount", _("Amount to pay"), "text", {"zh-hant": "NT$500", "zh-hans": "NT$500", "en": "NT$500"}))
register(
    Variable(
        "pay_link", _("Link to the payment"), "link", {"zh-hant": _SAME_LINK, "zh-hans": _SAME_LINK, "en": _SAME_LINK}
    )
)
