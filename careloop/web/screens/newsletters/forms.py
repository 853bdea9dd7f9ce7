"""The form of an issue: a subject and a text in each language."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from careloop.loyalty.thanks import wishes

LANGUAGES = (
    ("zh-hant", "zh_hant", _("Traditional Chinese")),
    ("zh-hans", "zh_hans", _("Simplified Chinese")),
    ("en", "en", _("English")),
)


class IssueForm(forms.Form):
    """An issue as it is written. Traditional Chinese is always there; who reads another language gets it where it is written."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    title = forms.CharField(label=_("Title"), max_length=80, help_text=_("For staff; readers see the subject."))
    topics = forms.MultipleChoiceField(
        label=_("Topics"), required=False, widget=forms.CheckboxSelectMultiple,
        help_text=_("Members who chose one of these get it. None chosen: all members."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["topics"]
        field.choices = list(wishes.topics().items())
        for code, name, label in LANGUAGES:
            needed = code == "zh-hant"
            self.fields[f"subject_{name}"] = forms.CharField(
                label=_("Subject (%(language)s)") % {"language": label}, max_length=120, required=needed
            )
            self.fields[f"text_{name}"] = forms.CharField(
                label=_("Text (%(language)s)") % {"language": label}, max_length=3000, required=needed,
                widget=forms.Textarea(attrs={"rows": 7}),
            )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        for _code, name, _label in LANGUAGES[1:]:
            if bool(given.get(f"subject_{name}")) != bool(given.get(f"text_{name}")):
                self.add_error(
                    f"text_{name}" if given.get(f"subject_{name}") else f"subject_{name}",
                    _("A language has a subject and a text."),
                )
        return given

    def texts(self) -> dict[str, dict[str, str]]:
        """Return the words as messaging keeps them."""
        given = self.cleaned_data
        return {
            code: {"subject": given[f"subject_{name}"], "text": given[f"text_{name}"]}
            for code, name, _label in LANGUAGES if given.get(f"text_{name}")
        }  # fmt: skip


def initial_of(issue: Any) -> dict[str, Any]:
    """Return an issue as the form shows it."""
    words = {
        f"{part}_{name}": issue.texts.get(code, {}).get(part, "")
        for code, name, _label in LANGUAGES
        for part in ("subject", "text")
    }
    return {"title": issue.title, "topics": issue.topics, "version": issue.version, **words}
