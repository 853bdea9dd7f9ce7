"""What the demo clinic is in the middle of: three weeks played through the real services with a clock that runs ahead.

Segments and journeys come from the libraries, messages go to the sandbox phones, some patients answer, some visit, staff work on
what is left. Nothing is written past the services, so every row has its event, its audit entry and its reason.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.utils import timezone

from careloop.accounts.models import User
from careloop.events.readers import run_all
from careloop.followups import services as followups
from careloop.followups.models import FollowUp
from careloop.integrations.channels.sandbox import selectors as phones
from careloop.integrations.channels.sandbox import services as sandbox
from careloop.integrations.channels.sandbox.models import SandboxDelivery
from careloop.journeys import library as journeys
from careloop.journeys import moving
from careloop.journeys import services as journey_services
from careloop.journeys.handlers import enroll_by_date
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.messaging import dispatch, inbound, selectors, texts
from careloop.messaging import services as messaging
from careloop.patients import services as patients
from careloop.patients.services import NewContact
from careloop.records import services as records
from careloop.segments import library as segments
from careloop.tenancy.context import in_organization

ZONE = ZoneInfo("Asia/Taipei")
DAYS = 21
MORNING = 10
SEGMENTS = (
    "adult-checkup-due", "colorectal-due", "scaling-due", "flu-due", "child-vaccine-due", "refill-open", "hba1c-overdue", "post-procedure",
    "lapsed", "at-risk", "new-without-second", "birthday-week", "valuable-at-risk", "no-line",
)  # fmt: skip
# on which day of the three weeks a journey is started; None leaves it a draft
JOURNEYS = {"recall": 0, "welcome": 0, "post-procedure": 0, "birthday": 0, "lapsed": 13, "refill": None}
NEWCOMERS = tuple(
    (name, sex, f"0900-099-{number:03d}", f"U{number:032x}")
    for number, (name, sex) in enumerate(
        (("簡佑任", "male"), ("邱佩珊", "female"), ("方若涵", "female"), ("溫承翰", "male"), ("沈品妍", "female"), ("田嘉偉", "male"),
         ("范詠晴", "female"), ("石育誠", "male"), ("童靜宜", "female"), ("馮子豪", "male")),
        start=900,
    )
)  # fmt: skip
QUESTIONS = ("請問週六下午有門診嗎？", "上次開的藥可以提早領嗎？", "我想改到板橋院區看診，可以嗎？")


@dataclass
class Stage:
    """The clinic, the dice, and who acts."""

    organization_id: UUID
    owner: UUID
    desk: UUID
    dice: random.Random
    answered: set[UUID]
    newcomers: list[tuple[str, str, str, str]]
    looked_at: int = 0
    settled: set[str] = field(default_factory=set)


def play(organization_id: UUID, *, owner: UUID, now: datetime, seed: int) -> None:
    """Play three weeks up to now."""
    with in_organization(organization_id):
        desk = User.objects.get(email="desk@demo.careloop.test").pk
    stage = Stage(organization_id, owner, desk, random.Random(seed), set(), list(NEWCOMERS))
    moments = list(_moments(now))
    for moment in moments:
        with in_organization(organization_id):
            _start_what_is_due(stage, now=moment, day=(moment - moments[0]).days)
            if moment.hour == MORNING:
                enroll_by_date(now=moment)
        _go_on(stage, now=moment)
    with in_organization(organization_id):
        _staff_at_work(stage, now=now)
    _go_on(stage, now=now, answer=False)
    with in_organization(organization_id):
        _set_the_phones_clocks()


def _moments(now: datetime) -> Iterator[datetime]:
    """Ten in the morning and three in the afternoon of each day, in the clinic's zone."""
    today = now.astimezone(ZONE).date()
    for back in range(DAYS, -1, -1):
        for hour in (MORNING, 15):
            moment = datetime.combine(today - timedelta(days=back), time(hour), ZONE)
            if moment < now:
                yield moment


