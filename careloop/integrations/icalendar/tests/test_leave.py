"""Leave from a calendar: looked at, imported, imported again, and whose appointments it touches."""

from datetime import timedelta

import pytest

from careloop.audit.models import AuditEvent
from careloop.integrations.icalendar import commands, keys, leave
from careloop.integrations.icalendar.errors import (
    CalendarRefused,
    NoPractitionerOfThatName,
    NoSuchFile,
    SeveralOfThatName,
    UnknownPractitioner,
    UploadGone,
)
from careloop.integrations.icalendar.models import LeaveUpload
from careloop.integrations.icalendar.tests.support import LEAVE, at
from careloop.kernel import vault
from careloop.patients.tests.make import patient
from careloop.scheduling import errors
from careloop.scheduling.models import Absence
from careloop.scheduling.tests.make import MORNING, NOW, book, clinic, practitioner, session
from careloop.tenancy.context import run_before_commit

HALF = timedelta(minutes=30)


def upload(where, text=LEAVE, *, now=NOW, **more):
    values = {"file_name": "leave.ics", "kind": "LEAVE", "all_day": "busy", "by": None, **more}
    return leave.take_upload(data=text.encode(), practitioner_id=where.physician.pk, now=now, **values)


def apply(where, text=LEAVE, *, remove=True, now=NOW):
    return leave.apply_upload(upload_id=upload(where, text, now=now).pk, remove=remove, by=None, now=now)


def noted():
    return [(one.external_id, one.starts_at, one.ends_at, one.note) for one in Absence.objects.order_by("starts_at")]


CONGRESS = ("congress", at("2026-03-17T01:00"), at("2026-03-17T02:30"), "學會年會")
HOLIDAY = ("holiday", at("2026-04-05T16:00"), at("2026-04-08T16:00"), "特休")


def test_looking_writes_nothing_and_says_what_would_happen(organization):
    where = clinic()
    held = session(where)
    book(where, held, patient("王小明"))

    made = upload(where)
    plan = leave.plan(leave.content(made), practitioner_id=where.physician.pk, kind="LEAVE", remove=True, now=NOW)

    assert not Absence.objects.exists()
    assert [(one.what, one.key) for one in plan.changes] == [("new", "congress"), ("new", "holiday")]
    assert [(one["reason"], one["title"]) for one in plan.found["skipped"]] == [("free", "午餐")]
    assert [(one["id"], one["booked"]) for one in plan.affected] == [(held.pk, 1)]
    assert "學會" not in bytes(made.content_sealed).decode("latin-1")


def test_importing_notes_the_times_away_and_nobody_new_is_booked_then(organization):
    where = clinic()
    held = session(where)

    done = apply(where)

    assert noted() == [CONGRESS, HOLIDAY]
    assert done.counts == {"new": 2, "changed": 0, "same": 0, "gone": 0}
    assert (done.state, done.content_sealed, done.key_wrapped) == ("APPLIED", None, None)
    assert set(Absence.objects.values_list("source", flat=True)) == {"ical"}
    with pytest.raises(errors.PractitionerAway):
        book(where, held, patient("王小明"))
    run_before_commit()
    assert AuditEvent.objects.get(action="leave.imported").details["new"] == 2


def test_importing_again_adds_nothing_twice(organization):
    where = clinic()
    apply(where)

    again = apply(where)

    assert noted() == [CONGRESS, HOLIDAY]
    assert again.counts == {"new": 0, "changed": 0, "same": 2, "gone": 0}


def test_importing_again_moves_what_moved_and_takes_away_what_is_gone(organization):
    where = clinic()
    apply(where)
    moved = LEAVE.replace("20260317T103000", "20260317T110000").replace("UID:holiday", "UID:another")

    done = apply(where, moved)

    assert noted() == [(*CONGRESS[:2], at("2026-03-17T03:00"), "學會年會"), ("another", *HOLIDAY[1:])]
    assert done.counts == {"new": 1, "changed": 1, "same": 0, "gone": 1}


def test_what_is_gone_can_be_kept_and_what_is_over_always_stays(organization):
    where = clinic()
    apply(where)
    empty = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nEND:VCALENDAR\n"

    assert apply(where, empty, remove=False).counts["gone"] == 0
    assert apply(where, empty, now=NOW + timedelta(days=3)).counts["gone"] == 1
    assert noted() == [CONGRESS]


