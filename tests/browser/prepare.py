"""Fill an empty database with a small demo clinic whose e-mail and LINE go to stand-ins, and print what tests need to know.

Runs as a process of its own, with the settings of a real installation: `python -m tests.browser.prepare SMTP_PORT`.
"""

import json
import sys
from typing import Any

import django

PATIENTS = 40
TAG = "秋季回診"


def main() -> None:
    django.setup()
    from django.utils import timezone

    from careloop.accounts.models import User
    from careloop.audit.services import acting_as
    from careloop.demo import cast, clinic
    from careloop.integrations.channels.fakes.line import TOKEN
    from careloop.journeys import services as journeys
    from careloop.journeys.models import Journey
    from careloop.messaging import channels
    from careloop.patients import services as patients
    from careloop.patients.models import Patient
    from careloop.tenancy.context import in_organization
    from careloop.tenancy.models import Organization
    from careloop.tenancy.services import organization_ids
    from tests.browser import prepare_members

    clinic.ensure(patients=PATIENTS, seed=7)
    (organization_id,) = (identifier for identifier, slug in organization_ids() if slug == cast.SLUG)
    now = timezone.now()
    with acting_as(clinic.MAKER), in_organization(organization_id):
        # tests run at any hour
        Organization.objects.update(quiet_from_hour=0, quiet_to_hour=0)
        channels.save_account(
            account_id=None, kind="email", name="SMTP", channel="email", make_default=True, now=now,
            given={"host": "127.0.0.1", "port": int(sys.argv[1]), "security": "none", "from_address": "care@clinic.example"},
        )  # fmt: skip
        channels.save_account(
            account_id=None, kind="line", name="LINE", channel="line", make_default=True, now=now,
            given={"access_token": TOKEN, "channel_secret": "secret of the stand-in"},
        )  # fmt: skip
        # the demo's own recall makes room, so that a test can start it from the library
        owner = User.objects.get(email=cast.STAFF[0].email)
        recall = Journey.objects.get(library_key="recall")
        journeys.end(journey_id=recall.pk, now=now, by=owner.pk)
        # one patient with LINE and one with a mobile phone only
        tag = patients.create_tag(name=TAG, now=now, by=owner.pk)
        chosen = Patient.objects.filter(name__in=("林淑芬", "劉秀英")).values_list("pk", flat=True)
        patients.give_tag(patient_ids=list(chosen), tag_id=tag.pk, now=now, by=owner.pk)
        open_for_booking(now)
        known: dict[str, Any] = {
            "tag": TAG,
            "users": {one.role: one.email for one in reversed(cast.STAFF)},
            "password": cast.PASSWORD,
            "slug": cast.SLUG,
            "organization": organization_id,
        }
        known |= _waiting_room(organization_id, now) | _schedule(now) | {"visit": _visit(now)}
        known |= _places(organization_id, recall.pk)
    with acting_as(clinic.MAKER):
        known["members"] = prepare_members.make(password=cast.PASSWORD, now=now)
    # those of the other clinic sign in under names of their own
    known["users"] |= {f"walk_{role}": email for role, email in known["members"]["users"].items()}
    print(json.dumps(known, default=str))


