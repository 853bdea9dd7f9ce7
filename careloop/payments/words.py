"""What states, ways of paying and steps are called."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

METHODS: dict[str, str | Promise] = {
    "card": pgettext_lazy("way of paying", "card"),
    "transfer": pgettext_lazy("way of paying", "bank transfer"),
    "shop": pgettext_lazy("way of paying", "convenience store"),
    "sandbox": pgettext_lazy("way of paying", "sandbox, no money moved"),
}
STATES: dict[str, str | Promise] = {
    "REQUESTED": pgettext_lazy("payment", "asked for"), "STARTED": pgettext_lazy("payment", "begun"), "PAID": pgettext_lazy("payment", "paid"),
    "FAILED": pgettext_lazy("payment", "failed"), "EXPIRED": pgettext_lazy("payment", "expired"), "CANCELLED": pgettext_lazy("payment", "withdrawn"),
}  # fmt: skip
TONES = {
    "REQUESTED": "info", "STARTED": "info", "PAID": "success", "FAILED": "danger", "EXPIRED": "neutral", "CANCELLED": "neutral",
}  # fmt: skip
# what a refund is, by its last step
REFUND_STEPS: dict[str, str | Promise] = {
    "": _("on its way"), "SENT": _("with the provider, no answer yet"), "DONE": pgettext_lazy("refund", "given back"), "FAILED": pgettext_lazy("refund", "failed"),
}  # fmt: skip