def _start_what_is_due(stage: Stage, *, now: datetime, day: int) -> None:
    """Take segments and journeys over from the libraries and start each journey on its day; again changes nothing."""
    if not stage.settled:
        owner = User.objects.get(pk=stage.owner)
        texts.install_library(now=now)
        for key in SEGMENTS:
            segments.take_over(key, by=owner, now=now)
    for key, start_day in JOURNEYS.items():
        if key in stage.settled or (start_day is not None and day < start_day):
            continue
        stage.settled.add(key)
        made = journeys.take_over(key, by=stage.owner, now=now, journey_id=uuid5(stage.organization_id, key))
        if start_day is not None and made.state == "DRAFT":
            journey_services.start(journey_id=made.pk, version=made.version, now=now, by=stage.owner)


def _go_on(stage: Stage, *, now: datetime, answer: bool = True) -> None:
    """One round of what the worker does, at `now`."""
    run_all(stage.organization_id, now=now)
    while moving.move_due(stage.organization_id, now=now):
        pass
    dispatch.send_due(stage.organization_id, now=now)
    if answer:
        with in_organization(stage.organization_id):
            _patients_answer(stage, now=now)
            _patients_visit(stage, now=now)
            _new_patients(stage, now=now)
    with in_organization(stage.organization_id):
        while inbound.process_waiting(now=now):
            pass
    run_all(stage.organization_id, now=now)


def _patients_answer(stage: Stage, *, now: datetime) -> None:
    """Some of those who got a message since the last round tap an answer."""
    fresh = list(
        SandboxDelivery.objects.filter(pk__gt=stage.looked_at).exclude(plays="email").values_list("pk", "patient_id")
    )
    stage.looked_at = max((pk for pk, _patient in fresh), default=stage.looked_at)
    for patient_id in sorted({patient for _pk, patient in fresh}):
        if stage.dice.random() > 0.38:
            continue
        for shown in phones.phone(patient_id, limit=1):
            if shown.message_key in stage.answered:
                continue
            stage.answered.add(shown.message_key)
            _answer(stage, shown, now=now + timedelta(minutes=stage.dice.randrange(3, 240)))


def _answer(stage: Stage, shown: phones.Shown, *, now: datetime) -> None:
    now = min(now, timezone.now())
    if shown.quick_replies and stage.dice.random() < 0.92:
        chosen = stage.dice.choices(shown.quick_replies, weights=list(_weights(shown.quick_replies)))[0]
        sandbox.answer(
            channel_id=shown.channel_id, patient_id=shown.patient_id, kind="quick_reply", receive=messaging.receive, now=now,
            text=chosen["label"], data=chosen.get("data", ""),
        )  # fmt: skip
        return
    words = "退訂" if shown.message_class == "MARKETING" and stage.dice.random() < 0.3 else stage.dice.choice(QUESTIONS)
    sandbox.answer(
        channel_id=shown.channel_id,
        patient_id=shown.patient_id,
        kind="text",
        receive=messaging.receive,
        now=now,
        text=words,
    )


def _weights(replies: Iterable[dict[str, str]]) -> Iterator[float]:
    labels = {"安排": 0.5, "打給我": 0.1, "一切都好": 0.6, "順利": 0.6, "不舒服": 0.06}
    for reply in replies:
        yield next((weight for word, weight in labels.items() if word in reply["label"]), 0.15)