def _schedule(now: Any) -> dict[str, Any]:
    """A day of the clinic: one session by time and one by number, with somebody in each."""
    from datetime import datetime, time, timedelta
    from uuid import uuid4
    from zoneinfo import ZoneInfo

    from careloop.patients.models import Patient
    from careloop.scheduling import planning, services, sessions
    from careloop.scheduling.models import Service, Session
    from careloop.scheduling.places import Place
    from careloop.scheduling.tests import make

    zone = ZoneInfo("Asia/Taipei")
    # a Monday that is nobody's: far from what other walks book
    day = now.astimezone(zone).date() + timedelta(days=21)
    day += timedelta(days=7 - day.weekday())
    where = make.clinic(name="一般門診（網頁測試）")
    service = Service.objects.get(pk=where.service.pk)
    opens = datetime.combine(day, time(9), zone)
    by_time = make.session(where, starts_at=opens)
    other = make.practitioner("網頁測試醫師")
    make.offers(service, other)
    pools = [
        {"pool": "BOOKED", "first": 1, "last": 29, "parity": "odd"},
        {"pool": "WALK_IN", "first": 2, "last": 30, "parity": "even"},
    ]
    by_number = make.session(
        where,
        starts_at=opens + timedelta(days=1),
        practitioner=other,
        room=None,
        mode="NUMBERS",
        numbers=30,
        pools=pools,
    )
    people = list(Patient.objects.order_by("pk").values_list("pk", flat=True)[:6])
    booked = [
        services.book(
            patient_id=person, service_id=service.pk, source="desk", key=uuid4().hex, now=now, by=None,
            place=Place(held.pk, starts_at=opens if held is by_time else None),
        )
        for held, person in ((by_time, people[0]), (by_number, people[1]))
    ]  # fmt: skip
    week = planning.set_template(
        values={
            "practitioner_id": where.physician.pk, "location_id": where.location.pk, "room_id": where.room.pk, "weekday": 6, "starts": time(9),
            "ends": time(12), "mode": "NUMBERS", "slot_minutes": 5, "numbers": 30, "pools": pools, "valid_from": day,
        }, now=now, by=None,
    )  # fmt: skip
    absence = sessions.add_absence(
        practitioner_id=where.physician.pk, starts_at=opens + timedelta(hours=2), ends_at=opens + timedelta(hours=3), kind="MEETING",
        note="院務會議", now=now, by=None,
    )  # fmt: skip
    assert Session.objects.filter(on_date=day).exists()
    return {
        "day": day.isoformat(), "service": service.pk, "session": by_time.pk, "numbered": by_number.pk, "appointment": booked[0].pk,
        "at": (opens + timedelta(hours=1)).isoformat().replace("+", "%2B"), "week": week.pk, "absence": absence.pk,
    }  # fmt: skip


def _visit(now: Any) -> dict[str, Any]:
    """A practitioner who sees patients now, has one hour tomorrow, full but for one place, and people who can only be told by SMS."""
    from datetime import date, timedelta

    from careloop.kernel.ids import uuid7
    from careloop.patients import services as patients
    from careloop.records.models import Practitioner
    from careloop.scheduling import services
    from careloop.scheduling.models import Resource, Service, ServicePractitioner, Session
    from careloop.scheduling.places import Place
    from careloop.tenancy.models import Location

    def person(name: str, number: int) -> dict[str, Any]:
        made = patients.register(
            details={"name": name, "birth_date": date(1980, 1, number), "language": "zh-hant"}, identifiers=[], now=now, by=None,
            contacts=[patients.NewContact("phone", f"09120044{number:02}", "mobile")], idempotency_key=uuid7(), even_if_similar=True,
        )  # fmt: skip
        return {
            "name": name,
            "patient": made.patient_id,
            "phone": f"09120044{number:02}",
            "birth_date": date(1980, 1, number),
        }

    comes, waits, misses, other = (
        person(name, number) for number, name in enumerate(("高麗雲", "蔡文哲", "彭素貞", "田大同"), start=11)
    )
    where, who = Location.objects.order_by("pk")[0], Practitioner.objects.create(name="走訪醫師")
    service = Service.objects.create(name="走訪洗牙", minutes=30, payer="NHI", notice_minutes=0)
    ServicePractitioner.objects.create(service=service, practitioner=who)
    room = Resource.objects.create(kind="ROOM", name="走訪診間", location=where)
    hour = now.replace(minute=0, second=0, microsecond=0)
    # the queue is of one day: in the first hour after midnight it begins at midnight
    begun = hour if (hour + timedelta(hours=8)).hour == 0 else hour - timedelta(hours=1)
    today, tomorrow = (
        Session.objects.create(
            practitioner=who, location=where, room=room, on_date=(starts + timedelta(hours=8)).date(), part="MORNING", starts_at=starts,
            ends_at=starts + timedelta(hours=hours), mode="SLOTS", slot_minutes=30,
        ) for starts, hours in ((begun, 7), (hour + timedelta(hours=30), 1))
    )  # fmt: skip
    for whom, session, at in (
        (misses, today, today.starts_at),
        (other, tomorrow, tomorrow.starts_at + timedelta(minutes=30)),
    ):
        services.book(
            patient_id=whom["patient"], service_id=service.pk, place=Place(session.pk, at), source="desk", key="", now=now, by=None
        )  # fmt: skip
    return {
        "service": service.pk, "today": today.pk, "tomorrow": tomorrow.pk, "tomorrow_on": tomorrow.on_date, "location": where.pk,
        "comes": comes, "waits": waits, "misses": misses,
    }  # fmt: skip


