"""Planning: who gets it, by which way, and why the others do not."""

from datetime import timedelta

import pytest

from careloop.consent import services as consent
from careloop.kernel import sql
from careloop.messaging import services, texts
from careloop.messaging.models import Message

from .support import account, patient


@pytest.fixture
def clinic(organization, now):
    texts.install_library(now=now)
    for channel in ("line", "sms", "email"):
        account(channel, now=now)
    return organization


def plan(patients, now, key="recall:1", template="recall", **more):
    return services.plan_many(template_key=template, patients=patients, key_prefix=key, due_at=now, now=now, **more)


def test_line_is_tried_before_sms_and_email_and_a_wish_before_all(clinic, now):
    everything = patient(line=True, phone=True, email=True, now=now)
    no_line = patient(phone=True, email=True, now=now)
    wants_mail = patient(line=True, email=True, preferred_channel="email", now=now)

    planned = plan([everything, no_line, wants_mail], now)

    assert planned.planned == 3
    assert planned.channels == {"line": 1, "sms": 1, "email": 1}
    assert Message.objects.get(patient_id=wants_mail).channel == "email"


def test_planning_again_under_the_same_key_changes_nothing(clinic, now):
    someone = patient(line=True, now=now)

    first, second = plan([someone], now), plan([someone], now)

    assert (first.planned, first.repeated) == (1, 0)
    assert (second.planned, second.repeated) == (0, 1)
    assert Message.objects.count() == 1


def test_who_cannot_get_it_is_recorded_with_the_reason(clinic, now):
    nobody_there = patient(now=now)
    dead_line = patient(line=True, reach="blocked", now=now)
    died = patient(line=True, deceased=True, now=now)
    refused = patient(line=True, now=now)
    consent.withdraw(patient_id=refused, purpose="CARE", source="desk", now=now, by=None)

    planned = plan([nobody_there, dead_line, died, refused], now)

    assert planned.planned == 0
    assert planned.blocked == {"no_contact": 1, "unreachable": 1, "deceased": 1, "consent_refused": 1}
    assert Message.objects.get(patient_id=refused).state == "blocked"


def test_marketing_needs_a_yes_and_stops_at_the_cap(clinic, now):
    silent, agreed = patient(line=True, now=now), patient(line=True, now=now)
    consent.give(patient_id=agreed, purpose="MARKETING", source="desk", now=now, by=None)

    counts = [
        plan([silent, agreed], now, key=f"news:{n}", template="clinic-news", params={"text": "週六也看診"})
        for n in range(3)
    ]

    assert [one.planned for one in counts] == [1, 1, 0]
    assert counts[2].blocked == {"consent_missing": 1, "cap": 1}


def test_a_refusal_of_one_channel_moves_the_message_to_another(clinic, now):
    someone = patient(line=True, email=True, now=now)
    consent.withdraw(patient_id=someone, purpose="CARE", channel="line", source="desk", now=now, by=None)

    assert plan([someone], now).channels == {"email": 1}


def test_a_child_is_reached_through_the_guardian(clinic, now):
    mother = patient(line=True, now=now)
    child = patient(guardian=mother, now=now)

    assert plan([child], now).channels == {"line": 1}
    message = Message.objects.get(patient_id=child)
    assert message.related_person_id is not None
    assert message.contact_point.patient_id == mother


def test_a_family_on_one_phone_gets_news_once(clinic, now):
    one, other = patient(phone="0912345678", now=now), patient(phone="0912345678", now=now)
    for person in (one, other):
        consent.give(patient_id=person, purpose="MARKETING", source="desk", now=now, by=None)

    planned = plan([one, other], now, template="clinic-news", params={"text": "週六也看診"})

    assert planned.planned == 1
    assert planned.blocked == {"same_address": 1}


def test_quiet_hours_delay_until_the_morning(clinic, now):
    late = now.replace(hour=14, minute=30)  # 22:30 in Taipei
    someone = patient(line=True, now=now)

    planned = plan([someone], late)

    message = Message.objects.get(patient_id=someone)
    assert planned.delayed == 1
    assert message.due_at == now.replace(hour=0) + timedelta(days=1)
    assert message.details["delay"] == "quiet_hours"


