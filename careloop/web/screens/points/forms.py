"""Forms of the points' screens. Each has a key of its own, so that sending it twice posts once."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from careloop.kernel.ids import uuid7
from careloop.loyalty.points.ledger import MOST


class KeyForm(forms.Form):
    """A form that is posted once, however often it is sent."""

    key = forms.CharField(widget=forms.HiddenInput, max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"key": uuid7().hex, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)


class AdjustForm(KeyForm):
    """How many points are given or taken, and why."""

    direction = forms.ChoiceField(
        label=pgettext_lazy("points", "What"), widget=forms.RadioSelect, initial="give",
        choices=[("give", pgettext_lazy("points", "Give points")), ("take", pgettext_lazy("points", "Take points"))],
    )  # fmt: skip
    points = forms.IntegerField(label=_("Points"), min_value=1, max_value=MOST)
    note = forms.CharField(
        label=pgettext_lazy("points", "Why"),
        max_length=200,
        help_text=_("The patient reads it on the statement, and the auditor."),
    )

    def signed(self) -> int:
        """Return the points as they change the balance."""
        points: int = self.cleaned_data["points"]
        return points if self.cleaned_data["direction"] == "give" else -points


class ReverseForm(KeyForm):
    """How many points of an entry are reversed, and why."""

    points = forms.IntegerField(label=pgettext_lazy("points", "How many to reverse"), min_value=1)
    note = forms.CharField(
        label=pgettext_lazy("points", "Why"), max_length=200, help_text=_("The patient reads it on the statement, and the auditor.")
    )  # fmt: skip

    def __init__(self, *args: Any, left: int, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "initial": {"points": left}})
        # what is too many the ledger says, with the number that is left by then
        self.fields["points"].widget.attrs["max"] = left
        self.fields["points"].help_text = ngettext(
            "%(count)s point of this entry can be reversed.",
            "All %(count)s points of this entry, or a part of them.",
            left,
        ) % {"count": f"{left:,}"}


class HandOverForm(KeyForm):
    """How many points go to whom, and who agreed."""

    to = forms.ChoiceField(label=pgettext_lazy("points", "To"))
    points = forms.IntegerField(label=_("Points"), min_value=1, max_value=MOST)
    agreed = forms.ChoiceField(label=_("Who agreed"), help_text=_("The member, or the guardian of a child."))

    def __init__(
        self, *args: Any, takers: list[tuple[str, str]], agreeing: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].choices = takers  # type: ignore[attr-defined]
        self.fields["agreed"].choices = agreeing  # type: ignore[attr-defined]


class PaperForm(forms.Form):
    """Who signed that points are shared, or no longer."""

    agreed = forms.ChoiceField(label=_("Who signed"), help_text=_("The member, or the guardian of a child."))

    def __init__(self, *args: Any, agreeing: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agreed"].choices = agreeing  # type: ignore[attr-defined]


class InviteForm(forms.Form):
    """Who is asked to share, and who of the family asks."""

    who = forms.ChoiceField(label=pgettext_lazy("points", "Who is asked"))

    def __init__(self, *args: Any, relatives: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["who"].choices = relatives  # type: ignore[attr-defined]
