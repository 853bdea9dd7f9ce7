"""What happens to a patient's own record. Payloads hold ids, codes and staff words, never names or numbers of the patient."""

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from careloop.events.registry import fact


@fact(
    "patient.registered",
    label=_("Registered"),
    group="profile",
    icon="user-plus",
    sentence=_("Registered as a patient."),
)
@dataclass(frozen=True)
class PatientRegistered:
    """A record was made. `how`: desk, import, portal, line."""

    how: str = "desk"


@fact("patient.updated", label=_("Details changed"), group="profile", icon="pencil", sentence=_("Changed: %(fields)s."))
@dataclass(frozen=True)
class PatientUpdated:
    """Which fields changed; their values are in the record and nowhere else."""

    fields: list[str]


@fact("patient.tagged", label=_("Tag given"), group="profile", icon="tag", sentence=_("Tagged “%(tag)s”."))
@dataclass(frozen=True)
class PatientTagged:
    """A tag was put on the patient; `number` is the tag's small number in roll-ups, `rule` what gave it (empty: a person)."""

    tag_id: UUID
    tag: str
    number: int
    rule: str = ""


@fact("patient.untagged", label=_("Tag removed"), group="profile", icon="tag", sentence=_("Tag “%(tag)s” removed."))
@dataclass(frozen=True)
class PatientUntagged:
    """A tag was taken off."""

    tag_id: UUID
    tag: str
    number: int
    rule: str = ""


@fact(
    "contact_point.added",
    label=_("Contact added"),
    group="profile",
    icon="address-book",
    sentence=_("New contact: %(system)s."),
)
@dataclass(frozen=True)
class ContactPointAdded:
    """A phone, address or channel id was added."""

    contact_point_id: UUID
    system: str
    is_mobile: bool = False


@fact(
    "contact_point.reach_changed", label=_("Reach changed"), group="profile", icon="phone",
    sentence=_("%(system)s: %(reach)s."),
)  # fmt: skip
@dataclass(frozen=True)
class ContactPointReachChanged:
    """We learnt whether a contact point still reaches the patient."""

    contact_point_id: UUID
    system: str
    reach: str


@fact(
    "patient.restricted", label=_("Restricted"), group="profile", icon="lock",
    sentence=_("Kept, but no longer used: the person asked for it."),
)  # fmt: skip
@dataclass(frozen=True)
class PatientRestricted:
    """The record is kept because it must be, and used for nothing else; whether it was in use before is what lifting goes back to."""

    was_active: bool = True


@fact(
    "patient.restriction_lifted", label=_("Restriction lifted"), group="profile", icon="lock-open",
    sentence=_("The record is used again."),
)  # fmt: skip
@dataclass(frozen=True)
class PatientRestrictionLifted:
    """The record is open again."""


@fact(
    "patient.erased", label=_("Erased"), group="profile", icon="eraser", sentence=_("What said who this is was erased.")
)
@dataclass(frozen=True)
class PatientErased:
    """The record was emptied and its key destroyed."""