def test_a_missing_value_blocks_instead_of_sending_half_a_text(clinic, now):
    someone = patient(line=True, now=now)

    planned = plan([someone], now, template="refill-window", params={"due_date": "2026-03-20"})

    assert planned.blocked == {"missing_variable": 1}
    assert Message.objects.get().details == {"missing": ["until_date"]}


def test_the_budget_of_the_month_is_kept(clinic, now):
    from careloop.messaging.models import ChannelAccount

    ChannelAccount.objects.filter(channel="line").update(monthly_budget=2)
    people = [patient(line=True, now=now) for _ in range(4)]

    assert plan(people, now).blocked == {"budget": 2}


def test_a_forecast_says_the_same_and_writes_nothing(clinic, now):
    people = [patient(line=True, now=now), patient(now=now)]

    outlook = services.forecast(template_key="recall", patients=people, due_at=now, now=now)

    assert (outlook.planned, outlook.blocked) == (1, {"no_contact": 1})
    assert not Message.objects.exists()


def test_an_audience_may_bring_its_own_keys_dates_and_values(clinic, now):
    someone = patient(line=True, now=now)
    audience = services.Audience(
        "select %(who)s::uuid as patient_id, 'journey:e1:s2' as key, %(when)s::timestamptz as due_at, "
        """'{"due_date": "2026-03-20", "until_date": "2026-03-27"}'::jsonb as params, 'e1' as origin_id""",
        {"who": someone, "when": now + timedelta(days=1)},
        frozenset({"key", "due_at", "params", "origin_id"}),
    )

    plan(audience, now, template="refill-window", origin="journey")

    message = Message.objects.get(key="journey:e1:s2")
    assert (message.state, message.origin, message.origin_id) == ("planned", "journey", "e1")
    assert message.due_at == now + timedelta(days=1)


def test_cancelling_by_origin_stops_what_has_not_left(clinic, now):
    people = [patient(line=True, now=now) for _ in range(2)]
    plan(people, now, origin="journey", origin_id="e7")

    assert services.cancel(origin="journey", origin_ids=["e7"], reason="journey_left", now=now) == 2
    assert services.cancel(origin="journey", origin_ids=["e7"], reason="journey_left", now=now) == 0
    assert set(Message.objects.values_list("state", flat=True)) == {"cancelled"}


def test_the_consent_rules_in_sql_are_those_in_words(clinic, now):
    """Planning, `rules.consent_reason` and the consent slice's own SQL agree on every combination."""
    from itertools import product

    from careloop.consent.selectors import allowed_among
    from careloop.messaging.rules import consent_reason

    people = {}
    for decisions in product(("", "permit", "deny"), repeat=4):
        someone = patient(line=True, now=now)
        people[someone] = decisions
        for (purpose, channel), decision in zip(
            product(("CARE", "MARKETING"), ("any", "line")), decisions, strict=True
        ):
            if decision:
                from careloop.consent.models import Consent

                Consent.objects.create(
                    patient_id=someone,
                    purpose=purpose,
                    channel=channel,
                    decision=decision,
                    source="desk",
                    decided_at=now,
                )
    for template, klass, at in (("recall", "CARE", 0), ("clinic-news", "MARKETING", 2)):
        plan(list(people), now, key=f"all:{klass}", template=template, params={"text": "週六也看診"})
        allowed = allowed_among(people, klass, "line")
        for someone, decisions in people.items():
            given = dict(zip(("any", "line"), decisions[at : at + 2], strict=True))
            reason = consent_reason(
                klass, "line", permits=[c for c, d in given.items() if d == "permit"],
                denials=[c for c, d in given.items() if d == "deny"],
            )  # fmt: skip
            message = Message.objects.get(key=f"all:{klass}:{someone}")
            assert message.reason == reason, decisions
            assert (someone in allowed) == (reason == ""), decisions


def test_the_planner_of_queries_knows_of_an_outbox_that_has_grown(clinic, now):
    someone = patient(line=True, now=now)
    many = services.Audience(
        "select %(someone)s::uuid as patient_id, 'many:' || n as key from generate_series(1, 600) as n",
        {"someone": someone},
        frozenset({"key"}),
    )

    assert plan(many, now).planned == 600

    known = sql.value("select reltuples from pg_class where oid = 'messaging_message'::regclass")
    assert known * 3 > 600
