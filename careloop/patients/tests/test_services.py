"""Registering and changing patients."""

from datetime import UTC, date, datetime, timedelta

import pytest

from careloop.audit.services import write_notes
from careloop.kernel import sql
from careloop.kernel.ids import uuid7
from careloop.patients import errors, privacy, sealing, selectors, services
from careloop.patients.models import ContactPoint, Patient, PatientTag
from careloop.patients.services import NewContact, NewIdentifier
from careloop.patients.tests import make


def kinds() -> list[str]:
    return [row["kind"] for row in sql.rows("select kind from events_event order by id")]


def register(now, **changes):
    given = {
        "details": {"name": "王小明", "birth_date": date(1990, 3, 5)}, "contacts": [NewContact("phone", "0912-345-678", "mobile")],
        "identifiers": [NewIdentifier("national_id", "A123456789")], "idempotency_key": uuid7(), "by": None,
    }  # fmt: skip
    return services.register(**(given | changes), now=now)


def test_sending_the_registration_twice_makes_one_patient(organization, now):
    key = uuid7()

    first = register(now, idempotency_key=key)
    second = register(now, idempotency_key=key)

    assert (first.patient_id, first.is_new, second.patient_id, second.is_new) == (key, True, key, False)
    assert kinds() == ["contact_point.added", "patient.registered"]
    assert Patient.objects.get().sex == "male", "the national id says so"


def test_a_registration_leaves_an_audit_note_with_the_patient(organization, now):
    patient_id = register(now).patient_id
    write_notes()

    note = sql.row("select action, patients from audit_event order by number desc limit 1")

    assert (note["action"], note["patients"]) == ("patient.registered", [patient_id])


def test_a_wrong_check_digit_is_kept_with_a_warning(organization, now):
    done = register(now, identifiers=[NewIdentifier("national_id", "A123456788")])

    assert done.warnings == ["identifier.check_digit"]
    [secret] = [one for one in selectors.secrets_of(done.patient_id) if one.kind == "national_id"]
    assert (secret.masked, secret.warning, secret.value) == ("A12****788", "identifier.check_digit", "")


def test_an_unreadable_phone_is_kept_as_typed_with_a_warning(organization, now):
    done = register(now, contacts=[NewContact("phone", "問媽媽 1234")])

    assert done.warnings == ["phone.invalid"]
    [contact] = sealing.contact_values([done.patient_id], "phone")[done.patient_id]
    assert contact.value == "問媽媽 1234"


def test_somebody_with_the_same_national_id_is_pointed_out_before_a_second_record_is_made(organization, now):
    first = register(now)

    with pytest.raises(errors.PossibleDuplicate) as refusal:
        register(now, details={"name": "另一人"}, contacts=[])

    assert refusal.value.details["patients"] == [str(first.patient_id)]
    assert register(now, even_if_similar=True).is_new


def test_the_same_phone_and_birth_date_look_alike_and_a_shared_family_phone_does_not(organization, now):
    register(now)

    with pytest.raises(errors.PossibleDuplicate):
        register(now, details={"name": "王曉明", "birth_date": date(1990, 3, 5)}, identifiers=[])
    assert register(now, details={"name": "王媽媽", "birth_date": date(1962, 8, 1)}, identifiers=[]).is_new


def test_a_chart_number_belongs_to_one_patient(organization, now):
    make.patient(chart_number="A001")

    with pytest.raises(errors.ChartNumberTaken):
        make.patient("李大華", chart_number="A001")
    assert Patient.objects.count() == 1


@pytest.mark.parametrize(
    ("details", "refusal"),
    [
        ({"name": "  "}, errors.NameMissing),
        ({"name": "王小明", "birth_date": date(2026, 3, 17)}, errors.BirthInFuture),
        ({"name": "王小明", "organization_id": "x"}, errors.UnknownField),
    ],
)
def test_what_is_refused_writes_nothing(organization, now, details, refusal):
    with pytest.raises(refusal):
        register(now, details=details)

    assert not Patient.objects.exists()


