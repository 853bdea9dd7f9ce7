"""Why a source, a document or a resource was not taken. The sentences a person reads are in `reasons.py`."""

from typing import ClassVar

import careloop.integrations.fhir.reasons  # noqa: F401 (registers the sentences)
from careloop.integrations.imports.reasons import sentence
from careloop.kernel.errors import DomainError


class FhirRefusal(DomainError):
    """One resource, document or archive was refused; the rest of the import goes on.

    `code` is stable, `path` is where in the document (`Patient.name[0].given`), `values` fill the sentence
    and never
    hold patient data.
    """

    code: ClassVar[str] = "fhir.refused"
    status: ClassVar[int] = 422

    def __init__(self, reason: str, path: str = "", **values: str | int) -> None:
        super().__init__(**values)
        self.reason = reason
        self.path = path
        self.values = values

    def __str__(self) -> str:
        return sentence(self.reason, self.values)