def _patients_visit(stage: Stage, *, now: datetime) -> None:
    """Who said so comes most of the time; a few come by themselves, held out or not."""
    due = sql.rows(
        """select e.patient_id, e.held_out,
                  exists (select 1 from messaging_message m where m.patient_id = e.patient_id and m.answer = 'BOOK'
                           and m.answered_at between %(from)s and %(to)s) as said_so
             from journeys_enrollment e
            where e.entered_at < %(to)s
              and not exists (select 1 from records_encounter r where r.patient_id = e.patient_id and r.started_at > %(since)s)
            order by e.patient_id""",
        {"from": now - timedelta(days=6), "to": now - timedelta(days=2), "since": now - timedelta(days=DAYS)},
    )
    for row in due:
        chance = 0.22 if row["said_so"] else 0.004
        if stage.dice.random() < chance:
            visit = records.record_encounter(
                patient_id=row["patient_id"], encounter_id=uuid7(), started_at=now - timedelta(minutes=stage.dice.randrange(10, 90)),
                display="門診", department=stage.dice.choice(("家醫科", "牙科")), practitioner_name=stage.dice.choice(("陳柏宇", "林哲安")),
                now=now, by=stage.desk,
            )  # fmt: skip
            records.record_invoice(
                patient_id=row["patient_id"], invoice_id=uuid7(), issued_at=now, total_amount=650, self_pay_amount=0, copay_amount=150,
                encounter_id=visit.pk, now=now, by=stage.desk,
            )  # fmt: skip


def _new_patients(stage: Stage, *, now: datetime) -> None:
    """Every few days somebody new comes, and somebody has a wisdom tooth taken out."""
    if stage.dice.random() < 0.45 and stage.newcomers:
        name, sex, phone, line = stage.newcomers.pop()
        patients.register(
            details={"name": name, "sex": sex, "birth_date": now.date() - timedelta(days=stage.dice.randrange(9000, 20000))},
            contacts=[NewContact("phone", phone, use="mobile"), NewContact("line", line)],
            idempotency_key=uuid5(stage.organization_id, phone), now=now, by=stage.desk, even_if_similar=True,
        )  # fmt: skip
    if stage.dice.random() < 0.5:
        patient = sql.value(
            """select patient_id from facts_patient where last_visit_on is not null and stage in (1, 2)
                order by md5(patient_id::text || %s) limit 1""",
            [now.isoformat()],
        )
        records.record_procedure(
            patient_id=patient, procedure_id=uuid7(), performed_at=now - timedelta(minutes=20), code="92014C", display="複雜性拔牙",
            code_system="https://www.nhi.gov.tw/payment", practitioner_name="林哲安", now=now, by=stage.desk,
        )  # fmt: skip


def _set_the_phones_clocks() -> None:
    """The phones note when something arrives by the real clock; here it arrived when it was sent."""
    sql.execute(
        """update channels_sandbox_delivery d set delivered_at = m.accepted_at
             from messaging_message m where m.id = d.message_key and m.accepted_at is not null"""
    )


def _staff_at_work(stage: Stage, *, now: datetime) -> None:
    """The front desk has read most answers and worked on most of the call list; some of it is due today."""
    unread = selectors.unread_conversations(limit=10_000)
    for conversation in unread[9:]:
        selectors.mark_read(conversation["patient_id"], now=now)
    open_ones = FollowUp.objects.filter(state="OPEN").order_by("due_at", "id")
    for task in open_ones[: max(0, open_ones.count() - 26)]:
        outcome = stage.dice.choices(
            ("REACHED", "BOOKED", "NO_ANSWER", "DECLINED", "RESOLVED"), weights=(4, 3, 2, 1, 2)
        )[0]
        followups.close(follow_up_id=task.pk, outcome=outcome, version=task.version, now=now, by=stage.desk)
    for external_id, title, script in (
        ("P00001", "確認糖化血色素回診時間", "上次 HbA1c 偏高，請確認已安排抽血與回診。"),
        ("P00008", "聯絡家屬確認行動協助", "行動不便，來院是否需要協助與陪同？"),
    ):
        patient = sql.value("select id from patients_patient where external_id = %s", [external_id])
        if patient:
            followups.create(
                origin_id=f"demo-{external_id}", patient_id=patient, kind="CALL", title=title, script=script, due_at=now + timedelta(hours=2), now=now,
                by=stage.owner,
            )  # fmt: skip
