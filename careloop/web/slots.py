"""What the staff area adds by itself: patients in the search box."""

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careloop.audit.services import record
from careloop.patients import selectors
from careloop.web.search import MOST_PER_PROVIDER, Found, Provider, register
from careloop.web.templatetags.careloop import day_shown

PATIENT_PAGE = "patients:page"


def find_patients(request: HttpRequest, text: str) -> Iterator[Found]:
    """Patients by name, number, phone or birth date. What was typed may be an identifier: it is not kept."""
    try:
        reverse(PATIENT_PAGE, args=["00000000-0000-0000-0000-000000000000"])
    except NoReverseMatch:
        return
    found = selectors.search(text, today=timezone.localdate(), limit=MOST_PER_PROVIDER)
    if found:
        record("patients.searched", patients=[one.id for one in found], details={"found": len(found)})
    for one in found:
        parts = [one.chart_number, day_shown(one.birth_date) if one.birth_date else "", *one.phones[:1]]
        detail = " · ".join(part for part in parts if part)
        yield Found(reverse(PATIENT_PAGE, args=[one.id]), one.name, detail, icon="user")


register(Provider(_("Patients"), "patients.view", find_patients))
