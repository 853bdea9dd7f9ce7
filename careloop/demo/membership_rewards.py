"""The demo clinic's rewards, coupons and partners. What a rule stops stays stopped; what needs it was signed off by the privacy officer."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from careloop.accounts.models import Membership
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.loyalty.join import membership, programme
from careloop.loyalty.models import Coupon, Partner, Programme, Reward
from careloop.loyalty.points import ledger, statements
from careloop.loyalty.points.ledger import Because
from careloop.loyalty.reward import coupons, partners, redemptions, rewards
from careloop.policy.answers import Answer
from careloop.policy.signing import sign_off_offer
from careloop.tenancy.models import Organization

REASON = "價值低於新臺幣一百元、與醫療行為無關，僅供會員登入後兌換，並經律師確認。"
PIN = "246810"
LIST: tuple[dict[str, Any], ...] = (
    {"name": "候診區熱茶一杯", "gives": "SERVICE", "points": 20, "value": 30, "text": "向櫃檯出示兌換碼即可。", "hold_days": 30,
     "names": {"en": "A cup of hot tea", "zh-hans": "候诊区热茶一杯"},
     "texts": {"en": "Show the code at the desk.", "zh-hans": "向前台出示兑换码即可。"}},
    {"name": "血壓紀錄本", "gives": "GOODS", "points": 60, "value": 80, "stock": 12, "per_member": 1, "per_days": 365,
     "text": "居家量血壓用，附三個月紀錄表。", "names": {"en": "Blood pressure diary", "zh-hans": "血压记录本"},
     "texts": {"en": "For measuring at home; lasts three months.", "zh-hans": "居家量血压用，附三个月记录表。"}},
    {"name": "慢性病飲食講座", "gives": "CONTENT", "points": 40, "stock": 3, "text": "每月第二個週六上午十點，板橋院區。",
     "names": {"en": "Talk: eating well with a chronic illness", "zh-hans": "慢性病饮食讲座"},
     "texts": {"en": "Second Saturday of each month, 10:00, Banqiao branch.", "zh-hans": "每月第二个周六上午十点，板桥院区。"}},
    {"name": "口腔保健衛教影片", "gives": "CONTENT", "points": 200, "text": "六支短片，可重複觀看。",
     "names": {"en": "Videos on oral care", "zh-hans": "口腔保健科普视频"},
     "texts": {"en": "Six short films to watch again and again.", "zh-hans": "六支短片，可重复观看。"}},
    {"name": "洗牙一次", "gives": "CARE", "points": 300, "value": 900, "text": "",
     "names": {"en": "One scaling", "zh-hans": "洗牙一次"}, "texts": {}},
)  # fmt: skip


def play(*, now: datetime) -> None:
    """Set everything up and let a few members take something. Running it again changes nothing."""
    if Reward.objects.exists():
        return
    began = now - timedelta(days=45)
    owner = Membership.objects.filter(role="owner").order_by("pk").values_list("user_id", flat=True)[0]
    desk = Membership.objects.filter(role="front_desk").order_by("pk").values_list("user_id", flat=True)[0]
    where = membership.programme_for(None) or _programme(began, owner)
    made = [_offer(Reward, {**one, "programme_id": where.pk}, now=began, by=owner) for one in LIST]
    people = _members(where, began)
    _lives(made, people, now=now, desk=desk)
    _coupons(where, people, began=began, now=now, owner=owner, desk=desk)


def _programme(now: datetime, by: UUID) -> Programme:
    made = programme.create(name="安心會員", now=now, by=by, terms="點數不可兌換現金，亦不可折抵醫療費用。")
    return programme.open_programme(programme_id=made.pk, now=now, by=by)


def _offer(model: type[Any], values: dict[str, Any], *, now: datetime, by: UUID) -> Any:
    """Set an offer up, have it signed off if that is what the rules ask for, and switch it on if they let it."""
    made = rewards.save(model, values=values, now=now, by=by)
    officer = Membership.objects.filter(role="privacy_officer").order_by("pk").first()
    if officer is not None and rewards.verdict_of(made, audience="one", now=now).answer == Answer.SIGN_OFF:
        sign_off_offer(
            offer=made.offer(), audience="one", organization=Organization.objects.get(), reason=REASON, document="法務-2026-017", by=officer, now=now
        )  # fmt: skip
    try:
        return rewards.switch_on(model, id=made.pk, now=now, by=by)
    except DomainError:
        return made  # a rule stops it, and its page says why


def _members(where: Programme, now: datetime) -> list[UUID]:
    found = sql.rows(
        """select id from patients_patient where active and not deceased and merged_into_id is null and external_id <> ''
            order by external_id limit 12"""
    )
    members = []
    for number, row in enumerate(found):
        account = membership.join(patient_id=row["id"], programme_id=where.pk, how="DESK", now=now, by=None)
        missing = 150 - statements.balance_of(account.pk)
        if missing > 0:
            note = Because("EARN_RULE", note="血壓紀錄與衛教閱讀")
            ledger.earn(
                account_id=account.pk,
                points=missing + 10 * number,
                key=f"demo-rewards:{account.pk}",
                because=note,
                now=now,
            )
        members.append(account.pk)
    return members


def _lives(offers: list[Reward], people: list[UUID], *, now: datetime, desk: UUID) -> None:
    """What waits, what was handed over, what was taken back."""
    tea, diary, talk = offers[:3]
    stories = (
        (0, tea, 12, "confirm"), (1, diary, 9, "confirm"), (2, tea, 8, "cancel"), (3, talk, 6, "confirm"), (4, diary, 5, "confirm"),
        (5, tea, 3, "wait"), (0, talk, 2, "wait"), (6, tea, 1, "wait"), (7, diary, 0, "confirm"),
    )  # fmt: skip
    for number, (who, one, days, fate) in enumerate(stories):
        if who >= len(people) or one.state != "ON":
            continue
        at = now - timedelta(days=days, hours=1)
        made = redemptions.redeem(
            account_id=people[who],
            reward_id=one.pk,
            key=f"demo:{number}",
            now=at,
            by=None,
            source="PORTAL" if number % 2 else "DESK",
        )
        if fate == "confirm":
            redemptions.confirm(redemption_id=made.pk, key=f"demo:{number}", now=at + timedelta(minutes=20), by=desk)
        elif fate == "cancel":
            redemptions.cancel(redemption_id=made.pk, reason="病人改選其他項目", now=at + timedelta(minutes=5), by=desk)


def _coupons(where: Programme, people: list[UUID], *, began: datetime, now: datetime, owner: UUID, desk: UUID) -> None:
    birthday = _offer(Coupon, {
        "programme_id": where.pk, "kind": "PERSONAL", "given_for": "BIRTHDAY", "gives": "SERVICE", "name": "生日月熱茶一杯", "value": 30,
        "text": "生日當月，櫃檯為您準備一杯熱茶。", "names": {"en": "Birthday tea", "zh-hans": "生日月热茶一杯"}, "per_member": 1,
    }, now=began, by=owner)  # fmt: skip
    paper = _offer(Coupon, {
        "programme_id": where.pk, "kind": "SERIES", "given_for": "EDUCATION", "gives": "CONTENT", "name": "衛教講座入座券", "good_days": 180,
        "text": "憑券入座，座位有限。", "names": {"en": "Seat at a health talk", "zh-hans": "健康讲座入座券"},
    }, now=began, by=owner)  # fmt: skip
    cafe = partners.save(
        partner_id=None, name="巷口咖啡", contact="林店長 02-2700-1234", is_active=True, now=began, by=owner
    )
    partners.set_pin(partner_id=cafe.pk, pin=PIN, now=began, by=owner)
    cup = _offer(Coupon, {
        "programme_id": where.pk, "kind": "PARTNER", "partner_id": cafe.pk, "given_for": "MANUAL", "gives": "GOODS", "name": "無糖茶一杯",
        "text": "出示兌換碼，每人一杯。", "value": 40, "pays": 25, "per_member": 2, "good_days": 60,
        "names": {"en": "A cup of tea without sugar", "zh-hans": "无糖茶一杯"},
    }, now=began, by=owner)  # fmt: skip
    if paper.state == "ON":
        coupons.make_series(coupon_id=paper.pk, count=40, key="demo", now=began, by=owner)
    if birthday.state == "ON":
        for number, who in enumerate(people[:4]):
            because = Because("BIRTHDAY", note="祝您生日快樂")
            given = coupons.grant_coupon(
                account_id=who,
                coupon_id=birthday.pk,
                key=f"demo:b{number}",
                because=because,
                now=now - timedelta(days=4),
                by=None,
            )
            if number == 1:
                coupons.use(
                    code_id=given["id"], key="demo", where=coupons.Where(), now=now - timedelta(days=2), by=desk
                )
    if cup.state == "ON":
        _at_the_partner(cafe, cup, people, now=now, owner=owner)


def _at_the_partner(cafe: Partner, cup: Coupon, people: list[UUID], *, now: datetime, owner: UUID) -> None:
    for number, who in enumerate(people[2:9]):
        at = now - timedelta(days=34 - 5 * number)
        given = coupons.grant_coupon(
            account_id=who, coupon_id=cup.pk, key=f"demo:p{number}", because=Because("PARTNER"), now=at, by=None
        )
        if number != 6:
            partners.use(partner=cafe, text=given["code"], key=f"demo:{number}", now=at + timedelta(hours=3))
    first, last = (now - timedelta(days=40)).date(), (now - timedelta(days=18)).date()
    partners.settle(partner_id=cafe.pk, first=first, last=last, note="已匯款", now=now - timedelta(days=10), by=owner)
