"""Forms of the rewards' screens."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.kernel.money import format_money
from careloop.loyalty.models import Coupon, Redemption, Reward
from careloop.loyalty.models.offered import Gives
from careloop.loyalty.reward.coupons import MOST_AT_ONCE
from careloop.loyalty.reward.partners import PIN_DIGITS
from careloop.web.screens.payments.forms import MoneyField
from careloop.web.screens.rewards.common import branches, open_programmes


class DayField(forms.DateField):
    """A day, also one to come."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


LANGUAGE_NAMES = {"zh-hant": "正體中文", "zh-hans": "简体中文", "en": "English"}


class OfferForm(forms.Form):
    """What rewards and coupons have in common: words in three languages, what it gives, from when to when."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(label=pgettext_lazy("reward", "Name"), max_length=60)
    text = forms.CharField(
        label=pgettext_lazy("reward", "What members read"), max_length=500, required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip
    gives = forms.ChoiceField(label=pgettext_lazy("reward", "What it gives"), choices=Gives.choices)
    valid_from = DayField(label=pgettext_lazy("reward", "Offered from"), required=False)
    valid_until = DayField(label=pgettext_lazy("reward", "Offered until"), required=False)

    model: type[Any] = Reward
    plain: tuple[str, ...] = ()

    def __init__(self, *args: Any, organization: Any, offer: Any = None, **kwargs: Any) -> None:
        self.organization, self.offer = organization, offer
        self.languages = [code for code, _name in settings.LANGUAGES if code != organization.language]
        self.programmes = open_programmes()
        if offer is not None:
            kwargs["initial"] = {**self._stored(offer), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        self.fields["value"] = MoneyField(
            label=pgettext_lazy("reward", "Worth"), required=False, currency=organization.currency,
            help_text=_("For the legal guard and the reports; members do not see it."),
        )  # fmt: skip
        for code in self.languages:
            name = LANGUAGE_NAMES.get(code, code)
            self.fields[f"name_{code}"] = forms.CharField(
                label=_("Name (%(language)s)") % {"language": name}, max_length=60, required=False
            )
            self.fields[f"text_{code}"] = forms.CharField(
                label=_("What members read (%(language)s)") % {"language": name}, max_length=500, required=False,
                widget=forms.Textarea(attrs={"rows": 2}),
            )  # fmt: skip
        if len(self.programmes) > 1 and offer is None:
            self.fields["programme"] = forms.ChoiceField(
                label=pgettext_lazy("reward", "Programme"), choices=[(str(one.pk), one.name) for one in self.programmes]
            )

    def _stored(self, offer: Any) -> dict[str, Any]:
        found = {
            name: getattr(offer, name)
            for name in ("name", "text", "gives", "valid_from", "valid_until", "version", *self.plain)
        }
        found["value"] = format_money(offer.value, self.organization.currency) if offer.value else ""
        for code in self.languages:
            found[f"name_{code}"], found[f"text_{code}"] = offer.names.get(code, ""), offer.texts.get(code, "")
        return found

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        first, last = given.get("valid_from"), given.get("valid_until")
        if first and last and last < first:
            self.add_error("valid_until", _("The last day is before the first."))
        if not self.programmes:
            raise forms.ValidationError(_("There is no membership programme yet. Set one up first."))
        return given

    def values(self) -> dict[str, Any]:
        """Return what is kept."""
        given = self.cleaned_data
        found = {
            name: given[name]
            for name in ("name", "text", "gives", "valid_from", "valid_until", *self.plain)
            if name in given
        }
        found["value"] = given.get("value") or 0
        for kept, part in (("names", "name"), ("texts", "text")):
            found[kept] = {code: given[f"{part}_{code}"] for code in self.languages if given.get(f"{part}_{code}")}
        if self.offer is None:
            found["programme_id"] = given.get("programme") or self.programmes[0].pk
        return found

    def groups(self) -> list[dict[str, Any]]:
        """Return the fields in the order and groups in which they are drawn."""
        others = [self[f"{part}_{code}"] for code in self.languages for part in ("name", "text")]
        return [
            {"title": "", "rows": self.first_rows()},
            {"title": _("In other languages"), "fields": others, "is_folded": True},
        ]

    def first_rows(self) -> list[list[Any]]:
        """Return the other fields, short ones that belong together beside each other."""
        rows: list[list[Any]] = []
        for names in self.order:
            present = [self[name] for name in names.split("+") if name in self.fields]
            if present:
                rows.append(present)
        return rows

    order: tuple[str, ...] = ()


class RewardForm(OfferForm):
    """A reward."""

    stock_seen = forms.IntegerField(widget=forms.HiddenInput, required=False)
    points = forms.IntegerField(label=pgettext_lazy("reward", "Points"), min_value=1, max_value=1_000_000)
    stock = forms.IntegerField(
        label=_("How many are left"), min_value=0, max_value=1_000_000, required=False, help_text=_("Empty: without end.")
    )  # fmt: skip
    per_member = forms.IntegerField(
        label=_("How often a member can have it"), min_value=1, max_value=1000, required=False, help_text=_("Empty: as often as the points last."),
    )  # fmt: skip
    per_days = forms.IntegerField(
        label=_("Within how many days"), min_value=0, max_value=3650, required=False, help_text=_("Empty or 0: ever.")
    )  # fmt: skip
    hold_days = forms.IntegerField(
        label=_("Days the code can be used"), min_value=1, max_value=365, initial=14,
        help_text=_("The day it is made counts. A code made on the last day of the offer stays good as long."),
    )  # fmt: skip
    undo_hours = forms.IntegerField(
        label=_("Hours in which it can be taken back"), min_value=0, max_value=720, initial=24,
        help_text=_("After it was handed over, by the desk, with a reason."),
    )  # fmt: skip
    returns_points = forms.BooleanField(
        label=_("The points come back when the code is not used in time"), required=False, initial=True
    )

    plain = ("points", "stock", "per_member", "hold_days", "undo_hours", "returns_points")
    order = (
        "programme", "name", "text", "gives", "points+value", "stock", "per_member+per_days", "valid_from+valid_until",
        "locations", "tiers", "hold_days+undo_hours", "returns_points",
    )  # fmt: skip

    def __init__(self, *args: Any, tiers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = branches()
        if len(places) > 1:
            self.fields["locations"] = forms.MultipleChoiceField(
                label=_("Only at these branches"), choices=[(str(one.pk), one.name) for one in places],
                widget=forms.CheckboxSelectMultiple, required=False,
            )  # fmt: skip
        if tiers:
            self.fields["tiers"] = forms.MultipleChoiceField(
                label=_("Only for these tiers"), choices=tiers, widget=forms.CheckboxSelectMultiple, required=False
            )

    def _stored(self, offer: Any) -> dict[str, Any]:
        return {
            **super()._stored(offer), "stock_seen": offer.stock, "per_days": offer.per_days or None,
            "locations": [str(one) for one in offer.locations], "tiers": [str(one) for one in offer.tiers],
        }  # fmt: skip

    def values(self) -> dict[str, Any]:
        found = super().values()
        found["per_days"] = self.cleaned_data.get("per_days") or 0
        if self.offer is not None:
            found["stock_seen"] = self.cleaned_data.get("stock_seen")
        for name in ("locations", "tiers"):
            if name in self.fields:
                found[name] = self.cleaned_data.get(name) or []
        return found


class CouponForm(OfferForm):
    """A coupon, or a partner's offer."""

    model = Coupon
    kind = forms.ChoiceField(
        label=pgettext_lazy("coupon", "Kind"), choices=[one for one in Coupon.Kind.choices if one[0] != "PARTNER"],
        widget=forms.RadioSelect, initial="PERSONAL",
    )  # fmt: skip
    given_for = forms.ChoiceField(
        label=pgettext_lazy("coupon", "Given for"), choices=Coupon.For.choices,
        help_text=_("The legal guard judges a coupon for a visit or a review otherwise than one given by hand."),
    )  # fmt: skip
    at_most = forms.IntegerField(
        label=_("How many codes at most"), min_value=1, max_value=1_000_000, required=False, help_text=_("Empty: without end.")
    )  # fmt: skip
    per_member = forms.IntegerField(label=_("How many one member can get"), min_value=1, max_value=1000, required=False)
    good_days = forms.IntegerField(
        label=_("Days a code is good"), min_value=1, max_value=730, initial=30,
        help_text=_("From the day it is given, but never longer than the offer itself."),
    )  # fmt: skip
    undo_hours = forms.IntegerField(
        label=_("Hours in which a use can be taken back"), min_value=0, max_value=720, initial=24
    )

    plain = ("kind", "given_for", "at_most", "per_member", "good_days", "undo_hours")
    order = (
        "programme", "kind", "name", "text", "gives", "given_for", "value+pays", "valid_from+valid_until", "at_most+per_member",
        "good_days+undo_hours",
    )  # fmt: skip

    def __init__(self, *args: Any, partner: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.partner = partner or (self.offer.partner if self.offer is not None else None)
        if self.partner is not None:
            del self.fields["kind"], self.fields["given_for"]
            self.fields["pays"] = MoneyField(
                label=_("What the clinic pays the partner for each use"), required=False, currency=self.organization.currency,
                help_text=_("Empty: nothing. It stands in the settlement."),
            )  # fmt: skip
            if self.offer is not None and self.offer.pays:
                self.initial["pays"] = format_money(self.offer.pays, self.organization.currency)
        elif self.offer is not None:
            del self.fields["kind"]

    def values(self) -> dict[str, Any]:
        found = super().values()
        if self.partner is not None:
            found |= {"kind": "PARTNER", "partner_id": self.partner.pk, "pays": self.cleaned_data.get("pays") or 0}
        return found


class FilterForm(forms.Form):
    """Filters of the redemptions."""

    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("All")), *Redemption.State.choices])
    reward = forms.ChoiceField(label=pgettext_lazy("membership", "Reward"), required=False)

    def __init__(self, *args: Any, rewards: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["reward"]
        field.choices = [("", _("All")), *rewards]


class FindForm(forms.Form):
    """What a scanner types at the desk, or a person."""

    code = forms.CharField(
        label=_("Member’s card or code"), max_length=200,
        help_text=_("The card, the member’s number, or the code of a reward or coupon. Without any: find the patient by name above, and choose Redeem on the page’s Membership."),
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )  # fmt: skip


class NotedForm(forms.Form):
    """Codes that were noted while there was no network."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    noted_at = forms.DateTimeField(
        label=_("When they were noted"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("The last of them; a code must have been good then. Today or yesterday."),
    )  # fmt: skip
    codes = forms.CharField(
        label=_("The codes"), widget=forms.Textarea(attrs={"rows": 8, "autocapitalize": "characters", "spellcheck": "false"}),
        max_length=8000, help_text=_("One in a line, up to 200."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"key": uuid7().hex, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean_codes(self) -> list[str]:
        lines = [line for line in self.cleaned_data["codes"].splitlines() if line.strip()]
        if len(lines) > 200:
            raise forms.ValidationError(_("Send 200 codes at a time at most."))
        return lines


class ReasonForm(forms.Form):
    """Why something is taken back."""

    reason = forms.CharField(label=_("Why"), min_length=2, max_length=200)


class SeriesForm(forms.Form):
    """How many codes."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    count = forms.IntegerField(label=_("How many codes"), min_value=1, max_value=MOST_AT_ONCE, initial=50)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"key": uuid7().hex, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)


class GiveForm(forms.Form):
    """To whom, and why."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)
    member = forms.CharField(label=_("Member’s number"), max_length=40)
    note = forms.CharField(
        label=_("Why"), min_length=2, max_length=120, help_text=_("The patient reads it beside the coupon.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"key": uuid7().hex, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)


class PartnerForm(forms.Form):
    """A partner."""

    name = forms.CharField(label=pgettext_lazy("partner", "Name"), max_length=60)
    contact = forms.CharField(
        label=pgettext_lazy("partner", "Whom to ask"), max_length=120, required=False,
        help_text=_("A person, a telephone number, an address: as you like."),
    )  # fmt: skip
    is_active = forms.BooleanField(
        label=_("Takes part"), required=False, initial=True, help_text=_("Switched off, the link opens nothing.")
    )


class PinForm(forms.Form):
    """The partner's PIN."""

    pin = forms.RegexField(
        label=_("PIN of six digits"), regex=rf"^[0-9]{{{PIN_DIGITS}}}$", max_length=PIN_DIGITS,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text=_("Tell it to the partner by telephone, not in the same message as the link."),
    )  # fmt: skip


class DaysForm(forms.Form):
    """From when to when."""

    first = DayField(label=pgettext_lazy("settlement", "From"))
    last = DayField(label=pgettext_lazy("settlement", "To"))
    note = forms.CharField(label=pgettext_lazy("settlement", "Note"), max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("first") and given.get("last") and given["last"] < given["first"]:
            self.add_error("last", _("The last day is before the first."))
        return given
