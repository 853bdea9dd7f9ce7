"""Making the demo clinic: an organization, an import, and then what the real services do with it."""

import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from careloop.accounts.models import Membership, User
from careloop.audit.services import Actor, acting_as, record
from careloop.consent import services as consent
from careloop.demo import (
    cast,
    loop,
    membership_draws,
    membership_earning,
    membership_points,
    membership_rewards,
    membership_thanks,
    membership_tiers,
    notices,
    payments,
    queue,
    schedule,
    source,
)
from careloop.events.readers import run_all
from careloop.integrations.imports import pipeline
from careloop.integrations.imports import services as imports
from careloop.integrations.imports.models import ImportBatch
from careloop.kernel import sql
from careloop.messaging import channels
from careloop.messaging.models import ChannelAccount
from careloop.tenancy.context import in_organization
from careloop.tenancy.models import Location, Organization
from careloop.tenancy.services import create_organization, organization_ids

Say = Callable[[str], None]
MAKER = Actor("command", name="careloop demo", via="command")
EXPORT_NAME = "qingan-his-export.ndjson"


def ensure(*, patients: int, seed: int, say: Say = lambda _text: None) -> dict[str, Any]:
    """Make the demo clinic unless it is there already; return its sign-ins.

    Made in steps that can be taken up again: a first start that was interrupted is finished by the next one.
    """
    now = timezone.now()
    known = {slug: identifier for identifier, slug in organization_ids()}
    with acting_as(MAKER):
        organization_id = known.get(cast.SLUG) or _found(now)
        with in_organization(organization_id):
            finished = not Organization.objects.filter(pk=organization_id, is_demo=True).exists()
            owner = User.objects.get(email=cast.STAFF[0].email)
        if not finished and not _is_complete(organization_id):
            say("demo clinic: patients and three years of history")
            _import_history(organization_id, patients=patients, seed=seed, now=now)
            _catch_up(organization_id)
            say("demo clinic: consents, channels, journeys and messages")
            with in_organization(organization_id):
                _consents(random.Random(seed), now=now)
                _habits(now=now)
                _connect_channels(now=now)
            _catch_up(organization_id)
            loop.play(organization_id, owner=owner.pk, now=now, seed=seed)
            say("demo clinic: four weeks of appointments")
            with in_organization(organization_id):
                schedule.play(now=now, seed=seed)
                membership_earning.play(now=now)
                payments.play(now=now, seed=seed)
                membership_points.play(now=now, seed=seed)
                membership_tiers.play(now=now)
                queue.play(now=now)
                membership_rewards.play(now=now)
                membership_thanks.play(now=now)
                membership_draws.play(now=now, seed=seed)
            _catch_up(organization_id)
            with in_organization(organization_id):
                record("demo.completed", now=timezone.now())
        with in_organization(organization_id):
            screens = queue.screens()
    return {**sign_ins(), "screens": screens}


def sign_ins() -> dict[str, Any]:
    """Return who may sign in, and with which password."""
    return {
        "organization": cast.SLUG,
        "password": cast.PASSWORD,
        "users": [{"email": one.email, "name": one.name, "role": one.role} for one in cast.STAFF],
    }


def _is_complete(organization_id: UUID) -> bool:
    with in_organization(organization_id):
        return bool(sql.value("select 1 from audit_event where action = 'demo.completed' limit 1"))


def _catch_up(organization_id: UUID) -> None:
    run_all(organization_id, now=timezone.now())


def _found(now: datetime) -> UUID:
    made = create_organization(
        slug=cast.SLUG, name=cast.CLINIC, now=now, location=cast.BRANCHES[0], is_demo=True, phone="02-2345-6789",
        address="臺北市信義區松仁路 88 號", website="https://demo.careloop.test", licence_number="3501234567",
    )  # fmt: skip
    with in_organization(made.id):
        Location.objects.filter(name=cast.BRANCHES[0]).update(phone="02-2345-6789", address="臺北市信義區松仁路 88 號")
        Location.objects.create(name=cast.BRANCHES[1], phone="02-2960-1234", address="新北市板橋區文化路一段 120 號")
        for one in cast.STAFF:
            user = User.objects.filter(email=one.email).first() or User.objects.create_user(
                one.email, cast.PASSWORD, name=one.name
            )
            Membership.objects.create(user=user, role=one.role, title=one.title)
            record("staff.created", target=("user", user.pk), details={"role": one.role}, now=now)
        owner = User.objects.get(email=cast.STAFF[0].email)
        for purpose, texts in (("", notices.PRIVACY), ("MARKETING", notices.MARKETING)):
            draft = consent.draft_notice(purpose=purpose, texts=texts, now=now, by=owner.pk)
            consent.publish_notice(notice_id=draft.pk, now=now, by=owner.pk)
    return made.id


