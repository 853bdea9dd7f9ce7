"""What these screens add to the shell: finding patients from anywhere."""

from collections.abc import Iterable

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from careloop.audit import services as audit
from careloop.patients import selectors
from careloop.web import search
from careloop.web.screens.patients import words


def find_patients(request: HttpRequest, text: str) -> Iterable[search.Found]:
    """Answers for the search box, masked; one note in the audit log for all of them."""
    today = words.today_of(request, timezone.now())
    found = selectors.search(text, today=today, limit=search.MOST_PER_PROVIDER)
    if found:
        audit.record(
            "patients.searched", patients=[one.id for one in found], details={"by": sorted({one.by for one in found})}
        )
    return [
        search.Found(reverse("patients:page", args=[one.id]), one.name, _detail(one, today), "user") for one in found
    ]


def _detail(one: selectors.FoundPatient, today: object) -> str:
    parts = (
        words.word(words.SEX_SHORT, one.sex), words.birth(one.birth_date, one.birth_precision), one.chart_number, *one.phones[:1],
    )  # fmt: skip
    return " · ".join(part for part in parts if part)


search.register(search.Provider(_("Patients"), "patients.view", find_patients))
