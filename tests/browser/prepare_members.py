"""A second clinic for the walk of a membership: profile INTL, where everything may run, until the walk changes it to TW.

What the front desk, patients and the owner do is left to the walk; here is what a clinic has before: people, a session, a programme.
"""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

SLUG = "walk"
OWNER, DESK, OFFICER = "owner@walk.example", "desk@walk.example", "privacy@walk.example"
PEOPLE = {"member": "何美玉", "spouse": "何大中", "friend": "方小晴"}


def make(*, password: str, now: datetime) -> dict[str, Any]:
    """Make the clinic, and return what the walk needs to know of it."""
    from careloop.accounts.models import Membership, User
    from careloop.messaging import channels
    from careloop.payments import accounts as payments
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.models import Organization
    from careloop.tenancy.services import create_organization

    clinic = create_organization(slug=SLUG, name="走訪會員診所", now=now, location="本院")
    with in_organization(clinic.id):
        Organization.objects.update(legal_profile="INTL", quiet_from_hour=0, quiet_to_hour=0)
        users = {
            role: User.objects.create_user(email, password, name=name)
            for role, email, name in (
                ("owner", OWNER, "走訪院長"), ("front_desk", DESK, "走訪櫃檯"), ("privacy_officer", OFFICER, "走訪個資長"),
            )
        }  # fmt: skip
        for role, user in users.items():
            Membership.objects.create(user=user, role=role)
        for channel in ("sms", "email"):
            channels.save_account(
                account_id=None,
                kind="sandbox",
                name=channel,
                channel=channel,
                make_default=True,
                given={"plays": channel},
                now=now,
            )
        payments.save_account(account_id=None, kind="sandbox", name="sandbox", given={}, make_default=True, now=now)
        by = users["owner"].pk
        return (
            {"users": {role: user.email for role, user in users.items()}, "slug": SLUG, "organization": clinic.id}
            | _people(now)
            | _visits(now)
            | _programme(now, by)
        )


def _people(now: datetime) -> dict[str, Any]:
    """A couple who share a birthday with today, and a friend of theirs."""
    from careloop.consent import services as consent
    from careloop.kernel.ids import uuid7
    from careloop.patients import services as patients

    known: dict[str, Any] = {}
    for number, (role, name) in enumerate(PEOPLE.items(), start=1):
        phone = f"09120055{number:02}"
        local = (now + timedelta(hours=8)).date()
        birth = date(1980, local.month, 28 if (local.month, local.day) == (2, 29) else local.day)
        made = patients.register(
            details={"name": name, "birth_date": birth - timedelta(days=number - 1), "language": "zh-hant"}, identifiers=[], now=now, by=None,
            contacts=[patients.NewContact("phone", phone, "mobile")], idempotency_key=uuid7(), even_if_similar=True,
        )  # fmt: skip
        known[role] = {"name": name, "patient": made.patient_id, "phone": phone}
    consent.give(patient_id=known["member"]["patient"], purpose="MARKETING", source="desk", now=now, by=None)
    patients.save_related_person(
        patient_id=known["member"]["patient"], related_person_id=uuid7(), name=PEOPLE["spouse"], relationship="SPS",
        relative_id=known["spouse"]["patient"], now=now, by=None,
    )  # fmt: skip
    return known


def _visits(now: datetime) -> dict[str, Any]:
    """A session of today with the member and the friend in the waiting room, and one that ordinary booking does not reach yet."""
    from careloop.records.models import Practitioner
    from careloop.scheduling import services
    from careloop.scheduling.models import Resource, Service, ServicePractitioner, Session
    from careloop.scheduling.places import Place
    from careloop.tenancy.models import Location
    from careloop.waitingroom import services as queue

    where, who = Location.objects.get(), Practitioner.objects.create(name="走訪會員醫師")
    service = Service.objects.create(
        name="自費諮詢", minutes=30, payer="SELF", price=1200, notice_minutes=0, days_ahead=30
    )
    ServicePractitioner.objects.create(service=service, practitioner=who)
    room = Resource.objects.create(kind="ROOM", name="會員診間", location=where)
    hour = now.replace(minute=0, second=0, microsecond=0)
    begun = hour if (hour + timedelta(hours=8)).hour == 0 else hour - timedelta(hours=1)
    today, later = (
        Session.objects.create(
            practitioner=who, location=where, room=room, on_date=(starts + timedelta(hours=8)).date(), part="MORNING", starts_at=starts,
            ends_at=starts + timedelta(hours=3), mode="SLOTS", slot_minutes=30,
        ) for starts in (begun, hour + timedelta(days=40))
    )  # fmt: skip
    booked = {}
    for number, (role, name) in enumerate((one for one in PEOPLE.items() if one[0] != "spouse"), start=0):
        from careloop.patients.models import Patient

        patient = Patient.objects.get(name=name)
        made = services.book(
            patient_id=patient.pk, service_id=service.pk, place=Place(today.pk, today.starts_at + timedelta(minutes=30 * number)),
            source="desk", key=f"walk:{role}", now=now, by=None,
        )  # fmt: skip
        queue.check_in(appointment_id=made.pk, how="DESK", now=now, by=None)
        booked[role] = made.pk
    return {"service": service.pk, "today": today.pk, "later": later.pk, "booked": booked}


