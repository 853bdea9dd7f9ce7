"""What the consent slice refuses, and why."""

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class UnknownPatient(DomainError):
    code = "consent.unknown_patient"
    message = _("There is no such patient here.")
    status = 404


class WrittenConsentNeeded(DomainError):
    code = "consent.written_needed"
    message = _(
        "This agreement must be in writing (PDPA art. 6): on a signed form, on the patient pages or through a link."
    )
    status = 422


class NoticeIncomplete(DomainError):
    code = "consent.notice_incomplete"
    message = _("The text is still missing in: %(languages)s.")
    status = 422


class NoticePublished(DomainError):
    code = "consent.notice_published"
    message = _("A published text is never changed, because people agreed to these very words. Make a new version.")


class UnknownNotice(DomainError):
    code = "consent.unknown_notice"
    message = _("There is no such notice.")
    status = 404


class NoPublishedNotice(DomainError):
    code = "consent.no_published_notice"
    message = _("No privacy notice has been published yet. Publish one in the settings first.")
