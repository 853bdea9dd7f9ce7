"""The demo clinic's tiers: what may be given under Taiwan's law, what waits for a signature, and what stays blocked."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.accounts.models import Membership
from careloop.kernel import sql
from careloop.loyalty import guard
from careloop.loyalty.models import Account, Benefit, Programme, Tier
from careloop.loyalty.tier import benefits, standing, tiers
from careloop.loyalty.tier import setup as tier_setup
from careloop.loyalty.tier.setup import Definition
from careloop.policy.answers import Answer
from careloop.policy.signing import sign_off_offer
from careloop.tenancy.models import Organization

TIERS = (
    Definition("一般會員", 1, colour="grey"),
    Definition("銀卡會員", 2, "ANY", {"KEPT": 1, "VISITS": 3}, "MONTHS", 12, 60, "silver"),
    Definition("金卡會員", 3, "ALL", {"VISITS": 8}, "YEAR", 12, 60, "gold"),
)
# of which tier, kind, name, whether the privacy officer signs where the law asks for it, anything else
BENEFITS: tuple[tuple[int, str, str, bool, dict[str, Any]], ...] = (
    (2, "CONTENT", "會員健康專欄", True, {"url": "https://example.tw/health", "text": "每月一篇，由本院醫師撰寫。"}),
    (2, "SERVICE_ITEM", "候診室充電座", True, {"count": 4, "period": "MONTH", "text": "候診時免費使用。"}),
    (3, "BOOKING_WINDOW", "提早開放預約", True, {"days": 14, "text": "比一般病人提早 14 天線上預約。"}),
    (3, "DEDICATED_LINE", "會員專線", True, {"contact": "02-2345-6780", "text": "上班時間由專人接聽。"}),
    (3, "HEALTH_ADVISER", "健康管理師", True, {"contact": "個管師 周雅婷"}),
    (3, "PRICE", "自費項目優惠", False, {"percent": 10, "text": "自費項目減 10%。"}),
)
HALF_A_YEAR_AGO = 185
REASON = "僅供會員登入後查看，屬服務性質，不涉及醫療費用減免；經法務檢視。"


def play(*, now: datetime) -> None:
    """Set up tiers and benefits and let members be in them. Running it again changes nothing."""
    programme = Programme.objects.filter(state="OPEN").order_by("opened_at").first()
    if programme is None or Tier.objects.exists():
        return
    opened_at = programme.opened_at or now
    made = [tier_setup.write(programme.pk, one, tier_id=None, now=opened_at) for one in TIERS]
    for days in (HALF_A_YEAR_AGO, 0):  # who was a member then stood somewhere then
        standing.recompute(programme.pk, now=now - timedelta(days=days, hours=2))
    officer = Membership.objects.filter(role="privacy_officer").select_related("user").order_by("created_at").first()
    for rank, kind, name, is_signed, more in BENEFITS:
        one = benefits.save_benefit(
            tier_id=made[rank - 1].pk, values={"kind": kind, "name": name, **more}, now=opened_at, by=None
        )
        _switch_on(one, officer if is_signed else None, now=opened_at)
    members = list(
        Account.objects.filter(programme=programme, kind="PATIENT")
        .order_by("joined_at", "pk")
        .values_list("pk", flat=True)
    )
    if members:
        until = (now + timedelta(days=365)).date()
        tiers.give_by_hand(
            account_id=members[0],
            tier_id=made[2].pk,
            until=until,
            reason="院長邀請的創始會員",
            now=now - timedelta(hours=1),
            by=None,
        )
    _use(programme.pk, now=now)


def _switch_on(one: Benefit, officer: Membership | None, *, now: datetime) -> None:
    """Switch a benefit on if the law lets it, with the officer's signature where it asks for one; else it stays off and its page says why."""
    organization = Organization.objects.get()
    verdict = guard.verdicts([one], audience="one", organization=organization, now=now)[one.pk]
    if verdict.answer == Answer.SIGN_OFF and officer is not None:
        sign_off_offer(offer=one.offer(), audience="one", organization=organization, reason=REASON, by=officer, now=now)
    elif not verdict.may_be_sent:
        return
    benefits.switch(benefit_id=one.pk, on=True, now=now, by=None)


def _use(programme_id: UUID, *, now: datetime) -> None:
    """Some members have seen their card, and a few used the small service."""
    rows = sql.rows(
        """select a.id, a.patient_id from loyalty_account a join loyalty_tier t on t.id = a.tier_id
            where a.programme_id = %s and a.kind = 'PATIENT' and t.rank >= 2 order by a.joined_at, a.id limit 12""",
        [programme_id],
    )
    item = Benefit.objects.filter(kind=Benefit.Kind.SERVICE_ITEM, is_on=True).first()
    for number, row in enumerate(rows):
        at = now - timedelta(days=number % 10, hours=3)
        benefits.note_offered(row["patient_id"], now=at)
        if item is not None and number % 3 == 0:
            benefits.use_item(account_id=row["id"], benefit_id=item.pk, key=f"demo:{number}", now=at, by=None)
