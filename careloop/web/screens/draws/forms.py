"""Forms of the draws: what can be won and who takes part, and the number announced from outside."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.loyalty.models import Coupon, Draw, DrawPrize, Programme, Tier
from careloop.loyalty.models.draws import WEIGHT
from careloop.policy.offers import GIVES

PRIZES = 5
MOST_VALUE = 10_000_000


class DrawForm(forms.Form):
    """A draw that is not open yet. Prizes are five plain lines, so that it works without JavaScript."""

    programme = forms.ModelChoiceField(label=_("Programme"), queryset=Programme.objects.none(), empty_label=None)
    name = forms.CharField(label=pgettext_lazy("draw", "Name"), max_length=60)
    description = forms.CharField(
        label=_("What members read about it"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )
    entry = forms.ChoiceField(label=_("Who takes part"), choices=Draw.Entry.choices, widget=forms.RadioSelect)
    tier = forms.ModelChoiceField(label=_("Tier"), queryset=Tier.objects.none(), required=False, empty_label="–")
    least_points = forms.IntegerField(
        label=_("Points earned, at least"), required=False, min_value=1, max_value=1_000_000
    )
    from_on = forms.DateField(label=_("Period from"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    to_on = forms.DateField(label=_("Period to"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    outside_source = forms.CharField(
        label=_("Number from outside"), required=False, max_length=120,
        help_text=_(
            "A number that nobody here can know beforehand, such as the special number of a state lottery's next result. It enters "
            "the computation, so that nobody could have chosen the winners."
        ),
    )  # fmt: skip

    def __init__(self, *args: Any, draw: Draw | None = None, **kwargs: Any) -> None:
        if draw is not None:
            kwargs["initial"] = _initial(draw)
        else:
            kwargs.setdefault("initial", {"entry": Draw.Entry.MEMBERS})
        super().__init__(*args, **kwargs)
        programmes: Any = self.fields["programme"]
        programmes.queryset = Programme.objects.exclude(state=Programme.State.CLOSED).order_by("name")
        tiers: Any = self.fields["tier"]
        tiers.queryset = Tier.objects.filter(is_active=True).order_by("rank")
        coupons = [("", "–"), *((str(one.pk), one.name) for one in Coupon.objects.order_by("name"))]
        for number in range(1, PRIZES + 1):
            self.fields |= _prize_fields(number, coupons)

    def prize_rows(self) -> list[dict[str, Any]]:
        """The lines of prizes as they are drawn."""
        return [
            {"number": number, "fields": [self[f"{part}_{number}"] for part in ("name", "count", "gives", "value", "points", "coupon")]}
            for number in range(1, PRIZES + 1)
        ]  # fmt: skip

    def own_fields(self) -> list[Any]:
        """The fields before the prizes."""
        return [self[name] for name in self.base_fields]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        entry = given.get("entry")
        if entry == Draw.Entry.TIER and not given.get("tier"):
            self.add_error("tier", _("Choose the tier."))
        if entry == Draw.Entry.POINTS and not given.get("least_points"):
            self.add_error("least_points", _("Say how many points."))
        if entry in (Draw.Entry.POINTS, Draw.Entry.KEPT):
            if not given.get("from_on") or not given.get("to_on"):
                self.add_error("from_on", _("Say from when to when."))
            elif given["to_on"] < given["from_on"]:
                self.add_error("to_on", _("The period ends before it begins."))
        for number in range(1, PRIZES + 1):
            self._clean_prize(number, given)
        return given

    def _clean_prize(self, number: int, given: dict[str, Any]) -> None:
        name, points = given.get(f"name_{number}"), given.get(f"points_{number}")
        if not name:
            return
        if given.get(f"gives_{number}") == "POINTS" and not points:
            self.add_error(f"points_{number}", _("Say how many points."))
        if given.get(f"gives_{number}") != "POINTS" and points:
            self.add_error(f"points_{number}", _("Only a prize that gives points has a number of points."))

    def values(self) -> dict[str, Any]:
        """The draw's own fields as `draws.prepare` takes them."""
        given = self.cleaned_data
        entry, has_period = given["entry"], given["entry"] in (Draw.Entry.POINTS, Draw.Entry.KEPT)
        return {
            "name": given["name"], "description": given["description"], "entry": entry, "outside_source": given["outside_source"],
            "tier_id": given["tier"].pk if entry == Draw.Entry.TIER else None,
            "least_points": given["least_points"] or 0 if entry == Draw.Entry.POINTS else 0,
            "from_on": given["from_on"] if has_period else None, "to_on": given["to_on"] if has_period else None,
        }  # fmt: skip

    def prizes(self) -> list[dict[str, Any]]:
        """The prizes that have a name."""
        given = self.cleaned_data
        return [
            {
                "name": given[f"name_{number}"], "count": given[f"count_{number}"] or 1, "gives": given[f"gives_{number}"] or "GOODS",
                "value": given[f"value_{number}"] or 0, "points": given[f"points_{number}"] or 0,
                "coupon_id": given[f"coupon_{number}"] or None,
            }
            for number in range(1, PRIZES + 1)
            if given[f"name_{number}"]
        ]  # fmt: skip


def _prize_fields(number: int, coupons: list[tuple[str, Any]]) -> dict[str, forms.Field]:
    return {
        f"name_{number}": forms.CharField(label=_("Prize"), required=False, max_length=60),
        f"count_{number}": forms.IntegerField(label=pgettext_lazy("draw", "How many"), required=False, min_value=1, max_value=1000),
        f"gives_{number}": forms.ChoiceField(
            label=pgettext_lazy("draw", "It is"), required=False, choices=[(key, GIVES[key]) for key in reversed(WEIGHT)], initial="GOODS"
        ),
        f"value_{number}": forms.IntegerField(label=_("Worth"), required=False, min_value=0, max_value=MOST_VALUE),
        f"points_{number}": forms.IntegerField(label=_("Points"), required=False, min_value=1, max_value=1_000_000),
        f"coupon_{number}": forms.ChoiceField(label=_("Coupon given"), required=False, choices=coupons),
    }  # fmt: skip


def _initial(draw: Draw) -> dict[str, Any]:
    initial: dict[str, Any] = {
        "programme": draw.programme_id, "name": draw.name, "description": draw.description, "entry": draw.entry, "tier": draw.tier_id,
        "least_points": draw.least_points or None, "from_on": draw.from_on, "to_on": draw.to_on, "outside_source": draw.outside_source,
    }  # fmt: skip
    prizes: list[DrawPrize] = list(draw.prizes.all())
    for number, prize in enumerate(prizes, start=1):
        initial |= {
            f"name_{number}": prize.name, f"count_{number}": prize.count, f"gives_{number}": prize.gives,
            f"value_{number}": prize.value or None, f"points_{number}": prize.points or None,
            f"coupon_{number}": str(prize.coupon_id or ""),
        }  # fmt: skip
    return initial


class OutsideForm(forms.Form):
    """The number that was announced, once it is known."""

    outside_value = forms.CharField(label=_("Number from outside"), max_length=120)


class NothingForm(forms.Form):
    """A step that asks for nothing but a yes."""