def _programme(now: datetime, by: UUID) -> dict[str, Any]:
    """A programme with what the walk passes: rules, a tier that opens booking earlier, a reward, a coupon, thanks, greetings, a draw."""
    from careloop.loyalty.draw import draws
    from careloop.loyalty.earn import rule_book
    from careloop.loyalty.join import programme
    from careloop.loyalty.models import Coupon, Reward
    from careloop.loyalty.reward import rewards
    from careloop.loyalty.thanks import greetings, referrals
    from careloop.loyalty.tier import benefits
    from careloop.loyalty.tier import setup as tier_setup
    from careloop.messaging import texts

    texts.install_library(now=now)
    # what comes with a present is marketing, in words of the clinic's own
    gift = texts.create_template(key="birthday-gift", name="生日小禮", message_class="MARKETING", by=None, now=now)
    words = {"zh-hant": {"subject": "生日快樂", "text": "{{ greeting }}，祝您生日快樂，會員頁面有一份生日小禮等您。"}}
    texts.publish(version_id=texts.save_draft(template=gift, texts=words, by=None, now=now).pk, by=None, now=now)

    made = programme.create(
        name="走訪會員", terms="點數不可兌換現金。", allows_pools=True, allows_transfers=True, now=now, by=by
    )
    programme.open_programme(programme_id=made.pk, now=now, by=by)
    rules = (
        {"name": "每次看診", "kind": "VISIT", "points": 20},
        {"name": "自費每百元", "kind": "SELF_PAY", "points": 5, "per_amount": 100},
        {"name": "參加講座", "kind": "LECTURE", "points": 30},
    )
    for values in rules:
        rule = rule_book.add_rule(programme_id=made.pk, now=now, by=by, **values)
        rule_book.switch(rule_id=rule.pk, on=True, now=now, by=by)
    gold = tier_setup.define(
        programme_id=made.pk, now=now, by=by, definition=tier_setup.Definition("金卡", 10, criteria={"POINTS": 60})
    )
    earlier = benefits.save_benefit(
        tier_id=gold.pk, now=now, by=by, values={"kind": "BOOKING_WINDOW", "name": "提早預約", "days": 14}
    )
    benefits.switch(benefit_id=earlier.pk, on=True, now=now, by=by)
    reward = rewards.save(
        Reward, now=now, by=by,
        values={"programme": made, "name": "保溫杯", "gives": "GOODS", "value": 200, "points": 50, "stock": 3},
    )  # fmt: skip
    rewards.switch_on(Reward, id=reward.pk, now=now, by=by)
    coupon = rewards.save(
        Coupon, now=now, by=by,
        values={"programme": made, "name": "生日小禮", "kind": "PERSONAL", "given_for": "BIRTHDAY", "gives": "GOODS", "value": 100},
    )  # fmt: skip
    rewards.switch_on(Coupon, id=coupon.pk, now=now, by=by)
    referrals.set_up(given={"is_on": True, "gives": "POINTS", "points": 40}, version=None, now=now, by=by)
    plan = greetings.save_plan(
        plan_id=None, version=None, now=now, by=by,
        given={"name": "生日祝福", "occasion": "BIRTHDAY", "gives": "COUPON", "coupon_id": coupon.pk, "template_key": gift.key, "seen_within_months": 0, "hour": 0},
    )  # fmt: skip
    draw = draws.prepare(
        programme_id=made.pk, now=now, values={"name": "年終感謝抽獎", "description": "會員皆可參加", "entry": "MEMBERS"},
        prizes=[{"name": "馬克杯", "count": 1, "gives": "GOODS", "value": 300}],
    )  # fmt: skip
    return {
        "programme": made.pk, "gold": gold.pk, "reward": reward.pk, "coupon": coupon.pk, "plan": plan.pk, "draw": draw.pk,
    }  # fmt: skip
