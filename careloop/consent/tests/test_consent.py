"""What people agreed to decides who may be contacted."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careloop.consent import errors, privacy, selectors, services
from careloop.consent.models import Consent, ConsentChannel, Notice
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients.tests import make

CLASSES = ("OPERATIONAL", "CARE", "EDUCATION", "SURVEY", "MARKETING")


@pytest.fixture
def patient(organization):
    return make.patient()


def may(patient_id, message_class, channel="line", **more) -> bool:
    """Ask both forms of the rule, and insist that they agree."""
    in_sql = selectors.allowed_among([patient_id], message_class, channel, **more) == {patient_id}
    assert selectors.explain(patient_id, message_class, channel, **more).allowed is in_sql
    return in_sql


def give(patient_id, purpose, now, channel="any", source="paper", **more):
    return services.give(
        patient_id=patient_id, purpose=purpose, channel=channel, source=source, now=now, by=None, **more
    )


def withdraw(patient_id, purpose, now, channel="any", source="keyword"):
    return services.withdraw(patient_id=patient_id, purpose=purpose, channel=channel, source=source, now=now, by=None)


def test_care_needs_no_agreement_and_marketing_does(patient):
    assert [may(patient, one) for one in CLASSES] == [True, True, True, True, False]
    assert [reason.rule for reason in selectors.explain(patient, "MARKETING", "line").reasons] == ["P3"]


def test_an_agreement_to_care_is_no_agreement_to_marketing(patient, now):
    give(patient, "CARE", now)

    assert not may(patient, "MARKETING")


def test_an_agreement_on_one_channel_counts_there_only(patient, now):
    give(patient, "MARKETING", now, channel="line")

    assert (may(patient, "MARKETING", "line"), may(patient, "MARKETING", "email")) == (True, False)


def test_an_opt_out_stops_marketing_on_every_channel_at_once_and_care_goes_on(patient, now):
    give(patient, "MARKETING", now)
    give(patient, "MARKETING", now, channel="line")

    withdraw(patient, "MARKETING", now)

    assert not any(may(patient, "MARKETING", channel) for channel in ("line", "sms", "email"))
    assert may(patient, "CARE")
    assert [reason.rule for reason in selectors.explain(patient, "MARKETING", "line").reasons] == ["P5"]


def test_a_refusal_on_one_channel_wins_over_an_agreement_for_all(patient, now):
    give(patient, "MARKETING", now)
    withdraw(patient, "MARKETING", now, channel="line")

    assert (may(patient, "MARKETING", "line"), may(patient, "MARKETING", "email")) == (False, True)


def test_agreeing_on_line_after_refusing_everything_leaves_the_rest_refused(patient, now):
    withdraw(patient, "CARE", now)
    give(patient, "CARE", now, channel="line")

    assert (may(patient, "CARE", "line"), may(patient, "CARE", "sms"), may(patient, "CARE", "phone")) == (
        True,
        False,
        False,
    )


def test_offers_chosen_by_health_data_need_it_in_writing(patient, now):
    give(patient, "MARKETING", now)
    assert not may(patient, "MARKETING", reads_health=True)
    assert selectors.explain(patient, "MARKETING", "line", reads_health=True).reasons[0].rule == "P1"

    with pytest.raises(errors.WrittenConsentNeeded):
        give(patient, "HEALTH_MARKETING", now, source="phone")
    give(patient, "HEALTH_MARKETING", now)

    assert may(patient, "MARKETING", reads_health=True)
    withdraw(patient, "HEALTH_MARKETING", now)
    assert not may(patient, "MARKETING", reads_health=True)
    assert may(patient, "MARKETING")


def test_one_person_opts_out_and_the_family_on_the_same_phone_does_not(organization, now):
    mother, son = make.patient("陳媽媽", phone="0912345678"), make.patient("陳小寶", phone="0912345678")
    give(mother, "MARKETING", now)
    give(son, "MARKETING", now)

    withdraw(son, "MARKETING", now)

    assert (may(mother, "MARKETING"), may(son, "MARKETING")) == (True, False)


def test_a_double_click_makes_one_decision(patient, now):
    first = give(patient, "MARKETING", now)

    assert give(patient, "MARKETING", now).id == first.id
    assert withdraw(patient, "MARKETING", now).id == withdraw(patient, "MARKETING", now).id
    assert Consent.objects.count() == 2


def test_better_proof_and_a_newer_text_are_recorded(patient, now):
    first = give(patient, "MARKETING", now, source="desk")
    second = give(patient, "MARKETING", now + timedelta(days=1), source="paper")

    assert first.id != second.id
    assert [(row["source"], row["ended_at"] is None) for row in selectors.history(patient)] == [
        ("paper", True),
        ("desk", False),
    ]


def test_decisions_are_on_the_event_log(patient, now):
    give(patient, "MARKETING", now, channel="line")
    withdraw(patient, "MARKETING", now)

    found = sql.rows("select kind, payload from events_event where kind like 'consent.%%' order by id", [])
    assert [(row["kind"], row["payload"]["purpose"], row["payload"]["channel"]) for row in found] == [
        ("consent.given", "MARKETING", "line"), ("consent.withdrawn", "MARKETING", "any"),
    ]  # fmt: skip


def test_a_stranger_cannot_decide(organization, now):
    with pytest.raises(errors.UnknownPatient):
        give(uuid7(), "CARE", now)


STEPS = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from(["CARE", "SURVEY", "MARKETING", "HEALTH_MARKETING"]), st.sampled_from(["any", "line", "email"])
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=40)
@given(steps=STEPS)
def test_the_sql_and_the_words_never_disagree_whatever_happened(organization, now, steps):
    patient_id = make.patient()
    for is_yes, purpose, channel in steps:
        (give if is_yes else withdraw)(patient_id, purpose, now, channel=channel, source="paper")

    for message_class, channel, reads_health in product(CLASSES, ("line", "email", "sms"), (False, True)):
        may(patient_id, message_class, channel, reads_health=reads_health)
    in_force = selectors.in_force(patient_id)
    assert len({(one["purpose"], one["channel"]) for one in in_force}) == len(in_force)
    # the last word on a channel counts, unless everything is refused
    if steps and not steps[-1][0]:
        _no, purpose, channel = steps[-1]
        message_class = {"CARE": "CARE", "SURVEY": "SURVEY", "MARKETING": "MARKETING"}.get(purpose)
        if message_class:
            assert not may(patient_id, message_class, "line" if channel == "any" else channel)


def test_every_channel_has_a_condition(patient):
    for channel in [*ConsentChannel.values, ""]:
        for message_class in CLASSES:
            may(patient, message_class, channel)
    with pytest.raises(ValueError):
        selectors.allowed_sql("MARKETING", "pigeon")
    with pytest.raises(ValueError):
        selectors.allowed_sql("SPAM", "line")


# -- notices ----------------------------------------------------------------------------------------------------

TEXTS = {language: {"title": "告知", "body": "本診所蒐集…"} for language in services.LANGUAGES}


def test_a_published_text_is_never_changed_and_a_new_version_takes_its_place(organization, now):
    first = services.draft_notice(texts=TEXTS, now=now, by=None)
    services.publish_notice(notice_id=first.id, now=now, by=None)

    with pytest.raises(errors.NoticePublished):
        services.draft_notice(notice_id=first.id, texts={}, now=now, by=None)
    second = services.draft_notice(texts=TEXTS | {"en": {"title": "Notice", "body": "We collect …"}}, now=now, by=None)

    assert selectors.current_notice()["version"] == 1
    services.publish_notice(notice_id=second.id, now=now, by=None)
    assert selectors.current_notice()["version"] == 2
    assert Notice.objects.get(id=first.id).text_hash != Notice.objects.get(id=second.id).text_hash


def test_a_text_is_published_in_all_languages_or_not_at_all(organization, now):
    notice = services.draft_notice(texts={"zh-hant": TEXTS["zh-hant"]}, now=now, by=None)

    with pytest.raises(errors.NoticeIncomplete) as refusal:
        services.publish_notice(notice_id=notice.id, now=now, by=None)
    assert refusal.value.details == {"languages": "zh-hans, en"}


def test_a_notice_is_shown_once_per_version(patient, now):
    with pytest.raises(errors.NoPublishedNotice):
        services.record_notice_shown(patient_id=patient, how="desk", now=now, by=None)
    services.publish_notice(notice_id=services.draft_notice(texts=TEXTS, now=now, by=None).id, now=now, by=None)
    assert not selectors.has_seen_notice(patient)

    for _twice in range(2):
        services.record_notice_shown(patient_id=patient, how="desk", now=now, by=None)

    assert selectors.has_seen_notice(patient)
    assert sql.value("select count(*) from consent_notice_shown") == 1
    assert privacy.export(patient)["notices_shown"][0]["version"] == 1