def _import_history(organization_id: UUID, *, patients: int, seed: int, now: datetime) -> None:
    """Write the imaginary system's export and import it, like any other source."""
    folder = Path(settings.CARELOOP_FILES) / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / EXPORT_NAME
    source.write_export(path, count=patients, seed=seed, today=timezone.localdate(now))
    with in_organization(organization_id):
        if ImportBatch.objects.filter(file_name=EXPORT_NAME, state=ImportBatch.State.DONE).exists():
            return
        batch = imports.unfinished(path=path, kind="csv", source="qingan-his") or imports.create_batch(
            kind="csv", path=path, name=EXPORT_NAME, source="qingan-his", document=None, dry_run=False, by=None, now=now
        )
        imports.start(batch, now=now)
    pipeline.run(batch, source.read_export(path), organization_id=organization_id, now=timezone.now, actor=MAKER)
    with in_organization(organization_id):
        imports._finish(batch, ImportBatch.State.DONE, "", now=timezone.now())
        _settle_branches()
    # the export holds everything in clear; the database has it now, sealed
    path.unlink()


def _settle_branches() -> None:
    """Each patient's home is the branch of the last visit."""
    sql.execute(
        """update patients_patient p set home_location_id = l.id
             from tenancy_location l
            where l.name = coalesce(
                (select e.location_name from records_encounter e where e.patient_id = p.id order by e.started_at desc limit 1),
                %s)""",
        [cast.BRANCHES[0]],
    )


def _consents(dice: random.Random, *, now: datetime) -> None:
    """Paper forms from the day of registration: everybody saw the notice, two in three agreed to news, a few refused."""
    notice, marketing = (
        sql.value("select id from consent_notice where purpose = %s order by version desc limit 1", [purpose])
        for purpose in ("", "MARKETING")
    )
    sql.execute(
        """insert into consent_notice_shown (patient_id, notice_id, shown_at, how)
           select id, %s, coalesce(registered_on::timestamptz, %s), 'paper' from patients_patient p
            where not exists (select 1 from consent_notice_shown s where s.patient_id = p.id)""",
        [notice, now],
    )
    people = sql.rows("select id, external_id, registered_on from patients_patient order by external_id")
    refusing = {f"P{number:05d}" for number, one in enumerate(cast.CAST, 1) if not one.marketing}
    known = {f"P{number:05d}" for number in range(1, len(cast.CAST) + 1)}
    decisions: list[tuple[UUID, str, str, str, Any]] = []
    for person in people:
        at = person["registered_on"] or now.date()
        chance = dice.random()
        if person["external_id"] in refusing or (person["external_id"] not in known and chance > 0.93):
            decisions.append((person["id"], "MARKETING", "any", "deny", at))
        elif person["external_id"] in known or chance < 0.64:
            decisions.append((person["id"], "MARKETING", "line", "permit", at))
            decisions.append((person["id"], "MARKETING", "email", "permit", at))
        if chance > 0.985:
            decisions.append((person["id"], "SURVEY", "any", "deny", at))
    sql.execute(
        """with given as (
               insert into consent_consent (patient_id, purpose, channel, decision, notice_id, source, evidence, decided_at)
               select d.patient_id, d.purpose, d.channel, d.decision, %(notice)s, 'paper', '初診基本資料表', d.at::timestamptz
                 from unnest(%(ids)s::uuid[], %(purposes)s::text[], %(channels)s::text[], %(decisions)s::text[], %(dates)s::date[])
                      as d(patient_id, purpose, channel, decision, at)
               on conflict do nothing
               returning id, patient_id, purpose, channel, decision, decided_at)
           insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, source, historical, payload)
           select case decision when 'permit' then 'consent.given' else 'consent.withdrawn' end, patient_id, decided_at, %(now)s,
                  'command', 'paper', true,
                  jsonb_build_object('consent_id', id, 'purpose', purpose, 'channel', channel, 'source', 'paper')
             from given""",
        {
            "notice": marketing, "now": now, "ids": [d[0] for d in decisions], "purposes": [d[1] for d in decisions],
            "channels": [d[2] for d in decisions], "decisions": [d[3] for d in decisions], "dates": [d[4] for d in decisions],
        },
    )  # fmt: skip
    record("consent.recorded_from_forms", details={"decisions": len(decisions)}, now=now)


def _habits(*, now: datetime) -> None:
    for number, one in enumerate(cast.CAST, start=1):
        for habit in one.habits:
            sql.execute(
                """insert into patients_health_note (patient_id, kind, code, text, recorded_at)
                   select id, 'HABIT', %s, '', %s from patients_patient where external_id = %s""",
                [habit, now, f"P{number:05d}"],
            )


def _connect_channels(*, now: datetime) -> None:
    """The sandbox phone plays every channel, so that nothing leaves this machine. What a start before this one connected stays."""
    if ChannelAccount.objects.exists():
        return
    for plays, name in (("line", "LINE（沙盒）"), ("sms", "簡訊（沙盒）"), ("email", "電子郵件（沙盒）")):
        channels.save_account(
            account_id=None, kind="sandbox", name=name, given={"plays": plays}, now=now, channel=plays
        )