def test_two_people_changing_the_same_record_do_not_overwrite_each_other(organization, now):
    patient_id = make.patient()
    version = Patient.objects.get().version
    services.update(patient_id=patient_id, changes={"city": "臺北市"}, version=version, now=now, by=None)

    with pytest.raises(errors.ChangedMeanwhile):
        services.update(patient_id=patient_id, changes={"city": "新北市"}, version=version, now=now, by=None)

    assert Patient.objects.get().city == "臺北市"


def test_changing_nothing_leaves_no_trace(organization, now):
    patient_id = make.patient()
    before = kinds()

    assert services.update(patient_id=patient_id, changes={"name": "王小明"}, version=1, now=now, by=None) == []
    assert kinds() == before


def test_a_new_name_is_found_and_the_address_is_sealed(organization, now):
    patient_id = make.patient()

    changed = services.update(
        patient_id=patient_id,
        changes={"name": "王大同", "address": "臺北市大安區和平東路一段278號"},
        version=1,
        now=now,
        by=None,
    )

    assert sorted(changed) == ["address", "name"]
    assert [one.id for one in selectors.search("大同", today=now.date())] == [patient_id]
    assert selectors.address_of(patient_id) == "臺北市大安區和平東路一段278號"
    assert b"278" not in bytes(Patient.objects.get().address_sealed)


def test_a_contact_that_is_there_is_not_added_again(organization, now):
    patient_id = make.patient(phone="0912345678")

    again = services.add_contact_point(
        patient_id=patient_id, system="phone", text="+886 912 345 678", verified=True, now=now, by=None
    )

    assert ContactPoint.objects.count() == 1
    assert again.verified_at == now


def test_a_corrected_number_is_neither_verified_nor_tried(organization, now):
    patient_id = make.patient(phone="0912345678")
    row = ContactPoint.objects.get()
    services.set_reach(contact_point_ids=[row.id], reach="reached", now=now)

    services.change_contact_point(contact_point_id=row.id, text="0987-654-321", now=now, by=None)

    row.refresh_from_db()
    assert (row.reach, row.verified_at) == ("unknown", None)
    assert [one.id for one in selectors.search("321", today=now.date())] == [patient_id]
    assert selectors.search("678", today=now.date()) == []


def test_reach_changes_once_for_a_whole_batch(organization, now):
    people = [make.patient(f"病人{n}", phone=f"09120000{n:02}") for n in range(5)]
    ids = list(ContactPoint.objects.values_list("id", flat=True))

    assert services.set_reach(contact_point_ids=ids, reach="bounced", now=now) == len(people)
    assert services.set_reach(contact_point_ids=ids, reach="bounced", now=now) == 0
    assert kinds().count("contact_point.reach_changed") == len(people)


def test_a_blocked_number_is_used_last(organization, now):
    patient_id = make.patient(phone="0912345678")
    first = ContactPoint.objects.get()
    services.add_contact_point(patient_id=patient_id, system="phone", text="0987654321", now=now, by=None)

    services.set_reach(contact_point_ids=[first.id], reach="blocked", now=now)

    assert [one.value for one in sealing.contact_values([patient_id], "phone")[patient_id]] == [
        "+886987654321",
        "+886912345678",
    ]


def test_an_extension_is_kept_beside_the_number(organization, now):
    patient_id = make.patient(phone="02-2345-6789 分機 123")

    [value] = sealing.contact_values([patient_id])[patient_id]

    assert (value.value, value.extension, value.is_mobile) == ("+886223456789", "123", False)


def test_tags_are_given_and_taken_in_one_statement_each(organization, now, django_assert_num_queries):
    tag = services.create_tag(name="糖尿病", now=now, by=None)
    people = [make.patient(f"病人{n}") for n in range(30)]

    with django_assert_num_queries(4):  # tag, savepoint, statement, release
        assert services.give_tag(patient_ids=people, tag_id=tag.id, now=now, by=None, rule="segment:1") == 30
    assert services.give_tag(patient_ids=people, tag_id=tag.id, now=now, by=None) == 0
    assert services.remove_tag(patient_ids=people[:10], tag_id=tag.id, now=now, by=None) == 10
    assert PatientTag.objects.count() == 20
    assert (kinds().count("patient.tagged"), kinds().count("patient.untagged")) == (30, 10)


