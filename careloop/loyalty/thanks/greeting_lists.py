"""What is read of greetings: the plans with what they did, and whom one would reach."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.loyalty.models import GreetingPlan
from careloop.loyalty.thanks import greetings
from careloop.messaging.errors import UnknownTemplate

YEAR = timedelta(days=365)


def plans(*, now: datetime) -> list[dict[str, Any]]:
    """Return all plans, those switched on first, each with how many it greeted in a year: two statements."""
    greeted = {
        row["plan_id"]: row["n"]
        for row in sql.rows(
            "select plan_id, count(*) as n from loyalty_greeting where planned_at > %s group by 1", [now - YEAR]
        )
    }
    found = GreetingPlan.objects.order_by("-is_on", "occasion", "name", "id")
    return [{"plan": one, "greeted": greeted.get(one.pk, 0)} for one in found]


def reach(plan: GreetingPlan, *, on: date, now: datetime) -> int | None:
    """Return how many a plan would greet on a day; None while its text is not published."""
    try:
        return greetings.preview(plan, on=on, now=now)
    except UnknownTemplate:
        return None


def done(plan_id: UUID, *, now: datetime) -> dict[str, Any]:
    """Return what became of a plan's greetings in a year."""
    found = sql.row(
        """select count(*) as greeted, count(*) filter (where g.given <> '') as given,
                  count(*) filter (where m.state = 'accepted') as sent, count(*) filter (where m.state in ('planned', 'claimed')) as waiting,
                  count(*) filter (where m.answered_at is not null) as answered, max(g.on_date) as last
             from loyalty_greeting g
             left join messaging_message m on m.key = 'greeting:' || g.occasion || ':' || g.year || ':' || g.patient_id
            where g.plan_id = %s and g.planned_at > %s""",
        [plan_id, now - YEAR],
    )
    assert found is not None
    return found


def wish_figures() -> dict[str, int]:
    """Return how many wish no greeting, and how many keep the lunar birthday."""
    found = sql.row(
        """select count(*) filter (where not wants_greetings) as none, count(*) filter (where wants_greetings and calendar = 'LUNAR') as lunar
             from loyalty_thanks_wish"""
    )
    assert found is not None
    return found
