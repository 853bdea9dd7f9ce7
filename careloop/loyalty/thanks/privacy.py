"""What referrals, greetings and the newsletter give out and erase for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.loyalty.models import Greeting, Interest, Referral, ReferralCode, ThanksWish


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the patient's code, wishes and greetings, that somebody brought them, and how many they brought: names nobody else."""
    return {
        "referral_code": ReferralCode.objects.filter(patient_id=patient_id).values_list("code", flat=True).first()
        or "",
        "came_with_a_code": list(
            Referral.objects.filter(friend_id=patient_id).values(
                "made_at", "how", "state", "completed_at", "shows_name"
            )
        ),
        "friends_brought": Referral.objects.filter(referrer_id=patient_id, state="COMPLETED").count(),
        "greetings": list(
            Greeting.objects.filter(patient_id=patient_id)
            .order_by("on_date")
            .values("occasion", "year", "on_date", "given")
        ),
        "wishes": ThanksWish.objects.filter(patient_id=patient_id)
        .values("wants_greetings", "calendar", "lunar_month", "lunar_day", "changed_at")
        .first(),
        "interests": list(
            Interest.objects.filter(patient_id=patient_id).order_by("topic").values("topic", "chosen_at")
        ),
    }


def erase(patient_id: UUID) -> None:
    """Erase wishes, topics and greetings, and end the code; that somebody was brought stays, with nothing said about them."""
    for model in (ThanksWish, Interest, Greeting, ReferralCode):
        model.objects.filter(patient_id=patient_id).delete()
    sql.execute(
        """update loyalty_referral set shows_name = false, decision_note = case when decision_note = '' then '' else '—' end,
                  state = case when state in ('WAITING', 'HELD') then 'EXPIRED' else state end, version = version + 1
            where friend_id = %(patient)s or referrer_id = %(patient)s""",
        {"patient": patient_id},
    )