def _waiting_room(organization_id: Any, now: Any) -> dict[str, Any]:
    """A session of today with somebody called, somebody waiting and somebody still expected; a television and an entrance."""
    from datetime import timedelta
    from urllib.parse import urlsplit

    from careloop.kernel import sql
    from careloop.patients.models import Patient
    from careloop.records.models import Practitioner
    from careloop.scheduling import services as scheduling
    from careloop.scheduling.models import Resource, Service, ServicePractitioner, Session
    from careloop.scheduling.places import Place
    from careloop.tenancy.models import Location
    from careloop.waitingroom import displays, links, services

    where, who = Location.objects.order_by("pk")[0], Practitioner.objects.create(name="候診測試醫師")
    service = Service.objects.create(name="候診測試門診", minutes=5)
    ServicePractitioner.objects.create(service=service, practitioner=who)
    room = Resource.objects.create(kind="ROOM", name="測試診間", location=where)
    day = sql.value("select (%s::timestamptz at time zone time_zone)::date from tenancy_organization", [now])
    session = Session.objects.create(
        practitioner=who, location=where, room=room, on_date=day, part="MORNING", starts_at=now - timedelta(hours=1),
        ends_at=now + timedelta(hours=8), mode="NUMBERS", slot_minutes=5, numbers=60,
    )  # fmt: skip
    booked = [
        scheduling.book(
            patient_id=one, service_id=service.pk, place=Place(session.pk), source="desk", key="", now=now, by=None
        )
        for one in Patient.objects.filter(deceased=False).order_by("-pk").values_list("pk", flat=True)[:4]
    ]
    here = [services.check_in(appointment_id=one.pk, how="DESK", now=now, by=None) for one in booked[:3]]
    services.call_next(session_id=session.pk, room_id=room.pk, now=now, by=None)
    _ticket, expected = services.pass_for(appointment_id=booked[3].pk, now=now)
    made = {
        kind: displays.make(values={"name": kind, "location_id": where.pk, "kind": kind}, now=now, by=None)[1]
        for kind in ("CALLS", "ENTRANCE")
    }
    return {
        "queue_session": session.pk, "ticket": here[2]["id"], "number": urlsplit(links.url_of(organization_id, here[2]["id"])).path,
        "expected_number": urlsplit(expected).path, "tv": urlsplit(made["CALLS"]).path, "entrance": urlsplit(made["ENTRANCE"]).path,
    }  # fmt: skip


