"""What referrals add to the patient's page."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import pgettext_lazy

from careloop.loyalty.models import ReferralCode
from careloop.loyalty.thanks import referral_lists, referrals
from careloop.loyalty.thanks.referral_codes import spoken_code
from careloop.patients import panels
from careloop.patients.panels import Panel, PatientHead
from careloop.web.addresses import address
from careloop.web.screens.referrals.views import _shown


def tab(request: HttpRequest, patient: PatientHead) -> tuple[str, dict[str, Any]]:
    """Who brought the patient, whom the patient brought, and the way to note a code."""
    found = referral_lists.of_patient(patient.id)
    member: Any = request.member  # type: ignore[attr-defined]
    brought_by = _shown(request, found["brought_by"]) if found["brought_by"] else None
    may_note = (
        not brought_by and patient.active and not patient.deceased and member.can("loyalty.desk") and referrals.is_on()
    )
    code = ReferralCode.objects.filter(patient_id=patient.id).values_list("code", flat=True).first()
    return "referrals/_patient.html", {
        "brought_by": brought_by, "friends": found["friends"], "code": spoken_code(code) if code else "",
        "note_url": address("referrals:note", patient.id) if may_note else "",
        "tree_url": address("referrals:tree_of", patient.id) if found["friends"] else "",
        "wishes_url": address("greetings:wishes", patient.id) if member.can("loyalty.desk") else "",
    }  # fmt: skip


panels.register(
    Panel(
        "referrals", pgettext_lazy("patient page", "Referrals"), tab, order=75, permission="loyalty.view",
        icon="affiliate",
    )
)  # fmt: skip
