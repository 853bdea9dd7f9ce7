"""Every page tells the time of the clinic it belongs to, wherever the machine stands."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from careloop.kernel.ids import uuid7
from careloop.patients.tests import make
from careloop.portal.tests.support import Phone, open_clinic, somebody
from careloop.records.services import record_encounter
from careloop.scheduling.tests.make import book
from careloop.tenancy.models import Organization
from careloop.waitingroom import services as waitingroom
from careloop.waitingroom.tests.make import numbers
from careloop.web.screens.patients.fields import ClinicDateField

NEW_YORK = ZoneInfo("America/New_York")
#: 02:30 UTC: half past ten in Taipei, the evening before in New York
AT = datetime(2026, 3, 5, 2, 30, tzinfo=UTC)


@pytest.fixture
def far_away(organization):
    Organization.objects.filter(pk=organization.pk).update(time_zone=NEW_YORK.key)
    return organization


def test_a_visit_is_shown_in_the_clinics_own_time(far_away, client_for):
    who = make.patient()
    record_encounter(
        patient_id=who, encounter_id=uuid7(), started_at=AT, department="家醫科", reason="感冒", now=AT, by=None
    )
    client = client_for("owner")

    for tab in ("visits/", "timeline/"):
        page = client.get(f"/patients/{who}/{tab}").content.decode()
        assert "2026-03-04 21:30" in page, tab
        assert "10:30" not in page, tab


def test_patients_read_the_clinics_own_time_on_its_pages(far_away):
    open_clinic()
    somebody()
    phone = Phone(far_away).sign_in()

    now = datetime.now(UTC).astimezone(NEW_YORK)
    page = phone.sees("me/devices/")

    assert any(f"{now - timedelta(minutes=back):%Y-%m-%d %H:%M}" in page for back in (0, 1))


def test_a_number_tells_the_clinics_own_time(far_away):
    now = datetime.now(UTC)
    begins = now - timedelta(hours=1)
    where, held = numbers(starts_at=begins, on_date=now.astimezone(NEW_YORK).date())
    booked = book(where, held, make.patient())
    _ticket, url = waitingroom.pass_for(appointment_id=booked.pk, now=now)

    page = Client().get(url[url.index("/p/") :]).content.decode()

    assert f"{begins.astimezone(NEW_YORK):%m-%d %H:%M}" in page


def test_nobody_is_born_on_a_day_that_has_not_come_where_the_clinic_is(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: AT)
    with timezone.override(NEW_YORK):
        assert ClinicDateField().clean("2026-03-04") == date(2026, 3, 4)
        with pytest.raises(ValidationError):
            ClinicDateField().clean("2026-03-05")
