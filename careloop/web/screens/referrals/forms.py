"""Forms of the referrals' screens."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.loyalty.models import Coupon, Referral, ReferralProgramme

STATES = [("", _("All")), *Referral.State.choices]


class FilterForm(forms.Form):
    """Which referrals the list shows."""

    state = forms.ChoiceField(label=_("State"), required=False, choices=STATES)


class NoteForm(forms.Form):
    """The code that a new patient tells at the desk."""

    code = forms.CharField(
        label=_("Referral code"), max_length=20,
        help_text=_("Seven letters and digits, as on the member’s page. Capitals and hyphens do not matter."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )  # fmt: skip
    agrees = forms.BooleanField(
        label=_("The patient wants the member to be thanked"),
        help_text=_("The member learns that a friend came, not who and not why."),
    )
    shows_name = forms.BooleanField(label=_("The member may also see the patient’s name"), required=False)


class DecideForm(forms.Form):
    """What a person decides about a referral that looks odd."""

    counts = forms.ChoiceField(
        label=_("Does it count?"), widget=forms.RadioSelect,
        choices=[("yes", _("Yes, it counts")), ("no", _("No, it does not count"))],
    )  # fmt: skip
    note = forms.CharField(
        label=pgettext_lazy("referral", "Why"), max_length=300, widget=forms.Textarea(attrs={"rows": 3})
    )


class GiftForm(forms.Form):
    """What is given along, in the field `gives`: points, a coupon, or words alone."""

    points = forms.IntegerField(label=_("Points"), min_value=0, max_value=100_000, required=False)
    coupon_id = forms.ChoiceField(label=_("Coupon"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [name for name in self.fields if name not in ("points", "coupon_id")]
        after = names.index("gives") + 1
        self.order_fields([*names[:after], "points", "coupon_id", *names[after:]])

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("gives") == "POINTS" and not given.get("points"):
            self.add_error("points", _("Say how many points."))
        if given.get("gives") == "COUPON" and not given.get("coupon_id"):
            self.add_error("coupon_id", _("Choose a coupon."))
        given["points"] = given.get("points") or 0
        given["coupon_id"] = given.get("coupon_id") or None
        return given


class ProgrammeForm(GiftForm):
    """How the clinic thanks for referrals."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    is_on = forms.BooleanField(label=_("Members have a referral code"), required=False)
    gives = forms.ChoiceField(
        label=_("The member gets"), widget=forms.RadioSelect, choices=ReferralProgramme.Gives.choices,
        help_text=_("Words of thanks always go. Points and coupons only where the law lets them; that is asked again each time."),
    )  # fmt: skip
    monthly_limit = forms.IntegerField(
        label=_("Friends of one member in 30 days before staff look"), min_value=1, max_value=200
    )
    claim_days = forms.IntegerField(
        label=_("Days after registering in which a friend can say who sent them"), min_value=1, max_value=365
    )
    visit_days = forms.IntegerField(label=_("Days in which the first visit counts"), min_value=1, max_value=1000)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["coupon_id"]
        field.choices = [("", _("none")), *coupon_choices("REFERRAL")]


def coupon_choices(given_for: str) -> list[tuple[str, str]]:
    """Return the coupons meant for this reason."""
    return [
        (str(one.pk), one.name)
        for one in Coupon.objects.filter(given_for=given_for, kind__in=["SINGLE", "PERSONAL"]).order_by("name", "id")
    ]
