"""What staff may do: named permissions, and roles as sets of them."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PERMISSIONS: dict[str, str | Promise] = {
    "patients.view": _("See patients and their pages"),
    "patients.edit": _("Register and change patients"),
    "patients.reveal": _("Reveal masked identifiers, with a reason"),
    "patients.export": _("Download lists of patients"),
    "records.view": _("See clinical records"),
    "consent.edit": _("Record and withdraw consent"),
    "followups.view": _("See follow-ups"),
    "followups.edit": _("Work on follow-ups"),
    "schedule.view": _("See the schedule and who is booked"),
    "schedule.book": _("Book, move and cancel appointments"),
    "schedule.manage": _("Plan sessions, leave and what can be booked"),
    "queue.run": _("Check patients in and call them"),
    "payments.manage": _("See payments and ask patients to pay"),
    "payments.refund": _("Give payments back"),
    "loyalty.view": _("See members, their points and tiers"),
    "loyalty.desk": _("Join members and redeem at the desk"),
    "loyalty.adjust": _("Give and take points by hand"),
    "loyalty.manage": _("Set up membership, tiers and rewards"),
    "segments.view": _("See segments"),
    "segments.edit": _("Build segments"),
    "journeys.view": _("See care journeys"),
    "journeys.edit": _("Build and start care journeys"),
    "messages.view": _("See messages"),
    "messages.send": _("Write to a patient"),
    "messages.templates": _("Edit message templates"),
    "imports.run": _("Import records and undo imports"),
    "reports.view": _("See reports"),
    "settings.organization": _("Change the organization's settings"),
    "settings.staff": _("Invite staff and give roles"),
    "settings.channels": _("Connect channels"),
    "settings.payments": _("Connect payment providers"),
    "settings.legal": _("Change notices, legal profile and policy"),
    "privacy.requests": _("Give out, restrict and erase a patient's data"),
    "policy.sign_off": _("Sign off what a policy rule stops"),
    "audit.view": _("Read the audit log"),
    "api.tokens": _("Create API tokens"),
    "system.health": _("See the state of the installation"),
}


@dataclass(frozen=True)
class Role:
    """A function in the clinic: its name, what it is for, and what it may do."""

    name: str
    label: str | Promise
    description: str | Promise
    permissions: frozenset[str]


def _role(name: str, label: Promise, description: Promise, *permissions: str) -> Role:
    unknown = set(permissions) - set(PERMISSIONS)
    if unknown:
        raise ValueError(f"unknown permissions: {unknown}")
    return Role(name, label, description, frozenset(permissions))


_CARE = (
    "patients.view", "patients.edit", "patients.reveal", "records.view", "consent.edit", "followups.view",
    "followups.edit", "segments.view", "journeys.view", "messages.view", "messages.send", "reports.view", "schedule.view",
    "schedule.book", "queue.run", "loyalty.view",
)  # fmt: skip

ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role("owner", _("Owner"), _("Runs the clinic; may do everything."), frozenset(PERMISSIONS)),
        _role("physician", _("Physician"), _("Treats patients and plans their care."),
              *_CARE, "segments.edit", "journeys.edit"),
        _role("nurse", _("Nurse"), _("Looks after patients between visits."),
              *_CARE, "segments.edit", "journeys.edit", "messages.templates", "schedule.manage"),
        _role("front_desk", _("Front desk"), _("Registers patients, answers them and works the call list."),
              "patients.view", "patients.edit", "patients.reveal", "consent.edit", "followups.view",
              "followups.edit", "segments.view", "segments.edit", "journeys.view", "journeys.edit",
              "messages.view", "messages.send", "imports.run", "reports.view", "schedule.view", "schedule.book",
              "schedule.manage", "queue.run", "payments.manage", "payments.refund", "loyalty.view",
              "loyalty.desk"),
        _role("marketing", _("Marketing"), _("Plans messages and measures them; sees no clinical records."),
              "patients.view", "segments.view", "segments.edit", "journeys.view", "journeys.edit",
              "messages.view", "messages.templates", "reports.view", "loyalty.view", "loyalty.manage"),
        _role("privacy_officer", _("Privacy officer"), _("Watches over consent, notices and access."),
              "patients.view", "patients.reveal", "patients.export", "records.view", "consent.edit", "messages.view",
              "reports.view", "settings.legal", "privacy.requests", "policy.sign_off", "audit.view", "loyalty.view"),
        _role("it", _("IT"), _("Keeps the installation running; sees no patients."),
              "settings.organization", "settings.staff", "settings.channels", "api.tokens", "system.health",
              "audit.view"),
    )
}  # fmt: skip

ROLE_CHOICES = [(role.name, role.label) for role in ROLES.values()]