def test_a_tag_keeps_its_name_and_number(organization, now):
    first = services.create_tag(name="VIP", now=now, by=None)
    second = services.create_tag(name="牙周病", now=now, by=None)

    assert services.create_tag(name=" VIP ", now=now, by=None).id == first.id
    assert (first.number, second.number) == (1, 2)
    with pytest.raises(errors.TagNameMissing):
        services.create_tag(name="", now=now, by=None)


def test_a_guardian_who_is_a_patient_acts_for_the_child(organization, now):
    mother, child = (
        make.patient("陳媽媽", birth_date=date(1988, 1, 1)),
        make.patient("陳小寶", birth_date=date(2020, 5, 5)),
    )

    services.save_related_person(
        patient_id=child, related_person_id=uuid7(), name="", relationship="MTH", relative_id=mother, is_guardian=True,
        phone="0912345678", now=now, by=None,
    )  # fmt: skip

    assert selectors.guardians_of([child, mother]) == {child: [mother]}
    assert [(row["name"], row["is_reverse"]) for row in selectors.family_of(child)] == [("陳媽媽", False)]
    assert [(row["name"], row["is_reverse"]) for row in selectors.family_of(mother)] == [("陳小寶", True)]
    with pytest.raises(errors.OwnRelative):
        services.save_related_person(
            patient_id=child, related_person_id=uuid7(), name="x", relative_id=child, now=now, by=None
        )


def test_health_notes_are_added_once_and_ended_once(organization, now):
    patient_id, key = make.patient(), uuid7()
    for _twice in range(2):
        services.add_health_note(
            patient_id=patient_id, note_id=key, kind="HABIT", code="SMOKING", text="每天一包", now=now, by=None
        )
        services.end_health_note(note_id=key, ended_on=now.date(), now=now, by=None)

    assert kinds().count("patient.updated") == 2


def test_everything_is_exported_and_nothing_is_left_after_erasure(organization, now):
    patient_id = make.patient(
        phone="0912345678", national_id="A123456789", address="臺北市大安區和平東路一段278號", chart_number="A1"
    )

    given = privacy.export(patient_id)
    privacy.erase(patient_id)

    assert given["contact_points"][0]["value"] == "+886912345678"
    assert given["identifiers"][0]["value"] == "A123456789"
    assert given["patient"]["address"] == "臺北市大安區和平東路一段278號"
    assert selectors.search("王小明", today=now.date()) == []
    assert selectors.search("A123456789", today=now.date()) == []
    assert sealing.load_keys([patient_id]) == {}
    assert sql.value("select count(*) from patients_contact_point") == 0


def test_another_clinic_finds_none_of_it(organization, other_organization, now):
    from careloop.tenancy import context

    patient_id = make.patient(phone="0912345678", national_id="A123456789")
    token = context._scope.set(None)
    try:
        with context.in_organization(other_organization.id):
            for text in ("王小明", "A123456789", "0912345678", "678", "79/3/5"):
                assert selectors.search(text, today=now.date() + timedelta(days=1)) == []
            assert sealing.load_keys([patient_id]) == {}
            with pytest.raises(errors.UnknownPatient):
                services.update(patient_id=patient_id, changes={"city": "x"}, version=1, now=now, by=None)
    finally:
        context._scope.reset(token)
        context.set_organization(organization.id)


def test_a_child_born_today_is_registered_before_eight_in_the_morning(organization):
    early = datetime(2026, 3, 15, 23, 30, tzinfo=UTC)  # half past seven on the 16th in Taipei

    made = register(early, details={"name": "王寶寶", "birth_date": date(2026, 3, 16)})

    assert Patient.objects.get(id=made.patient_id).registered_on == date(2026, 3, 16)
    changes = {"birth_date": date(2026, 3, 15)}
    services.update(patient_id=made.patient_id, changes=changes, version=None, now=early, by=None)
    changes = {"birth_date": date(2026, 3, 16)}
    services.update(patient_id=made.patient_id, changes=changes, version=None, now=early, by=None)
    with pytest.raises(errors.BirthInFuture):
        services.update(
            patient_id=made.patient_id, changes={"birth_date": date(2026, 3, 17)}, version=None, now=early, by=None
        )
