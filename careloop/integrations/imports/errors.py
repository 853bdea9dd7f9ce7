"""What an import refuses as a whole. What it refuses row by row is in `reasons.py`."""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError


class BatchUnknown(DomainError):
    code: ClassVar[str] = "imports.unknown"
    message = _("There is no such import.")
    status: ClassVar[int] = 404


class BatchBusy(DomainError):
    code: ClassVar[str] = "imports.busy"
    message = _("This import is running already.")


class BatchNotUndoable(DomainError):
    code: ClassVar[str] = "imports.not_undoable"
    message = _("This import cannot be undone: its state is “%(state)s”.")


class UndoRefused(DomainError):
    """Later work builds on what the import wrote; `details` say which."""

    code: ClassVar[str] = "imports.undo_refused"
    message = _("This import cannot be undone, because later work builds on it: %(what)s.")


class NoSuchFile(DomainError):
    code: ClassVar[str] = "imports.no_such_file"
    message = _("There is no file or folder “%(path)s”.")
    status: ClassVar[int] = 404


class UploadRefused(DomainError):
    """An uploaded file is too large, empty, or not of a kind that can be imported."""

    code: ClassVar[str] = "imports.upload"
    message = _("%(reason)s")
    status: ClassVar[int] = 422
