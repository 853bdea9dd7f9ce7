"""Calendar links and imports of leave in the browser: shown once, looked at first, and nobody else's business."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from careloop.integrations.icalendar import leave, links
from careloop.integrations.icalendar.models import CalendarLink, LeaveUpload
from careloop.patients.tests.make import patient
from careloop.scheduling.models import Absence
from careloop.scheduling.tests.make import book, clinic, practitioner, session
from tests.support import inside

LIST, NEW, IMPORT = "/calendars/", "/calendars/new/", "/calendars/import/"


@pytest.fixture
def soon():
    """A whole hour, tomorrow."""
    return timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


def leave_file(starts_at, *, hours=2, uid="congress", title="學會年會", name="leave.ics", more=""):
    text = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:{uid}
SUMMARY:{title}
DTSTART:{starts_at:%Y%m%dT%H%M%SZ}
DTEND:{starts_at + timedelta(hours=hours):%Y%m%dT%H%M%SZ}
END:VEVENT
{more}END:VCALENDAR
"""
    return SimpleUploadedFile(name, text.encode(), content_type="text/calendar")


FREE = "BEGIN:VEVENT\nUID:f\nSUMMARY:午餐\nTRANSP:TRANSPARENT\nDTSTART:20990101T000000Z\nDTEND:20990101T010000Z\nEND:VEVENT\n"


def send(client, file, who, changed=None):
    return client.post(
        IMPORT, {"practitioner": who.pk, "file": file, "kind": "LEAVE", "all_day": "busy"} | (changed or {})
    )


def own(client, name="林怡君"):
    """A practitioner who is this member."""
    made = practitioner(name)
    made.user_id = client.user.pk
    made.save()
    return made


# -- links ---------------------------------------------------------------------------------------------------------


def test_a_link_is_shown_once_and_works(client_for):
    client, where = client_for("front_desk"), clinic()

    made = client.post(NEW, {"practitioner": where.physician.pk})

    address = made.context["address"]
    assert address in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    token = address.rpartition("/")[2].removesuffix(".ics")
    page = client.get(LIST).content.decode()
    assert token not in page
    assert "林怡君" in page
    assert "no names" in page
    assert CalendarLink.objects.get().with_names is False


def test_a_practitioner_makes_and_revokes_only_their_own(client_for):
    client = client_for("physician")
    mine, theirs = own(client), practitioner("陳醫師")
    other, _token = links.create_link(
        practitioner_id=theirs.pk, with_names=False, locations=None, by=None, now=timezone.now()
    )

    assert client.post(NEW, {"practitioner": theirs.pk}).status_code == 422
    assert client.post(NEW, {"practitioner": mine.pk, "with_names": "on"}).status_code == 200

    page = client.get(LIST).content.decode()
    assert "masked names" in page
    assert "陳醫師" not in page
    assert client.get(reverse("calendars:revoke", args=[other.pk])).status_code == 404
    assert client.post(reverse("calendars:revoke", args=[other.pk])).status_code == 404
    assert (
        client.post(reverse("calendars:revoke", args=[CalendarLink.objects.get(practitioner=mine).pk])).status_code
        == 303
    )
    assert CalendarLink.objects.get(pk=other.pk).revoked_at is None


def test_somebody_who_is_no_practitioner_is_told_whom_to_ask(client_for):
    client = client_for("physician")

    for page in (LIST, NEW):
        assert "Ask whoever plans the schedule" in client.get(page).content.decode()
    assert client.get(IMPORT).status_code == 403


def test_revoking_asks_first_and_can_be_clicked_twice(client_for):
    client, where = client_for("owner"), clinic()
    client.post(NEW, {"practitioner": where.physician.pk})
    address = reverse("calendars:revoke", args=[CalendarLink.objects.get().pk])

    assert "Revoke the link" in client.get(address).content.decode()
    assert CalendarLink.objects.get().revoked_at is None
    assert client.post(address).status_code == 303
    first = CalendarLink.objects.get().revoked_at
    assert client.post(address).status_code == 303
    assert CalendarLink.objects.get().revoked_at == first
    assert "No link yet" in client.get(LIST).content.decode()


def test_a_member_of_one_location_hands_out_names_of_its_patients_only(client_for):
    from careloop.accounts.models import Membership, MembershipLocation

    client, where = client_for("front_desk"), clinic()
    MembershipLocation.objects.create(membership=Membership.objects.get(user=client.user), location=where.location)

    client.post(NEW, {"practitioner": where.physician.pk, "with_names": "on"})

    assert CalendarLink.objects.get().locations == [where.location.pk]


@pytest.mark.parametrize("role", ["marketing", "privacy_officer", "it"])
def test_other_roles_are_refused(client_for, role):
    client = client_for(role)

    assert [client.get(page).status_code for page in (LIST, NEW, IMPORT)] == [403, 403, 403]


def test_a_visitor_is_sent_to_sign_in(organization):
    assert [Client().get(page).status_code for page in (LIST, NEW, IMPORT)] == [302, 302, 302]


