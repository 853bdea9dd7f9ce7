"""What the actions in the chain are called, for people. A guard test finds actions that have no words here."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Action:
    """An action in words, without its subject: “looked at the patient’s page”. `group` is the viewer's filter."""

    label: str | Promise
    group: str


GROUPS: dict[str, str | Promise] = {
    "seen": _("Patients’ data seen"),
    "changed": _("Patients’ data changed"),
    "out": _("Data in and out"),
    "messages": _("Messages and journeys"),
    "access": _("Sign-in and staff"),
    "settings": _("Settings and rules"),
    "system": _("Audit and installation"),
}

_WORDS: dict[str, dict[str, str | Promise]] = {
    "seen": {
        "patient.viewed": _("looked at a patient’s page"),
        "patient.revealed": _("revealed a masked value"),
        "patient.listed": _("read a list of patients"),
        "patient.duplicates_shown": _("was shown patients who look alike"),
        "patients.listed": _("read a list of patients"),
        "patients.searched": _("searched for patients"),
        "event.listed": _("read events of patients"),
        "follow_up.viewed": _("looked at a follow-up"),
        "appointment.viewed": _("looked at an appointment"),
        "calendar.fetched": _("gave a practitioner’s calendar to a calendar program"),
        "invitation.fetched": _("took an appointment into a calendar"),
        "appointments.listed": _("looked at the appointments of a time"),
        "messages.listed": _("read a list of messages"),
        "messages.answers_listed": _("read patients’ answers"),
        "messages.conversation_viewed": _("read a conversation"),
        "today.viewed": _("looked at the day’s work"),
        "message.listed": _("read a list of messages"),
        "message.viewed": _("read a message"),
        "message.previewed": _("looked at a message as a patient would get it"),
        "segment.members_listed": _("read who is in a segment"),
        "segment.sampled": _("saw a sample of a segment"),
        "segment.explained": _("asked why a patient is in a segment or not"),
        "enrollments.listed": _("read who is in a care journey"),
        "enrollment.viewed": _("looked at a patient’s way through a care journey"),
        "follow_ups.listed": _("read the list of follow-ups"),
        "phones.listed": _("looked at the sandbox phones"),
        "phone.viewed": _("looked at a sandbox phone"),
    },
    "changed": {
        "patient.registered": _("registered a patient"),
        "patient.updated": _("changed a patient’s data"),
        "patient.changed": _("changed a patient’s data"),
        "patient.tagged": _("put a tag on patients"),
        "patient.untagged": _("took a tag off patients"),
        "patient.erased": _("erased a patient"),
        "contact_point.added": _("added a telephone number or address"),
        "contact_point.reach_changed": _("noted whether an address reaches the patient"),
        "consent.given": _("recorded a consent"),
        "consent.withdrawn": _("recorded a withdrawal of consent"),
        "consent.recorded_from_forms": _("recorded consents from paper forms"),
        "notice.shown": _("showed the privacy notice"),
        "encounter.recorded": _("recorded a visit"),
        "condition.recorded": _("recorded a diagnosis"),
        "allergy.recorded": _("recorded an allergy"),
        "medication.recorded": _("recorded a medication"),
        "observation.recorded": _("recorded a result"),
        "procedure.recorded": _("recorded a procedure"),
        "immunization.recorded": _("recorded an immunization"),
        "report.recorded": _("recorded a report"),
        "careplan.recorded": _("recorded a care plan"),
        "invoice.recorded": _("recorded an invoice"),
        "otherrecord.recorded": _("recorded something else"),
        "record.entered_in_error": _("marked a record as entered in error"),
        "follow_up.created": _("opened a follow-up"),
        "follow_up.assigned": _("gave a follow-up to somebody"),
        "follow_up.done": _("finished a follow-up"),
        "follow_up.snoozed": _("put off a follow-up"),
        "follow_up.cancelled": _("cancelled follow-ups"),
        "appointment.booked": _("booked an appointment"),
        "appointment.held": _("held a place for a patient"),
        "appointment.offered": _("offered a place to a patient"),
        "appointment.hold_expired": _("freed places that were held too long"),
        "appointment.moved": _("moved an appointment"),
        "appointment.cancelled": _("cancelled an appointment"),
        "appointment.confirmed": _("noted that a patient will come"),
        "appointment.arrived": _("noted that a patient is here"),
        "appointment.fulfilled": _("noted that a patient was seen"),
        "appointment.noshow": _("noted that a patient did not come"),
        "appointment.entered_in_error": _("took out an appointment entered in error"),
        "waitlist.joined": _("put a patient on the waitlist"),
        "waitlist.left": _("took a patient off the waitlist"),
        "waitlist.answered": _("noted what became of an offered place"),
        "waitlist.listed": _("looked at the waitlist"),
        "session.closed": _("closed a session"),
        "session.reopened": _("opened a closed session again"),
        "session.substituted": _("gave a session to a substitute"),
    },
    "out": {
        "patients.exported": _("downloaded a list of patients"),
        "import.previewed": _("looked at the first rows of a file"),
        "import.queued": _("queued an import"),
        "import.viewed": _("looked at an import"),
        "import.discarded": _("discarded an import"),
        "import.created": _("started an import"),
        "import.chunk_written": _("imported records"),
        "import.finished": _("finished an import"),
        "import.stop_requested": _("stopped an import"),
        "import.undone": _("undid an import"),
        "import.refused_downloaded": _("downloaded the refused rows of an import"),
        "report.downloaded": _("downloaded a report"),
        "audit.exported": _("downloaded the audit log"),
    },
    "messages": {
        "message.written": _("wrote to a patient"),
        "message.resolved": _("decided about a message whose fate was unknown"),
        "template.created": _("wrote a message template"),
        "template.published": _("published a message template"),
        "template.archived": _("put a message template away"),
        "template.restored": _("brought a message template back"),
        "segment.created": _("built a segment"),
        "segment.changed": _("changed a segment"),
        "segment.archived": _("put a segment away"),
        "segment.restored": _("brought a segment back"),
        "journey.created": _("made a care journey"),
        "journey.changed": _("changed a care journey"),
        "journey.started": _("started a care journey"),
        "journey.version_started": _("started a new version of a care journey"),
        "journey.paused": _("paused a care journey"),
        "journey.resumed": _("let a care journey go on"),
        "journey.ended": _("ended a care journey"),
        "journey.patient_removed": _("took a patient out of a care journey"),
        "journey.time_skipped": _("let a patient skip a waiting time in a care journey"),
    },
    "access": {
        "signin.succeeded": _("signed in"),
        "signin.failed": _("tried to sign in and failed"),
        "signin.locked": _("was locked out after too many attempts"),
        "signin.ended": _("signed out"),
        "password.changed": _("changed the password"),
        "password.reset": _("reset the password"),
        "factor.added": _("added a second factor"),
        "factor.removed": _("removed a second factor"),
        "factor.reset": _("made new recovery codes or renamed a key"),
        "staff.created": _("made a staff account"),
        "staff.invited": _("invited a colleague"),
        "staff.invitation_withdrawn": _("withdrew an invitation"),
        "staff.joined": _("accepted an invitation"),
        "staff.changed": _("changed a colleague’s role or locations"),
        "staff.deactivated": _("deactivated a colleague"),
        "staff.reactivated": _("let a former colleague in again"),
        "staff.sessions_ended": _("signed a colleague out everywhere"),
        "api_token.created": _("made an API token"),
        "api_token.revoked": _("revoked an API token"),
        "calendar_link.created": _("made a link to a practitioner’s calendar"),
        "calendar_link.revoked": _("revoked a link to a practitioner’s calendar"),
    },
    "settings": {
        "organization.changed": _("changed the organization’s settings"),
        "location.added": _("added a location"),
        "location.changed": _("changed a location"),
        "location.closed": _("took a location out of use"),
        "location.opened": _("took a location back into use"),
        "schedule.changed": _("changed the schedule"),
        "leave.uploaded": _("uploaded a calendar with leave"),
        "leave.discarded": _("threw away an uploaded calendar"),
        "leave.imported": _("imported leave from a calendar"),
        "service.saved": _("changed what patients can book"),
        "tag.created": _("made a tag"),
        "tag.archived": _("stopped offering a tag"),
        "channel.saved": _("set up a channel"),
        "channel.paused": _("paused a channel"),
        "channel.resumed": _("let a channel go on"),
        "notice.drafted": _("drafted a notice"),
        "notice.published": _("published a notice"),
        "policy.rule_changed": _("changed the answer of a rule"),
        "policy.signed_off": _("signed off a wording"),
        "policy.contact_registered": _("entered a registered SMS contact"),
        "policy.contact_withdrawn": _("removed a registered SMS contact"),
    },
    "system": {
        "audit.viewed": _("read the audit log"),
        "audit.verified": _("checked the audit chain"),
        "keys.rotated": _("changed the keys"),
        "demo.completed": _("made the demo clinic"),
    },
}

ACTIONS: dict[str, Action] = {
    name: Action(label, group) for group, words in _WORDS.items() for name, label in words.items()
}


def label_of(name: str) -> str | Promise:
    """Return an action in words; one from a newer version by its name."""
    known = ACTIONS.get(name)
    return known.label if known else name


def names_in(group: str) -> list[str]:
    """Return the actions of one group."""
    return [name for name, action in ACTIONS.items() if action.group == group]
