"""Every ready journey can be taken over and started."""

from datetime import timedelta

import pytest

from careloop.journeys import library, services
from careloop.journeys.definition import read
from careloop.journeys.models import Journey
from careloop.journeys.tests.support import NOW, open_line, person, run_all_due
from careloop.messaging.texts import library as templates


@pytest.mark.parametrize("key", sorted(library.ready_on(NOW.date())))
def test_a_ready_journey_becomes_a_draft_that_starts(organization, key):
    open_line()
    person()

    journey = library.take_over(key, by=None, now=NOW)

    assert services.preview(journey_id=journey.pk, now=NOW).problems == []
    services.start(journey_id=journey.pk, version=1, now=NOW, by=None)
    journey.refresh_from_db()
    run_all_due(journey, NOW + timedelta(days=1))
    assert (journey.state, journey.library_key) == ("ACTIVE", key)


def test_a_double_click_makes_one_draft(organization):
    from careloop.kernel.ids import uuid7

    form = uuid7()
    assert (
        library.take_over("recall", by=None, now=NOW, journey_id=form).pk
        == library.take_over("recall", by=None, now=NOW, journey_id=form).pk
    )
    assert Journey.objects.count() == 1


@pytest.mark.parametrize("ready", library._all(), ids=lambda ready: ready.key)
def test_names_and_texts_are_there_in_three_languages(ready):
    spoken = [ready.name, ready.description]
    spoken += [step[name] for step in ready.definition["steps"] for name in ("title", "script") if name in step]

    assert all(set(one) == {"zh-hant", "zh-hans", "en"} and all(one.values()) for one in spoken)


def test_ready_journeys_name_templates_of_the_library(organization):
    known = {one["key"] for one in templates()}

    for ready in library._all():
        definition = read(
            library.definition_of(ready) | {"trigger": {"kind": "event", "event": "patient.registered"}, "exits": {}}
        )
        assert set(definition.templates) <= known


def test_safety_care_and_greetings_hold_nobody_out():
    assert {ready.key for ready in library._all() if ready.definition["hold_out_percent"]} == {"recall", "lapsed"}
