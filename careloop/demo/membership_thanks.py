"""The demo clinic's referrals, greetings and newsletters. A greeting with points stays blocked, visibly, as the law of Taiwan has it."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from careloop.accounts.models import Membership
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty.join import membership, programme
from careloop.loyalty.models import GreetingPlan, ReferralProgramme
from careloop.loyalty.thanks import greetings, newsletters, referrals, wishes
from careloop.patients import services as patients
from careloop.patients.services import NewContact
from careloop.records import services as records
from careloop.tenancy.context import current_organization_id

MEMBERS = 24
# name, who brought them (a member's place, or an earlier friend as F0 …), days ago, days until the first visit, shows the name
FRIENDS: tuple[tuple[str, str, int, int | None, bool], ...] = (
    ("葉承恩", "0", 26, 3, True), ("汪雅筑", "0", 24, 5, False), ("余家豪", "0", 20, 9, False), ("蔣欣怡", "1", 22, 4, True),
    ("杜宗翰", "F0", 15, 6, False), ("魏子晴", "F4", 6, 2, False), ("高靖雯", "2", 12, None, False), ("藍柏翰", "1", 8, None, True),
    ("姚思妤", "3", 5, None, False),
)  # fmt: skip
HELD = ("夏語彤", "2", 9)
TEXTS: tuple[dict[str, Any], ...] = (
    {"title": "三分鐘認識血壓", "topics": ["heart", "food"], "texts": {
        "zh-hant": {"subject": "在家量血壓，三件小事", "text": "{{ greeting }}，在家量血壓前，請先坐著休息五分鐘、手臂與心臟同高、早晚各量兩次並記下來。\n資料來源：國民健康署「722 量血壓」，2026 年 9 月整理。\n{{ clinic.name }}"},
        "zh-hans": {"subject": "在家量血压，三件小事", "text": "{{ greeting }}，在家量血压前，请先坐着休息五分钟、手臂与心脏同高、早晚各量两次并记下来。\n资料来源：国民健康署“722量血压”，2026年9月整理。\n{{ clinic.name }}"},
        "en": {"subject": "Three small things when you measure blood pressure", "text": "{{ greeting }}, rest for five minutes, keep your arm at the height of your heart, and measure twice in the morning and in the evening.\nSource: Health Promotion Administration, “722”, compiled September 2026.\n{{ clinic.name }}"}}},
    {"title": "冬天的皮膚", "topics": ["skin", "elders"], "texts": {
        "zh-hant": {"subject": "冬天皮膚乾癢怎麼辦", "text": "{{ greeting }}，洗澡水溫別太高、洗後五分鐘內擦上乳液，衣物選棉質。\n資料來源：國民健康署，2026 年 10 月整理。\n{{ clinic.name }}"}}},
    {"title": "週年活動（草稿）", "topics": [], "texts": {
        "zh-hant": {"subject": "週年慶", "text": "{{ greeting }}，週年慶期間看診就送精美好禮，免費兌換券大放送！\n{{ clinic.name }}"}}},
)  # fmt: skip


def play(*, now: datetime) -> None:
    """Let members bring friends, greet, and send a newsletter. Running it again changes nothing."""
    if ReferralProgramme.objects.exists():
        return
    owner, desk = _user("owner"), _user("front_desk")
    began = now - timedelta(days=40)
    members = _members(began, owner)
    referrals.set_up(given={"is_on": True}, version=None, now=began, by=owner)
    _friends(members, now=now, desk=desk, owner=owner)
    _wishes(members, now=now)
    _greetings(now=now, by=owner)
    _newsletters(now=now, by=owner)


def _user(role: str) -> UUID:
    return Membership.objects.filter(role=role).order_by("pk").values_list("user_id", flat=True)[0]


def _members(began: datetime, by: UUID) -> list[UUID]:
    """Patients who are members; a few join when there are not many."""
    where = membership.programme_for(None)
    if where is None:
        made = programme.create(name="安心會員", now=began, by=by, terms="點數不可兌換現金，亦不可折抵醫療費用。")
        where = programme.open_programme(programme_id=made.pk, now=began, by=by)
    known = sql.rows(
        """select a.patient_id from loyalty_account a join patients_patient p on p.id = a.patient_id
            where a.kind = 'PATIENT' and a.state = 'ACTIVE' order by p.chart_number, p.id limit %s""",
        [MEMBERS],
    )
    found = [row["patient_id"] for row in known]
    more = sql.rows(
        """select p.id from patients_patient p join facts_patient f on f.patient_id = p.id
            where f.visits > 3 and p.active and not p.deceased and p.merged_into_id is null and p.birth_date < '2000-01-01'
              and not p.id = any(%s) order by p.chart_number, p.id limit %s""",
        [found, MEMBERS - len(found)],
    )
    for row in more:
        membership.join(patient_id=row["id"], programme_id=where.pk, how="DESK", now=began, by=by)
    return [*found, *(row["id"] for row in more)]


def _friends(members: list[UUID], *, now: datetime, desk: UUID, owner: UUID) -> None:
    friends: list[UUID] = []
    for number, (name, brought_by, days, until, shows) in enumerate(FRIENDS):
        at = now - timedelta(days=days)
        by_whom = friends[int(brought_by[1:])] if brought_by.startswith("F") else members[int(brought_by)]
        someone = _register(name, f"0900-098-{number:03d}", at, desk)
        friends.append(someone)
        referrals.claim(
            friend_id=someone, code=referrals.code_of(by_whom, now=at), how="LINK" if number % 3 else "DESK", now=at,
            by=None if number % 3 else desk, shows_name=shows,
        )  # fmt: skip
        if until is not None:
            seen = at + timedelta(days=until)
            records.record_encounter(
                patient_id=someone, encounter_id=uuid5(someone, "first"), started_at=seen, display="門診", department="家醫科",
                practitioner_name="陳柏宇", now=seen, by=desk,
            )  # fmt: skip
            referrals.note_visits({someone: seen}, now=seen)
    name, brought_by, days = HELD
    at = now - timedelta(days=days)
    # the phone of a friend who came before: flatmates, or one person with two records?
    someone = _register(name, "0900-098-001", at, desk)
    referrals.claim(friend_id=someone, code=referrals.code_of(friends[1], now=at), how="TYPED", now=at)


def _register(name: str, phone: str, at: datetime, desk: UUID) -> UUID:
    organization_id = current_organization_id()
    return patients.register(
        details={"name": name, "birth_date": date(1982, 1, 1) + timedelta(days=int(phone[-3:]) * 397 + len(name))},
        contacts=[NewContact("phone", phone, use="mobile"), NewContact("line", f"U{int(phone[-3:]) + 7000 + ord(name[0]):032x}")],
        idempotency_key=uuid5(organization_id, f"thanks:{name}"), now=at, by=desk, even_if_similar=True, how="desk",
    ).patient_id  # fmt: skip


def _wishes(members: list[UUID], *, now: datetime) -> None:
    topics = list(wishes.topics())
    for number, who in enumerate(members):
        wishes.keep_interests(patient_id=who, chosen=[topics[number % len(topics)], topics[(number * 2) % 4]], now=now)
        if number % 8 == 1:
            wishes.keep_greetings(patient_id=who, wants_greetings=True, is_lunar=True, now=now)
        elif number % 12 == 5:
            wishes.keep_greetings(patient_id=who, wants_greetings=False, is_lunar=False, now=now)


def _greetings(*, now: datetime, by: UUID) -> None:
    plans: tuple[dict[str, Any], ...] = (
        {"name": "生日驚喜", "occasion": "BIRTHDAY", "window_days": 3, "who": "PATIENTS"},
        {"name": "春節拜年", "occasion": "SPRING_FESTIVAL", "who": "PATIENTS", "days_before": 1},
        {"name": "中秋祝福", "occasion": "MID_AUTUMN", "who": "MEMBERS", "days_before": 1},
        {"name": "冬至祝福", "occasion": "WINTER_SOLSTICE", "who": "MEMBERS"},
        {"name": "生日送點數", "occasion": "BIRTHDAY", "who": "MEMBERS", "gives": "POINTS", "points": 50},
    )
    for one in plans:
        made = greetings.save_plan(plan_id=None, version=None, given=one, now=now, by=by)
        try:
            greetings.switch(plan_id=made.pk, on=True, now=now, by=by)
        except DomainError:
            # the law says no; it stays where everybody can see why
            assert not GreetingPlan.objects.get(pk=made.pk).is_on
    greetings.plan_day(now=now)


def _newsletters(*, now: datetime, by: UUID) -> None:
    owner = Membership.objects.get(user_id=by).user
    first, second, third = (
        newsletters.save(issue_id=None, title=one["title"], issue_texts=one["texts"], topics=one["topics"], version=None, now=at, by=by)
        for one, at in zip(TEXTS, (now - timedelta(days=9), now - timedelta(days=2), now), strict=True)
    )  # fmt: skip
    for one in (first, second):
        newsletters.check(issue_id=one.pk, version=one.version, now=now, by=owner)
    first.refresh_from_db()
    newsletters.send(issue_id=first.pk, version=first.version, now=now, by=by)
    assert third.state == "DRAFT"
