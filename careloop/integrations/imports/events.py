"""What imports announce beside the records they bring."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "import.undone", label=_("Import undone"), group="profile", icon="arrow-back-up", sentence=_("An import was undone")
)
@dataclass(frozen=True)
class ImportUndone:
    """What a batch brought is gone, and what it changed is as before; about nobody in particular, readers look up whom."""

    batch_id: UUID
