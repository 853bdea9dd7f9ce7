"""Forms of the greetings' screens."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.loyalty.models import GreetingPlan
from careloop.loyalty.thanks import ready_texts, wishes
from careloop.loyalty.thanks.lunar import Occasion
from careloop.messaging.models import MessageTemplate
from careloop.web.screens.referrals.forms import GiftForm, coupon_choices


class PlanForm(GiftForm):
    """Whom to greet, when, with which words, and what comes with it."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    name = forms.CharField(label=pgettext_lazy("greeting", "Name"), max_length=60)
    occasion = forms.ChoiceField(label=_("Occasion"), choices=Occasion.choices)
    template_key = forms.ChoiceField(
        label=_("Text"), required=False,
        help_text=_("Own texts are written under Messages → Templates. With something given along, the text must be marketing."),
    )  # fmt: skip
    who = forms.ChoiceField(label=_("Who is greeted"), choices=GreetingPlan.Who.choices)
    seen_within_months = forms.IntegerField(
        label=_("Only who was here in so many months"), min_value=0, max_value=240, help_text=_("0: everybody.")
    )
    days_before = forms.IntegerField(
        label=_("Days before the occasion"), min_value=0, max_value=30, help_text=_("0: on the day itself.")
    )
    window_days = forms.IntegerField(
        label=_("Surprise: days around a birthday"), min_value=0, max_value=30,
        help_text=_("The day is another one for each patient and year, so many days before or after the birthday. 0: on the day."),
    )  # fmt: skip
    hour = forms.IntegerField(
        label=pgettext_lazy("greeting", "Hour"), min_value=0, max_value=23, help_text=_("Quiet hours are kept.")
    )
    gives = forms.ChoiceField(
        label=_("What comes with it"), required=False, widget=forms.RadioSelect, choices=GreetingPlan.Gives.choices,
        help_text=_("In Taiwan a greeting alone may go; whatever has a value needs a sign-off or is stopped (rule S1)."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = MessageTemplate.objects.filter(is_archived=False, versions__published_at__isnull=False).exclude(
            key__startswith="newsletter-"
        )
        text: Any = self.fields["template_key"]
        text.choices = [
            ("", _("the one that comes with the program")),
            *own.distinct().order_by("name").values_list("key", "name"),
        ]
        coupon: Any = self.fields["coupon_id"]
        coupon.choices = [("", _("none")), *coupon_choices("BIRTHDAY"), *coupon_choices("FESTIVAL")]

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("occasion") and not given.get("template_key"):
            given["template_key"] = ready_texts.key_for(given["occasion"], window_days=given.get("window_days") or 0)
        return given


class WishesForm(forms.Form):
    """What a patient wishes, told at the desk."""

    wants_greetings = forms.BooleanField(label=_("Wants to be greeted at birthdays and festivals"), required=False)
    is_lunar = forms.BooleanField(label=_("Keeps the birthday by the lunar calendar"), required=False)
    interests = forms.MultipleChoiceField(
        label=_("Topics of the newsletter"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("What the patient likes to read about. Never guessed from the record."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["interests"]
        field.choices = list(wishes.topics().items())
