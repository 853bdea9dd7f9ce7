"""What membership gives out and erases for one patient."""

from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.loyalty.draw import pages as draw_pages
from careloop.loyalty.join import members
from careloop.loyalty.models import Account
from careloop.loyalty.points import statements
from careloop.loyalty.reward import privacy as reward_privacy
from careloop.loyalty.thanks import privacy as thanks_privacy
from careloop.loyalty.tier import tiers


def export(patient_id: UUID) -> dict[str, Any]:
    """Return the patient's memberships with the terms agreed to, and everything earned or not, with the reason."""
    found = Account.objects.filter(patient_id=patient_id, kind=Account.Kind.PATIENT).select_related(
        "programme", "terms"
    )
    return {
        "memberships": [
            {
                "programme": one.programme.name, "member_number": one.member_number, "state": one.state, "joined_at": one.joined_at,
                "joined_how": one.joined_how, "left_at": one.left_at, "balance": one.balance, "terms": one.terms.text if one.terms else "",
                "points": statements.exported(one.pk),
                "tiers": [
                    {"at": row["at"], "before": row["before"], "after": row["after"], "why": row["why"], "note": row["note"]}
                    for row in tiers.history_of(one.pk, limit=10_000)
                ],
                "earnings": [
                    {"on": row["occurred_on"], "rule": row["rule"], "state": row["state"], "because": row["because"], "points": row["net"],
                     "amount": row["amount"], "currency": row["currency"], "note": row["note"]}
                    for row in members.earnings_of(one.pk, limit=100_000)
                ],
            }
            for one in found.order_by("joined_at")
        ],
        "draw_tickets": draw_pages.exported(patient_id),
        **reward_privacy.export(patient_id),
        **thanks_privacy.export(patient_id),
    }  # fmt: skip


def erase(patient_id: UUID) -> None:
    """End memberships, take their numbers off and empty what was noted in words; points and dates stay, as the books require."""
    reward_privacy.erase(patient_id)
    thanks_privacy.erase(patient_id)
    sql.execute(
        """update loyalty_earning set note = '' where note <> ''
              and account_id in (select id from loyalty_account where patient_id = %s)""",
        [patient_id],
    )
    statements.erase_words(patient_id)
    # the numbers stay in the published list, so that the draw can be computed again; whose they were goes
    sql.value("select loyalty_forget_tickets(%s)", [patient_id])
    sql.execute(
        """update loyalty_tier_change set note = '' where note <> ''
              and account_id in (select id from loyalty_account where patient_id = %s)""",
        [patient_id],
    )
    sql.execute(
        """update loyalty_account set state = 'LEFT', left_at = coalesce(left_at, now()), member_number = '', version = version + 1
            where patient_id = %s and kind = 'PATIENT'""",
        [patient_id],
    )
