"""The list of patients, tagging several at once, and the download."""

from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.patients import services
from careloop.web.http import csv_download, next_url, redirect_to, refuse, respond, shown_count
from careloop.web.screens.patients import list_query, list_rows, words
from careloop.web.screens.patients.forms import FilterForm, ReasonForm

MOST_TAGGED_AT_ONCE = 500


@requires("patients.view")
@require_GET
def patients(request: HttpRequest) -> HttpResponse:
    """The list: one statement for a page of it, one for the choices, one note in the audit log."""
    today = words.today_of(request, timezone.now())
    choices = list_query.choices()
    make_form = partial(FilterForm, request.GET, tags=choices["tags"], locations=choices["locations"])
    # an address that asks for nothing needs no form to be read
    form = make_form() if request.GET else None
    filters = form.filters() if form else list_query.Filters()
    page, counted = list_query.page_of(request, filters, today=today)
    member: Any = request.member  # type: ignore[attr-defined]
    tags = {one["number"]: one["name"] for one in choices["tags"]}
    chips = _chips(request, form) if form else []
    audit.record(
        "patients.listed",
        patients=[row["id"] for row in page.rows],
        details={"filters": sorted(k for k, v in request.GET.items() if v)},
    )
    asked = "&".join(f"{name}={request.GET[name]}" for name in sorted(FilterForm.base_fields) if request.GET.get(name))
    context = {
        "filter_bar": list_rows.filter_bar(
            lambda: form or make_form(),
            typed=bool(filters.text),
            path=request.path,
            chips=chips,
            asked=asked,
            choices=str(choices),
        ),
        "page": page,
        "rows": list_rows.rows_html(page.rows, today=today, tags=tags, may_tick=member.can("patients.edit")),
        "tags": choices["tags"],
        "count": _count_words(counted),
        "is_filtered": bool(chips),
        "sort": filters.sort,
        "query": request.GET.urlencode(),
    }
    return respond(request, "patients/list.html", context)


def _count_words(counted: int) -> str:
    if not counted:
        return ""
    shown = shown_count(counted, limit=list_query.COUNTED_TO)
    return ngettext("%(count)s patient", "%(count)s patients", counted) % {"count": shown}


def _chips(request: HttpRequest, form: FilterForm) -> list[dict[str, str]]:
    chips = []
    for name, field in form.fields.items():
        value = request.GET.get(name, "")
        if not value or name in form.errors or name == "sort":
            continue
        options = dict(getattr(field, "choices", []))
        shown = options.get(value, options.get(int(value) if value.isdigit() else value, value))
        others = request.GET.copy()
        others.pop(name)
        others.pop("after", None)
        label = str(field.label) if name == "closed" else f"{field.label}: {shown}"
        chips.append({"label": label, "url": f"?{others.urlencode()}"})
    return chips


@requires("patients.edit")
@require_POST
def tag(request: HttpRequest) -> HttpResponse:
    """Give a tag to the patients that are ticked, or take it from them; the tag may be a new one."""
    member: Any = request.member  # type: ignore[attr-defined]
    try:
        chosen = [UUID(one) for one in request.POST.getlist("patient")][:MOST_TAGGED_AT_ONCE]
    except ValueError:
        raise BadRequest("patient") from None
    back = next_url(request, reverse("patients:list"))
    name = request.POST.get("tag", "").strip()
    if not chosen or not name:
        return redirect_to(request, back, message=_("Tick the patients first, and say which tag."), tone="warning")
    here, limit = at_home("home_location_id")
    if here:
        found = sql.rows(f"select id from patients_patient where id = any(%(ids)s){here}", {"ids": chosen, **limit})
        chosen = [row["id"] for row in found]
    now = timezone.now()
    try:
        given = services.create_tag(name=name, now=now, by=member.user_id)
        if request.POST.get("action") == "remove":
            changed = services.remove_tag(patient_ids=chosen, tag_id=given.id, now=now, by=member.user_id)
            words_done = ngettext(
                "The tag was taken from %(count)d patient.", "The tag was taken from %(count)d patients.", changed
            )
        else:
            changed = services.give_tag(patient_ids=chosen, tag_id=given.id, now=now, by=member.user_id)
            words_done = ngettext("%(count)d patient was tagged.", "%(count)d patients were tagged.", changed)
    except DomainError as refusal:
        return refuse(request, str(refusal), status=refusal.status)
    return redirect_to(request, back, message=words_done % {"count": changed})


@requires("patients.export")
def export(request: HttpRequest) -> HttpResponseBase:
    """Download the list: says first how many, asks why, and leaves a note with everybody in it."""
    today = words.today_of(request, timezone.now())
    choices = list_query.choices()
    asked = request.POST if request.method == "POST" else request.GET
    filters = FilterForm(asked, tags=choices["tags"], locations=choices["locations"]).filters()
    filters.sort = "changed"
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _download(filters, today, choices["tags"], reason=form.cleaned_data["reason"])
    _page, counted = list_query.page_of(request, filters, today=today)
    hidden = [{"name": name, "value": value} for name, value in asked.items() if name in FilterForm.base_fields]
    context = {
        "form": form, "hidden": hidden, "facts": [{"label": _("Patients"), "value": shown_count(counted, limit=list_query.COUNTED_TO)}],
        "back": f"{reverse('patients:list')}?{request.GET.urlencode()}",
    }  # fmt: skip
    status = 422 if request.method == "POST" else 200
    return respond(request, "patients/export.html", context, fragment="patients/_export.html", status=status)


def _download(filters: list_query.Filters, today: date, tags: list[dict[str, Any]], *, reason: str) -> HttpResponseBase:
    names = {one["number"]: one["name"] for one in tags}
    exported: list[UUID] = []

    def rows() -> Any:
        for row in list_query.every_row(filters, today=today):
            exported.append(row["id"])
            yield [
                row["chart_number"], row["name"], words.word(words.SEX, row["sex"]),
                words.day(row["birth_date"], precision=row["birth_precision"]), row["city"], row["district"],
                words.day(row["registered_on"]), str(words.STAGES[row["stage"]]) if row["stage"] is not None else "",
                words.day(row["last_visit_on"]), row["visits"] or 0, row["visits_12m"] or 0, row["self_pay_12m"] or 0,
                ", ".join(names[number] for number in row["tags"] or () if number in names),
            ]  # fmt: skip

    header = [
        _("Chart number"), _("Name"), _("Sex"), _("Birth date"), _("City or county"), _("District"), _("Registered on"), _("Stage"),
        _("Last visit"), _("Visits"), _("Visits in 12 months"), _("Self-pay in 12 months"), _("Tags"),
    ]  # fmt: skip
    response = csv_download(f"patients-{today.isoformat()}.csv", header, rows())
    for start in range(0, max(len(exported), 1), services.MOST_IN_NOTE):
        audit.record(
            "patients.exported", patients=exported[start : start + services.MOST_IN_NOTE], reason=reason,
            details={"rows": len(exported)},
        )  # fmt: skip
    return response
