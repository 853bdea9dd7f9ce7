"""The demo clinic's lucky draws: one drawn, one open, one that waits for a sign-off, one that the law forbids. All for members only."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.accounts.models import Membership
from careloop.kernel import sql
from careloop.loyalty.draw import draws
from careloop.loyalty.join import membership, programme
from careloop.loyalty.models import Account, Draw, Programme
from careloop.policy.signing import sign_off_offer, withdraw_sign_off
from careloop.tenancy.models import Organization

REASON = "僅限會員登入後閱讀，未對外宣傳；獎項價值低，與醫療行為無關，並經律師確認。"
SEATS: list[dict[str, Any]] = [
    {"name": "健康講座前排座位", "count": 3, "gives": "SERVICE"}, {"name": "居家量血壓教學一次", "count": 2, "gives": "CONTENT"},
]  # fmt: skip
MEMBERS = 30


def play(*, now: datetime, seed: int) -> None:
    """Set the draws up and let the first one run its way. Running it again changes nothing."""
    if Draw.objects.exists():
        return
    owner = Membership.objects.filter(role="owner").order_by("pk").values_list("user_id", flat=True)[0]
    officer = Membership.objects.filter(role="privacy_officer").order_by("pk").first()
    where = membership.programme_for(None) or _programme(now - timedelta(days=60), owner)
    _members(where, now - timedelta(days=45))
    drawn = _prepared(
        where, "秋季健康講座座位抽籤", SEATS, now - timedelta(days=30), outside_source="威力彩下一期第二區號碼"
    )
    running = _prepared(where, "冬季健康講座座位抽籤", SEATS, now - timedelta(days=5))
    waiting = _prepared(
        where,
        "新年健康日曆",
        [{"name": "健康桌曆", "count": 20, "gives": "GOODS", "value": 90}],
        now - timedelta(days=3),
    )
    _prepared(
        where,
        "會員全身健檢",
        [{"name": "全身健檢一次", "count": 1, "gives": "CARE", "value": 12000}],
        now - timedelta(days=2),
    )
    if officer is None:
        return
    chance = random.Random(seed).randbytes  # the same tickets and winners every time
    for draw, day in ((drawn, 29), (running, 4)):
        _sign(draw, officer, now - timedelta(days=day))
        draws.open_draw(draw_id=draw.pk, now=now - timedelta(days=day), by=owner, chance=chance)
    draws.close_draw(draw_id=drawn.pk, now=now - timedelta(days=15), by=owner, chance=chance)
    draws.draw_winners(draw_id=drawn.pk, outside_value="07", now=now - timedelta(days=12), by=owner)
    draws.hand_over(draw_id=drawn.pk, place=1, now=now - timedelta(days=10), by=owner)
    taken_back = _sign(waiting, officer, now - timedelta(days=2))
    withdraw_sign_off(
        sign_off=taken_back, reason="桌曆印有診所名稱，待衛生局回覆後再議。", by=officer, now=now - timedelta(days=1)
    )


def _prepared(where: Programme, name: str, prizes: list[dict[str, Any]], now: datetime, **more: Any) -> Draw:
    values = {"name": name, "description": "給會員的心意，人人機會相同，結果可自行驗算。", **more}
    return draws.prepare(programme_id=where.pk, values=values, prizes=prizes, now=now)


def _sign(draw: Draw, officer: Membership, now: datetime) -> Any:
    draw = Draw.objects.prefetch_related("prizes").get(pk=draw.pk)
    return sign_off_offer(
        offer=draw.offer(), audience="one", organization=Organization.objects.get(), reason=REASON, document="法務-2026-021", by=officer, now=now
    )  # fmt: skip


def _programme(now: datetime, by: UUID) -> Programme:
    made = programme.create(name="安心會員", now=now, by=by, terms="點數不可兌換現金，亦不可折抵醫療費用。")
    return programme.open_programme(programme_id=made.pk, now=now, by=by)


def _members(where: Programme, now: datetime) -> None:
    """Enough members for a draw, if nobody else has let them join."""
    missing = MEMBERS - Account.objects.filter(programme=where, kind=Account.Kind.PATIENT).count()
    found = sql.rows(
        """select id from patients_patient where active and not deceased and merged_into_id is null and external_id <> ''
            order by external_id limit %s""",
        [max(0, missing)],
    )
    for row in found:
        membership.join(patient_id=row["id"], programme_id=where.pk, how="DESK", now=now, by=None)
