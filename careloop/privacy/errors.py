"""What is refused about a person's data, and why."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class MustBeKept(DomainError):
    code = "privacy.must_be_kept"
    message = _(
        "The law asks for these records to be kept until %(until)s (%(legal_base)s). They can be restricted instead: kept, but no longer used."
    )
