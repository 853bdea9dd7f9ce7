"""What the consent slice gives out and erases for one person."""

from typing import Any
from uuid import UUID

from careloop.consent.models import Consent
from careloop.consent.selectors import history
from careloop.kernel import sql


def export(patient_id: UUID) -> dict[str, Any]:
    """Return every decision with its proof, and the notices the person was shown."""
    shown = sql.rows(
        """select n.version, n.text_hash, s.shown_at, s.how
             from consent_notice_shown s join consent_notice n on n.id = s.notice_id
            where s.patient_id = %s order by s.shown_at""",
        [patient_id],
    )
    return {"consents": history(patient_id), "notices_shown": shown}


def erase(patient_id: UUID) -> None:
    """Take the free text out of the proofs. The decisions themselves stay: they prove that a refusal was kept."""
    Consent.objects.filter(patient_id=patient_id).update(evidence="")
