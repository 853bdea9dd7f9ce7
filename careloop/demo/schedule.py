"""The demo clinic's schedule: what can be booked, the practitioners' weeks, and four weeks of appointments through the real services."""

import random
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from careloop.demo import cast
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.records.models import Practitioner
from careloop.scheduling import availability, planning, services, sessions, waitlist
from careloop.scheduling.models import Resource, Service, ServiceEquipment, ServicePractitioner, Template
from careloop.scheduling.places import Place
from careloop.tenancy.models import Location

ZONE = ZoneInfo("Asia/Taipei")
DENTIST, PHYSICIAN = "林哲安", "陳柏宇"
BEHIND, AHEAD = 14, 14  # days
MOST_A_SESSION = 6
TAKEN_FROM = 400
"""So many people, in the order of their charts, are booked here; others wait in the queue (`queue.py`)."""

# name, English, Simplified, minutes, minutes at a first visit, payer, price in TWD, who offers it
SERVICES = (
    ("洗牙", "Scaling", "洗牙", 30, 45, "NHI", 0, DENTIST),
    ("牙科檢查", "Dental check-up", "牙科检查", 15, 30, "NHI", 0, DENTIST),
    ("植牙諮詢", "Implant consultation", "种植牙咨询", 45, None, "SELF", 500, DENTIST),
    ("家醫科看診", "Family medicine", "家庭医学科看诊", 10, 15, "NHI", 0, PHYSICIAN),
    ("成人健檢", "Adult check-up", "成人健检", 30, None, "NHI", 0, PHYSICIAN),
    ("疫苗接種", "Vaccination", "疫苗接种", 10, None, "NHI", 0, PHYSICIAN),
)
# practitioner, branch, ISO weekday, from, to, mode
WEEK = (
    (DENTIST, 0, 1, time(9), time(12), "SLOTS"), (DENTIST, 0, 2, time(14), time(17, 30), "SLOTS"),
    (DENTIST, 0, 3, time(18), time(21), "SLOTS"), (DENTIST, 1, 4, time(9), time(12), "SLOTS"),
    (DENTIST, 1, 5, time(18), time(21), "SLOTS"), (DENTIST, 0, 6, time(9), time(12), "SLOTS"),
    (PHYSICIAN, 0, 1, time(9), time(12), "NUMBERS"), (PHYSICIAN, 0, 2, time(9), time(12), "NUMBERS"),
    (PHYSICIAN, 1, 2, time(18), time(21), "NUMBERS"), (PHYSICIAN, 0, 3, time(14), time(17), "NUMBERS"),
    (PHYSICIAN, 1, 4, time(18), time(21), "NUMBERS"), (PHYSICIAN, 0, 5, time(9), time(12), "NUMBERS"),
    (PHYSICIAN, 1, 6, time(9), time(12), "NUMBERS"),
)  # fmt: skip
POOLS = [
    {"pool": "BOOKED", "first": 1, "last": 27, "parity": "odd"}, {"pool": "WALK_IN", "first": 2, "last": 28, "parity": "even"},
    {"pool": "FIRST", "first": 29, "last": 30},
]  # fmt: skip


def play(*, now: datetime, seed: int) -> None:
    """Set the schedule up and let four weeks of booking happen. Running it again changes nothing."""
    today = now.astimezone(ZONE).date()
    _set_up(today, now=now)
    dice = random.Random(seed)
    people = [
        row["id"] for row in sql.rows(
            """select id from patients_patient where active and name <> all(%s) order by chart_number nulls last, id limit %s""",
            [[one.name for one in cast.CAST], TAKEN_FROM],
        )
    ]  # fmt: skip
    dice.shuffle(people)
    for held in sql.rows(
        """select s.id, s.starts_at, s.ends_at, s.on_date, s.mode, p.name as practitioner
             from scheduling_session s join records_practitioner p on p.id = s.practitioner_id
            where s.on_date between %s and %s and s.state <> 'CLOSED' order by s.starts_at""",
        [today - timedelta(days=BEHIND), today + timedelta(days=AHEAD)],
    ):
        fullness = 1.0 if held["starts_at"] <= now else max(0.25, 1 - (held["on_date"] - today).days / 16)
        for turn in range(max(1, round(MOST_A_SESSION * fullness))):
            if not people:
                return
            _book(held, people.pop(), turn=turn, now=now, dice=dice)
    sessions.note_missed(now=now)
    _waitlist(people, today, now=now)