def test_another_clinics_links_and_uploads_are_not_there(client_for, other_organization, soon):
    with inside(other_organization):
        where = clinic()
        link, _token = links.create_link(
            practitioner_id=where.physician.pk, with_names=False, locations=None, by=None, now=timezone.now()
        )
        upload = leave.take_upload(
            data=leave_file(soon).read(), file_name="x", practitioner_id=where.physician.pk, kind="LEAVE", all_day="busy", by=None,
            now=timezone.now(),
        )  # fmt: skip
    client = client_for("owner")

    for address in (
        reverse("calendars:revoke", args=[link.pk]), reverse("calendars:preview", args=[upload.pk]), reverse("calendars:discard", args=[upload.pk]),
    ):  # fmt: skip
        assert client.post(address).status_code == 404


# -- leave ---------------------------------------------------------------------------------------------------------


def test_leave_is_looked_at_then_imported_and_the_booked_are_told_of(client_for, soon):
    client, where = client_for("front_desk"), clinic()
    held = session(where, starts_at=soon)
    book(where, held, patient("王小明"), now=timezone.now())

    sent = send(client, leave_file(soon, more=FREE), where.physician)
    assert sent.status_code == 303
    page = client.get(sent["Location"]).content.decode()
    assert "學會年會" in page
    assert "shown as free in the calendar" in page
    assert "1 appointment lies in these times" in page
    assert not Absence.objects.exists()

    done = client.post(sent["Location"], {"remove": "on"})
    assert done.status_code == 303
    page = client.get(done["Location"]).content.decode()
    assert "Imported. Nobody new is booked" in page
    assert "1 appointment lies in these times" in page
    assert Absence.objects.get().note == "學會年會"
    assert client.post(sent["Location"]).status_code == 303  # a double click
    assert Absence.objects.count() == 1


def test_what_is_gone_from_the_calendar_is_named_before_it_goes(client_for, soon):
    client, where = client_for("owner"), clinic()
    first = send(client, leave_file(soon), where.physician)
    client.post(first["Location"], {"remove": "on"})

    again = send(client, leave_file(soon + timedelta(days=1), uid="other", title="特休"), where.physician)
    page = client.get(again["Location"]).content.decode()
    assert "Gone from the calendar" in page
    assert 'name="remove"' in page

    client.post(again["Location"])  # without the tick they stay
    assert Absence.objects.count() == 2


def test_a_bad_file_is_refused_with_place_and_cure(client_for):
    client, where = client_for("front_desk", language="zh-hant"), clinic()

    answer = send(client, SimpleUploadedFile("x.ics", b"BEGIN:VCALENDAR\nX\nEND:VCALENDAR"), where.physician)

    assert answer.status_code == 422
    assert "第 2 行：「X」不是行事曆的內容。請重新匯出行事曆" in answer.content.decode()
    assert not LeaveUpload.objects.exists()


def test_a_large_file_is_refused(client_for):
    client, where = client_for("front_desk"), clinic()

    answer = send(client, SimpleUploadedFile("x.ics", b"x" * 1_200_000), where.physician)

    assert answer.status_code == 422
    assert "larger than 1 MB" in answer.content.decode()


def test_a_calendar_without_leave_says_so(client_for):
    client, where = client_for("front_desk"), clinic()

    sent = send(client, SimpleUploadedFile("x.ics", b"BEGIN:VCALENDAR\nEND:VCALENDAR"), where.physician)

    assert "No time away in this calendar" in client.get(sent["Location"]).content.decode()


def test_an_upload_can_be_thrown_away(client_for, soon):
    client, where = client_for("front_desk"), clinic()
    sent = send(client, leave_file(soon), where.physician)

    assert client.get(sent["Location"] + "discard/").status_code == 405
    assert client.post(sent["Location"] + "discard/").status_code == 303
    assert client.get(sent["Location"]).status_code == 410
    assert client.post(sent["Location"]).status_code == 410
    assert not Absence.objects.exists()


def test_hostile_titles_and_names_are_text(client_for, soon):
    client, where = client_for("front_desk"), clinic()

    sent = send(client, leave_file(soon, title="<script>alert(1)</script>", name="<b>.ics"), where.physician)

    page = client.get(sent["Location"]).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "<b>.ics" not in page


@pytest.mark.parametrize(
    "wrong", [{"practitioner": ""}, {"practitioner": "nobody"}, {"kind": "PARTY"}, {"all_day": "perhaps"}, {"file": ""}]
)
def test_a_wrong_form_is_shown_again(client_for, soon, wrong):
    client, where = client_for("front_desk"), clinic()

    assert send(client, leave_file(soon), where.physician, wrong).status_code == 422


@pytest.mark.parametrize(("language", "word"), [("zh-hant", "行事曆"), ("zh-hans", "日历"), ("en", "Calendars")])
def test_the_pages_speak_three_languages(client_for, language, word):
    client = client_for("owner", language=language)

    for page in (LIST, NEW, IMPORT):
        assert word in client.get(page).content.decode()
    assert word in client.get("/settings/").content.decode()