def open_for_booking(now: Any) -> None:
    """Two services that patients can book on their own page: one by time, one by number."""
    from datetime import timedelta

    from careloop.records.models import Practitioner
    from careloop.scheduling.models import Resource, Service, ServicePractitioner, Session
    from careloop.tenancy.models import Location

    location = Location.objects.filter(is_active=True).order_by("pk")[0]
    # people of their own: the clinic's practitioners have their weeks
    by_time, by_number = (Practitioner.objects.create(name=name) for name in ("線上牙醫師", "線上家醫師"))
    scaling = Service.objects.create(
        name="線上洗牙", names={"en": "Scaling online", "zh-hans": "线上洗牙"}, minutes=30, payer="NHI",
        questions=[{"key": "allergy", "text": "有沒有藥物過敏？", "texts": {"en": "Any allergies?"}, "kind": "text", "required": True}],
    )  # fmt: skip
    general = Service.objects.create(
        name="線上家醫科", names={"en": "Family medicine online", "zh-hans": "线上家医科"}, minutes=6, payer="SELF", price=600,
    )  # fmt: skip
    ServicePractitioner.objects.create(service=scaling, practitioner=by_time)
    ServicePractitioner.objects.create(service=general, practitioner=by_number)
    for number, (who, mode) in enumerate(((by_time, "SLOTS"), (by_number, "NUMBERS"))):
        room = Resource.objects.create(kind="ROOM", name=f"線上 {number + 1} 診", location=location)
        for days in range(2, 9):
            day = (now + timedelta(hours=8, days=days)).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
                hours=8
            )
            Session.objects.create(
                practitioner=who, location=location, room=room, on_date=(day + timedelta(hours=8)).date(), part="MORNING",
                starts_at=day + timedelta(hours=9), ends_at=day + timedelta(hours=12), mode=mode,
                slot_minutes=30 if mode == "SLOTS" else 6, numbers=0 if mode == "SLOTS" else 30,
                services=[scaling.pk if mode == "SLOTS" else general.pk],
            )  # fmt: skip


def _places(organization_id: Any, journey_id: Any) -> dict[str, Any]:
    """One of everything that has a page of its own."""
    from careloop.accounts.models import Membership
    from careloop.consent.models import Notice
    from careloop.followups.models import FollowUp
    from careloop.integrations.channels.sandbox.models import SandboxDelivery
    from careloop.integrations.imports.models import ImportBatch
    from careloop.journeys.models import Enrollment, Journey
    from careloop.kernel import sql
    from careloop.kernel.dates import format_roc
    from careloop.loyalty.models import Entry
    from careloop.messaging import links
    from careloop.messaging.models import ChannelAccount, MessageTemplate
    from careloop.patients.models import Patient
    from careloop.patients.sealing import contact_values
    from careloop.segments.models import Segment
    from careloop.tenancy.models import Location

    def first(model: Any, **having: Any) -> Any:
        return model.objects.filter(**having).values_list("pk", flat=True).order_by("pk")[0]

    message = sql.value(
        """select m.id from messaging_message m join messaging_answer_link l on l.message_id = m.id
            where l.expires_at > now() order by m.id desc limit 1"""
    )
    links_of = links.doors(organization_id, message)
    lin, liu = Patient.objects.get(name="林淑芬"), Patient.objects.get(name="劉秀英")
    phones = {pk: next(one.value for one in found) for pk, found in contact_values([lin.pk, liu.pk], "phone").items()}
    phone = phones[lin.pk]
    entry = Entry.objects.filter(kind="EARN", reversals__isnull=True, to_member__isnull=False).latest("pk")
    return {
        "points_account": entry.to_member_id, "points_entry": entry.pk,
        "line_id": contact_values([lin.pk], "line")[lin.pk][0].value,
        "patient": lin.pk, "chart_number": lin.chart_number, "last_three": phone[-3:],
        # two people who sign in on their phones; each may ask for a code once in thirty seconds
        "signs_in": [{"patient": one.pk, "phone": "0" + phones[one.pk].removeprefix("+886"), "birth_date": one.birth_date}
                     for one in (lin, liu)],
        "roc_birth_date": format_roc(lin.birth_date, style="slashes"),
        "segment": first(Segment), "journey": journey_id, "running": first(Journey, state="ACTIVE"),
        "enrollment": first(Enrollment, journey_id=journey_id), "follow_up": first(FollowUp, state="OPEN"),
        "message": message, "template": first(MessageTemplate), "batch": first(ImportBatch), "notice": first(Notice),
        "channel": first(ChannelAccount), "location": first(Location), "member": first(Membership, role="nurse"),
        "phone": SandboxDelivery.objects.filter(plays="line").values_list("patient_id", flat=True)[0],
        "answer": links_of.answer, "unsubscribe": links_of.unsubscribe, "preferences": links_of.preferences,
    }  # fmt: skip


if __name__ == "__main__":
    main()
