"""Forms of the import pages."""

from django import forms
from django.utils.translation import gettext_lazy as _

from careloop.integrations.imports.models import ImportBatch


class UploadForm(forms.Form):
    """A file and the system it comes from."""

    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "CSV or Excel from any program, FHIR (JSON, NDJSON), or a zip or tar archive of them. Encoding and delimiter are found by themselves."
        ),
        widget=forms.ClearableFileInput(
            attrs={"accept": ".csv,.txt,.tsv,.xlsx,.xlsm,.xlsb,.xls,.ods,.zip,.json,.ndjson,.tar,.gz,.tgz,.xz,.bz2"}
        ),
    )
    kind = forms.ChoiceField(
        label=_("What is it"), required=False, choices=[("", _("Find out")), *ImportBatch.Kind.choices]
    )
    source = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]{0,59}$",
        label=_("Source"),
        required=False,
        help_text=_(
            "A short name of the system the file comes from, such as his or lab. The same system keeps the same name, so that records are found again; its CSV and FHIR exports need two names, because their visits carry different numbers."
        ),
        error_messages={"invalid": _("Small letters, digits and hyphens only.")},
        # said before a large file travels for nothing
        widget=forms.TextInput(
            attrs={"pattern": "[a-z0-9][a-z0-9_\\-]*", "title": _("Small letters, digits and hyphens only.")}
        ),
    )