def _set_up(today: date, *, now: datetime) -> None:
    branches = [Location.objects.get(name=name) for name in cast.BRANCHES]
    who = {name: Practitioner.objects.get(name=name) for name in (DENTIST, PHYSICIAN)}
    rooms = {
        (name, branch.pk): Resource.objects.get_or_create(location=branch, name=room, defaults={"kind": "ROOM"})[0]
        for branch in branches
        for name, room in ((DENTIST, "牙科 1 診"), (PHYSICIAN, "家醫 1 診"))
    }
    scalers = [
        Resource.objects.get_or_create(location=branch, name="超音波洗牙機", defaults={"kind": "EQUIPMENT"})[0]
        for branch in branches
    ]
    for name, english, simplified, minutes, first, payer, price, offered_by in SERVICES:
        service, is_new = Service.objects.get_or_create(
            name=name,
            defaults={
                "names": {"en": english, "zh-hans": simplified}, "minutes": minutes, "first_visit_minutes": first, "payer": payer,
                "price": price, "verify_phone": False,
            },
        )  # fmt: skip
        if is_new:
            ServicePractitioner.objects.create(service=service, practitioner=who[offered_by])
            if name == "洗牙":
                for scaler in scalers:
                    ServiceEquipment.objects.create(service=service, resource=scaler)
    if Template.objects.exists():
        return
    for name, branch, weekday, starts, ends, mode in WEEK:
        numbers = {"numbers": 30, "pools": POOLS, "slot_minutes": 6} if mode == "NUMBERS" else {"slot_minutes": 15}
        planning.set_template(
            values={
                "practitioner_id": who[name].pk, "location_id": branches[branch].pk, "room_id": rooms[name, branches[branch].pk].pk,
                "weekday": weekday, "starts": starts, "ends": ends, "mode": mode, "valid_from": today - timedelta(days=400), **numbers,
            },
            now=now - timedelta(days=BEHIND + 1), by=None,
        )  # fmt: skip
    planning.plan(now=now)


def _book(held: dict[str, object], who: UUID, *, turn: int, now: datetime, dice: random.Random) -> None:
    """Book a few days ahead; whose time has passed was seen, or, one in twelve, did not come."""
    starts_at = held["starts_at"]
    assert isinstance(starts_at, datetime)
    made_at = min(now, starts_at - timedelta(days=dice.randint(1, 6), hours=dice.randint(0, 5)))
    offered = [one for one in SERVICES if one[-1] == held["practitioner"]]
    service = sql.value("select id from scheduling_service where name = %s", [dice.choice(offered)[0]])
    key = f"demo:{held['id']}:{turn}"
    free = availability.search(service_id=service, now=min(made_at, starts_at), session_id=held["id"], sessions=1)  # type: ignore[arg-type]
    if not free:
        return
    chosen = dice.choice(free)
    try:
        made = services.book(
            patient_id=who, service_id=service, source=dice.choice(("desk", "phone", "portal", "line")), key=key, now=made_at, by=None,
            place=Place(chosen.session_id, starts_at=chosen.starts_at if chosen.number is None else None),
        )  # fmt: skip
    except DomainError:
        return
    if dice.random() < 0.5:
        services.confirm(appointment_id=made.pk, now=made_at + timedelta(hours=1), by=None)
    if made.ends_at < now and dice.random() > 1 / 12:
        services.arrive(appointment_id=made.pk, now=made.starts_at - timedelta(minutes=8), by=None)
        services.fulfil(appointment_id=made.pk, now=made.ends_at, by=None)


def _waitlist(people: list[UUID], today: date, *, now: datetime) -> None:
    """Two people wait for an evening with the dentist before the next free one."""
    dentist = Practitioner.objects.get(name=DENTIST)
    scaling = Service.objects.get(name="洗牙")
    for turn, who in enumerate(people[:2]):
        try:
            waitlist.join(
                patient_id=who, service_id=scaling.pk, practitioner_id=dentist.pk, parts=["EVENING"], weekdays=[7], first_date=today,
                last_date=today + timedelta(days=30), now=now, by=None, source="phone", key=f"demo:wait:{turn}",
            )  # fmt: skip
        except DomainError:
            continue
