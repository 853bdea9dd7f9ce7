"""Forms of the guard: what is signed and on what it rests, and a text to try."""

import hashlib
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.policy.offers import EARNS_BY, GIVES, KINDS

LARGEST_FILE = 20 * 1024 * 1024


class SignForm(forms.Form):
    """Reason and document of a sign-off. A file stays with the clinic: only its name and SHA-256 are kept."""

    fingerprint = forms.CharField(widget=forms.HiddenInput, max_length=64)
    reason = forms.CharField(
        label=pgettext_lazy("sign-off", "Reason"), max_length=1000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Why you take responsibility for it. An inspector reads this."),
    )  # fmt: skip
    document = forms.CharField(
        label=_("Document it rests on"), required=False, max_length=200,
        help_text=_("A file number, an opinion of counsel, a letter of the health bureau."),
    )  # fmt: skip
    file = forms.FileField(
        label=_("Its file"), required=False,
        help_text=_("Only its name and its SHA-256 are kept, so that the file can be recognized later; keep the file itself."),
    )  # fmt: skip

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file and file.size > LARGEST_FILE:
            raise forms.ValidationError(_("The file is larger than 20 MB."))
        return file

    def evidence(self) -> dict[str, Any]:
        """Return `document` and `document_hash` as they are kept."""
        reference, file = self.cleaned_data["document"], self.cleaned_data["file"]
        if not file:
            return {"document": reference, "document_hash": b""}
        digest = hashlib.sha256()
        for chunk in file.chunks():
            digest.update(chunk)
        named = f"{reference} · {file.name}" if reference else file.name
        return {"document": named[:200], "document_hash": digest.digest()}


class WithdrawForm(forms.Form):
    """Why a sign-off no longer counts."""

    reason = forms.CharField(label=pgettext_lazy("sign-off", "Reason"), max_length=1000)


class TryForm(forms.Form):
    """A text, and if it belongs to an offer, what that offer is."""

    text = forms.CharField(
        label=_("Wording"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 5})
    )
    kind = forms.ChoiceField(label=_("It shows"), required=False, choices=[("", _("a text only")), *KINDS.items()])
    earns_by = forms.ChoiceField(
        label=_("Earned by"), required=False, choices=[("", pgettext_lazy("offer", "nothing")), *EARNS_BY.items()]
    )
    gives = forms.ChoiceField(
        label=pgettext_lazy("offer", "It gives"), required=False, choices=[("", pgettext_lazy("offer", "nothing")), *GIVES.items()]
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("text", "").strip() and not given.get("kind"):
            self.add_error("text", _("Write a text, or say what is offered."))
        return given
