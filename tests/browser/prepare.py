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
        }
        print(json.dumps(known | _places(organization_id, recall.pk), default=str))


def open_for_booking(now: Any) -> None:
    """Two services that patients can book on their own page: one by time, one by number."""
    from datetime import timedelta

    from careloop.records.models import Practitioner
    from careloop.scheduling.models import Resource, Service, ServicePractitioner, Session
    from careloop.tenancy.models import Location

    location = Location.objects.filter(is_active=True).order_by("pk")[0]
    by_time, by_number = Practitioner.objects.order_by("pk")[:2]
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
    lin = Patient.objects.get(name="林淑芬")
    phone = next(one.value for one in contact_values([lin.pk], "phone")[lin.pk])
    return {
        "line_id": contact_values([lin.pk], "line")[lin.pk][0].value,
        "patient": lin.pk, "chart_number": lin.chart_number, "last_three": phone[-3:],
        "phone_number": "0" + phone.removeprefix("+886"), "birth_date": lin.birth_date,
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
