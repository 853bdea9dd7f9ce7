"""The demo clinic's membership: its programme and rules under Taiwan's law, who joined, a lecture, and what waits."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.accounts.models import Membership
from careloop.demo import cast
from careloop.kernel import sql
from careloop.loyalty import guard
from careloop.loyalty.earn import awards, rule_book
from careloop.loyalty.join import membership, programme
from careloop.loyalty.models import EarnRule, Programme
from careloop.policy.answers import Answer
from careloop.policy.services import sign_off_offer
from careloop.tenancy.models import Organization

NAME = "晴安健康會員"
TERMS = """一、加入會員免費，隨時可以退出，不影響您的診療與任何權利。
二、點數不可兌換現金，不可折抵醫療費用與部分負擔；健保給付的看診不給點。
三、點數在取得後第 24 個月的月底到期，到期前可在會員頁面查詢。
四、退費時，該筆費用所得點數會一併收回。"""
# kind, name, points, signed by the privacy officer, anything else
RULES: tuple[tuple[str, str, int, bool, dict[str, Any]], ...] = (
    ("EDUCATION", "閱讀衛教文章", 5, True, {"cap_day": 10, "cap_month": 60}),
    ("LECTURE", "參加衛教講座", 20, True, {"cap_year": 200}),
    ("QUESTIONNAIRE", "填寫健康問卷", 10, True, {}),
    ("SELF_PAY", "自費項目回饋", 1, True, {"per_amount": 100, "settle_days": 14, "cap_month": 300}),
    ("VISIT", "看診集點", 10, False, {"settle_days": 7, "multipliers": [{"percent": 200, "birthday_month": True}]}),
)
REASON = "只在會員登入後顯示，不對外宣傳，不涉及醫療費用減免；經法務檢視。"
MEMBERS = 60
# opened more than a year ago, and people joined all the time, so that reports over half a year have something to compare
OPEN_DAYS, EARLY, EARLY_DAYS = 420, 220, 395


def play(*, now: datetime) -> None:
    """Open the programme and let patients join. Running it again changes nothing."""
    if Programme.objects.exists():
        return
    opened_at, began_at = now - timedelta(days=OPEN_DAYS), now - timedelta(days=21)
    made = programme.create(
        name=NAME, terms=TERMS, cap_month=500, allows_pools=True, allows_transfers=True, now=opened_at, by=None
    )
    officer = Membership.objects.filter(role="privacy_officer").select_related("user").order_by("created_at").first()
    for kind, name, points, is_signed, more in RULES:
        rule = rule_book.add_rule(
            programme_id=made.pk, kind=kind, name=name, points=points, now=opened_at, by=None, **more
        )
        _switch_on(rule, officer if is_signed else None, now=opened_at)
    programme.open_programme(programme_id=made.pk, now=opened_at, by=None)
    people = _people()
    for number, patient_id in enumerate(people):
        joined_at = began_at + timedelta(hours=7 * (number % 60), minutes=number)
        how = "PORTAL" if number % 3 == 0 else "DESK"
        membership.join(
            patient_id=patient_id, programme_id=made.pk, how=how, now=min(joined_at, now - timedelta(hours=1)), by=None
        )
    for number, patient_id in enumerate(_early(opened_at, besides=people)):
        joined_at = opened_at + timedelta(days=number * EARLY_DAYS // EARLY, hours=number % 9, minutes=number % 60)
        membership.join(patient_id=patient_id, programme_id=made.pk, how="DESK", now=joined_at, by=None)
    _lecture(people[::2], now=now)


def _switch_on(rule: EarnRule, officer: Membership | None, *, now: datetime) -> None:
    """Switch a rule on if the law lets it, with the officer's signature where it asks for one; else it stays off, and its page says why."""
    organization = Organization.objects.get()
    verdict = guard.verdicts([rule], audience="one", organization=organization, now=now)[rule.pk]
    if verdict.answer == Answer.SIGN_OFF and officer is not None:
        sign_off_offer(
            offer=rule.offer(), audience="one", organization=organization, reason=REASON, by=officer, now=now
        )
    elif not verdict.may_be_sent:
        return
    rule_book.switch(rule_id=rule.pk, on=True, now=now, by=None)


def _people() -> list[UUID]:
    """Who joins: those of the cast who are grown up, whoever pays for something here, and some others; the same every time."""
    rows = sql.rows(
        """select p.id from patients_patient p
            where p.active and not p.deceased and p.merged_into_id is null and p.birth_date < current_date - interval '18 years'
            order by p.name = any(%s) desc,
                     exists (select 1 from scheduling_appointment a join scheduling_service s on s.id = a.service_id
                              where a.patient_id = p.id and s.payer = 'SELF') desc, p.chart_number, p.id limit %s""",
        [[one.name for one in cast.CAST], MEMBERS],
    )
    return [row["id"] for row in rows]


def _early(opened_at: datetime, *, besides: list[UUID]) -> list[UUID]:
    """Who joined since then: grown-ups who had been here in the two years before, whether often or not; the same every time."""
    rows = sql.rows(
        """select p.id from patients_patient p
            where p.active and not p.deceased and p.merged_into_id is null and p.birth_date < current_date - interval '18 years'
              and p.id <> all(%(besides)s::uuid[])
              and exists (select 1 from records_encounter e where e.patient_id = p.id and not e.entered_in_error
                             and e.started_at > %(opened)s - interval '2 years' and e.started_at < %(opened)s)
            order by md5(p.chart_number), p.id limit %(most)s""",
        {"besides": besides, "opened": opened_at, "most": EARLY},
    )
    return [row["id"] for row in rows]


def _lecture(people: list[UUID], *, now: datetime) -> None:
    rule = EarnRule.objects.filter(kind="LECTURE", is_on=True).first()
    if rule is not None:
        awards.award(
            rule_id=rule.pk, patient_ids=people, on=(now - timedelta(days=3)).date(), note="牙周保健與血糖控制", now=now, by=None
        )  # fmt: skip