def test_leave_from_elsewhere_and_of_others_is_left_alone(organization):
    where, colleague = clinic(), practitioner("陳醫師")
    for who, source in ((where.physician, "staff"), (colleague, "ical")):
        Absence.objects.create(
            practitioner=who, starts_at=MORNING, ends_at=MORNING + HALF, source=source, external_id="x", created_at=NOW
        )

    apply(where)

    assert Absence.objects.filter(external_id="x").count() == 2


def test_repetitions_are_each_an_absence(organization):
    where = clinic()
    weekly = LEAVE.replace(
        "SUMMARY:學會年會", "SUMMARY:學會年會\nRRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Asia/Taipei:20260324T090000"
    )

    apply(where, weekly)

    assert [one[0] for one in noted() if one[0].startswith("congress")] == [
        "congress#20260317T010000Z", "congress#20260331T010000Z", "congress#20260407T010000Z",
    ]  # fmt: skip


def test_a_second_click_changes_nothing_and_a_thrown_away_calendar_is_gone(organization):
    where = clinic()
    made = upload(where)
    leave.apply_upload(upload_id=made.pk, remove=True, by=None, now=NOW)
    with pytest.raises(UploadGone):
        leave.apply_upload(upload_id=made.pk, remove=True, by=None, now=NOW)

    thrown = upload(where)
    leave.discard_upload(upload_id=thrown.pk, now=NOW)
    with pytest.raises(UploadGone):
        leave.content(LeaveUpload.objects.get(pk=thrown.pk))
    assert len(noted()) == 2


def test_old_uploads_are_emptied(organization):
    where = clinic()
    old, young = upload(where), upload(where, now=NOW + timedelta(days=1))

    leave.remove_old(now=NOW + timedelta(days=1, minutes=1))

    assert LeaveUpload.objects.get(pk=old.pk).content_sealed is None
    assert leave.content(LeaveUpload.objects.get(pk=young.pk))["name"] == "休假"


def test_a_change_of_keys_covers_uploads_that_wait(organization):
    made = upload(clinic())
    ring = vault.keyring().rotated()

    assert keys.rewrap(ring) == 1
    assert keys.rewrap(ring) == 0
    wrapped = bytes(LeaveUpload.objects.get(pk=made.pk).key_wrapped)
    assert len(ring.unwrap(wrapped, owner=made.pk.bytes)) == 32


def test_a_bad_file_and_a_stranger_are_refused_and_nothing_is_kept(organization):
    where = clinic()

    with pytest.raises(CalendarRefused) as refused:
        upload(where, "BEGIN:VCALENDAR\nX\nEND:VCALENDAR\n")
    assert refused.value.details["line"] == 2
    where.physician.is_active = False
    where.physician.save()
    with pytest.raises(UnknownPractitioner):
        upload(where)
    assert not LeaveUpload.objects.exists()


def test_a_thousand_times_away_are_imported(organization):
    where = clinic()
    many = LEAVE.replace("SUMMARY:學會年會", "SUMMARY:學會年會\nRRULE:FREQ=HOURLY;COUNT=300")

    assert apply(where, many).counts["new"] == 301


# -- on the command line -------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "leave.ics"
    path.write_text(LEAVE)
    return path


@pytest.fixture
def run(organization, monkeypatch):
    monkeypatch.setattr(commands.timezone, "now", lambda: NOW)

    def start(path, practitioner="林怡君", **more):
        return commands.run_import(path, practitioner=practitioner, organization=organization.pk, **more)

    return start


def test_the_command_says_what_it_would_do_then_does_it(run, file):
    where = clinic()
    book(where, session(where), patient("王小明"))

    dry = run(file, dry_run=True)
    assert (dry["dry_run"], dry["new"], len(noted())) == (True, 2, 0)
    assert [one["booked"] for one in dry["affected"]] == [1]
    assert (
        dry["skipped"] == [{"reason": "shown as free in the calendar", "count": 1, "line": 17}]
        or dry["skipped"][0]["count"] == 1
    )

    done = run(file)
    assert (done["new"], len(noted())) == (2, 2)
    assert any("2026-03-17 09:00" in line for line in commands.in_words(done))
    assert run(file)["same"] == 2


def test_the_command_refuses_by_name(run, file, tmp_path):
    clinic()
    with pytest.raises(NoPractitionerOfThatName):
        run(file, "陳醫師")
    with pytest.raises(NoSuchFile):
        run(tmp_path / "nothing.ics")
    practitioner("林怡君")
    with pytest.raises(SeveralOfThatName):
        run(file)
    (tmp_path / "large.ics").write_bytes(b"x" * 1_000_001)
    with pytest.raises(CalendarRefused):
        run(tmp_path / "large.ics", str(practitioner("王醫師").pk))
