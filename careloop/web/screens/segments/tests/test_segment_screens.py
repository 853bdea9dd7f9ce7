"""The segments' pages: a walk, refusals, strangers, and a builder that works without JavaScript."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from careloop.accounts.models import Membership
from careloop.audit.models import AuditEvent
from careloop.facts import services as facts
from careloop.patients.models import Patient
from careloop.segments import services
from careloop.segments.models import Segment
from careloop.segments.tests import support
from careloop.tenancy.models import Location
from careloop.web.screens.segments import draft

AWAY = {"field": "last_visit", "op": "more_than_days_ago", "days": 90}
DIABETES = {"field": "condition", "op": "has", "codes": ["set:diabetes"]}


@pytest.fixture
def away(organization, now):
    from django.utils import timezone

    patient = support.a_patient(name="林美玲", chart_number="A001")
    support.visit(patient, timezone.now() - timedelta(days=200))
    facts.refresh([patient.id], now=timezone.now())
    return patient


def saved(rule=AWAY, **more) -> Segment:
    from django.utils import timezone

    return services.create_segment(
        **{"name": "好久不見", "rule": rule, "purpose": "CARE", "by": None, "now": timezone.now(), **more}
    )


def form(**more) -> dict:
    return {
        "name": "好久不見", "purpose": "CARE", "version": "0", "j:r": "all", "f:r-0": "last_visit",
        "was:r-0": "last_visit", "o:r-0": "more_than_days_ago", "v:r-0:days": "90", **more,
    }  # fmt: skip


# -- the walk -------------------------------------------------------------------------------------------------


def test_a_segment_is_built_saved_looked_at_and_put_away(client_for, away):
    client = client_for("nurse")

    assert client.get(reverse("segments:list")).status_code == 200
    assert client.get(reverse("segments:new")).status_code == 200
    answer = client.post(reverse("segments:new"), form(do="save"))
    segment = Segment.objects.get()
    assert answer.status_code == 303
    assert segment.rule == {"all": [AWAY]}

    page = client.get(reverse("segments:page", args=[segment.id])).content.decode()
    assert "林美玲" in page
    why = client.get(reverse("segments:why", args=[segment.id, away.id])).content.decode()
    assert "林美玲" in why
    assert "is-yes" in why
    assert client.get(reverse("segments:archive", args=[segment.id])).status_code == 200
    assert client.post(reverse("segments:archive", args=[segment.id])).status_code == 303
    assert client.get(reverse("segments:list") + "?archived=1").content.decode().count("好久不見") == 1
    client.post(reverse("segments:restore", args=[segment.id]))
    segment.refresh_from_db()
    assert (segment.archived_at, segment.size) == (None, 1)


def test_rows_and_groups_come_and_go_by_plain_posts(client_for):
    client = client_for("nurse")
    url = reverse("segments:new")

    page = client.post(url, form(do="add:r")).content.decode()
    assert 'name="f:r-1"' in page
    page = client.post(url, form(do="group:r")).content.decode()
    assert 'name="j:r-1"' in page
    assert 'name="f:r-1-0"' in page
    page = client.post(url, form(**{"f:r-1": "visits", "o:r-1": "at_least", "v:r-1:count": "3", "do": "remove:r-0"}))
    assert 'name="f:r-0"' in page.content.decode()
    assert 'value="3"' in page.content.decode()
    assert 'name="f:r-1"' not in page.content.decode()
    assert not Segment.objects.exists()


def test_choosing_another_field_forgets_the_operator_of_the_one_before(client_for):
    page = (
        client_for("nurse").post(reverse("segments:new"), form(**{"f:r-0": "visits", "do": "update"})).content.decode()
    )

    assert 'value="at_least"' in page
    assert "more_than_days_ago" not in page


def test_htmx_gets_the_rule_and_the_preview_alone(client_for, away):
    client = client_for("nurse")
    rule = client.post(reverse("segments:new"), form(do="add:r"), headers={"HX-Request": "true"})
    assert rule.content.decode().lstrip().startswith('<section class="card" id="segment-rule"')
    assert rule.headers["HX-Trigger-After-Settle"] == "segment-rule-changed"

    preview = client.post(reverse("segments:preview"), form(), headers={"HX-Request": "true"}).content.decode()
    assert 'id="segment-preview"' in preview
    assert "林美玲" in preview
    assert "<html" not in preview


def test_a_wrong_value_is_shown_where_it_stands(client_for):
    answer = client_for("nurse").post(reverse("segments:new"), form(**{"v:r-0:days": "soon", "do": "save"}))

    assert answer.status_code == 422
    page = answer.content.decode()
    assert page.index('name="v:r-0:days"') < page.index("Enter a whole number")
    assert 'value="soon"' in page
    assert not Segment.objects.exists()


def test_a_rule_survives_the_form_unchanged(organization):
    rules = [
        {"all": [AWAY, {"any": [DIABETES, {"field": "self_pay_12m", "op": "at_least", "amount": 10_000}]}]},
        {"not": {"any": [{"field": "sex", "op": "is_any", "values": ["male", "female"]}]}},
        {"any": [{"field": "birthday", "op": "this_week"},
                 {"field": "consent", "op": "given", "purpose": "MARKETING", "channel": "line"},
                 {"field": "age", "op": "between", "from": 40, "to": 64},
                 {"field": "last_visit", "op": "before", "day": "2026-01-31"}]},
    ]  # fmt: skip
    for rule in rules:
        assert draft.rule_of(draft.from_rule(rule, currency="TWD"))[0] == rule


def test_nonsense_in_the_form_breaks_nothing(client_for):
    client = client_for("nurse")
    nasty = {
        "j:r": "maybe", "f:r-0": "<script>", "o:r-99999": "x", "f:r-0-0-0-0-0-0-0-0-0-0": "x", "v:r-7:a": "1",
        "j:zzz": "all", "f:": "x", "do": "remove:r-42", "version": "²", "purpose": "EVIL",
    }  # fmt: skip
    for action in ("remove:r-42", "add:r-9", "group:zzz", "remove:r", "save", ""):
        answer = client.post(reverse("segments:new"), {**nasty, "do": action})
        assert answer.status_code in (200, 422)
        assert "<script>" not in answer.content.decode().replace("<script src", "").replace("<script type", "")


# -- the law and who may ---------------------------------------------------------------------------------------


def test_marketing_on_a_diagnosis_is_refused_by_the_rules_name_and_kept_in_the_form(client_for):
    given = form(**{
        "purpose": "MARKETING", "f:r-0": "condition", "was:r-0": "condition", "o:r-0": "has",
        "v:r-0:codes": "set:diabetes",
    })  # fmt: skip
    client = client_for("marketing")

    answer = client.post(reverse("segments:new"), {**given, "do": "save"})

    assert answer.status_code == 422
    assert "P1" in answer.content.decode()
    assert "set:diabetes" in answer.content.decode()
    assert "P1" in client.post(reverse("segments:preview"), given).content.decode()
    assert (
        client.post(reverse("segments:new"), {**given, "needs_written_consent": "on", "do": "save"}).status_code == 303
    )
    assert Segment.objects.get().needs_written_consent


def test_marketing_sees_how_many_but_not_who_is_in_a_segment_about_health(client_for, away, now):
    support.condition(away, "E11.9", now)
    segment = saved(DIABETES)
    assert segment.size == 1
    client = client_for("marketing")

    page = client.get(reverse("segments:page", args=[segment.id])).content.decode()

    assert "林美玲" not in page
    assert client.get(reverse("segments:why", args=[segment.id, away.id])).status_code == 403
    assert "林美玲" in client_for("nurse").get(reverse("segments:page", args=[segment.id])).content.decode()


def test_the_front_desk_sees_whom_to_call_but_not_what_stands_in_records(client_for, away, now):
    support.condition(away, "E11.9", now)
    segment = saved(DIABETES)
    client = client_for("front_desk")

    assert "林美玲" in client.get(reverse("segments:page", args=[segment.id])).content.decode()
    why = client.get(reverse("segments:why", args=[segment.id, away.id])).content.decode()
    assert "is-yes" in why
    assert "last time:" not in why


def test_reading_members_leaves_one_note_for_a_page(client_for, away):
    segment = saved()
    client = client_for("nurse")
    before = AuditEvent.objects.filter(action="segment.members_listed").count()

    client.get(reverse("segments:page", args=[segment.id]))

    notes = AuditEvent.objects.filter(action="segment.members_listed")
    assert notes.count() == before + 1
    assert notes.latest("id").patients == [away.id]


def test_a_stranger_and_another_clinic_find_nothing(client, client_for, away, other_organization, member_of):
    segment = saved()
    address = reverse("segments:page", args=[segment.id])
    assert client.get(address).status_code == 302

    from careloop.tenancy import context

    token = context._scope.set(context.Scope(other_organization.id))
    context.set_organization(other_organization.id)
    stranger = member_of("owner")
    context._scope.reset(token)
    context.set_organization(segment.organization_id)
    client.force_login(stranger, backend="careloop.accounts.recognizing.Backend")
    for name, arguments in (
        ("page", [segment.id]), ("edit", [segment.id]), ("archive", [segment.id]), ("why", [segment.id, away.id]),
    ):  # fmt: skip
        assert client.get(reverse(f"segments:{name}", args=arguments)).status_code == 404, name
    assert "好久不見" not in client.get(reverse("segments:list")).content.decode()


@pytest.mark.parametrize("role", ["it", "privacy_officer"])
def test_who_has_no_business_with_segments_is_turned_away(client_for, role):
    assert client_for(role).get(reverse("segments:list")).status_code == 403


# -- library, size ---------------------------------------------------------------------------------------------


def test_a_ready_segment_is_shown_with_its_number_and_taken_over_once(client_for, away):
    client = client_for("nurse", language="zh-hant")

    assert client.get(reverse("segments:library")).content.decode().count('class="card"') >= 12
    assert client.get(reverse("segments:ready", args=["lapsed"])).status_code == 200
    count = client.get(
        reverse("segments:ready_count", args=["lapsed"]), headers={"HX-Request": "true"}
    ).content.decode()
    assert re.search(r"<strong>\d+</strong>", count)
    for _number in range(2):
        assert client.post(reverse("segments:ready", args=["lapsed"])).status_code == 303
    assert Segment.objects.filter(library_key="lapsed").count() == 1
    assert client.get(reverse("segments:ready", args=["nothing"])).status_code == 404


def test_the_number_of_statements_does_not_grow_with_members(client_for, organization, django_assert_max_num_queries):
    from django.utils import timezone

    patients = [support.a_patient(name=f"病人{number:02d}") for number in range(60)]
    facts.refresh([patient.id for patient in patients], now=timezone.now())
    segment = saved({"field": "last_visit", "op": "never"})
    client = client_for("nurse")

    with django_assert_max_num_queries(22):
        page = client.get(reverse("segments:page", args=[segment.id]))

    assert page.content.decode().count('scope="row"') == 50
    following = re.search(r'rel="next" href="([^"]+)"', page.content.decode()).group(1).replace("&amp;", "&")
    assert (
        client.get(reverse("segments:page", args=[segment.id]) + following).content.decode().count('scope="row"') == 10
    )


def test_the_list_makes_few_statements(client_for, organization, django_assert_max_num_queries):
    for number in range(12):
        saved(name=f"分群{number}")
    client = client_for("nurse")
    with django_assert_max_num_queries(12):
        assert client.get(reverse("segments:list")).status_code == 200


def test_a_member_limited_to_other_locations_sees_no_member_and_no_sample(client_for, away):
    from django.utils import timezone

    branch = Location.objects.create(name="板橋分院")
    client = client_for("nurse")
    Membership.objects.get(user=client.user).location_limits.create(location=branch)
    segment = saved()

    assert "林美玲" not in client.get(reverse("segments:page", args=[segment.id])).content.decode()
    assert "林美玲" not in client.post(reverse("segments:preview"), form()).content.decode()
    Patient.objects.filter(pk=away.pk).update(home_location=branch)
    facts.refresh([away.id], now=timezone.now())
    assert "林美玲" in client.get(reverse("segments:page", args=[segment.id])).content.decode()
    assert "林美玲" in client.post(reverse("segments:preview"), form()).content.decode()
