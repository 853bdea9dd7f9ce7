"""Asking a patient to pay: from an appointment, or from the patient's page."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods

from careloop.accounts.access import requires
from careloop.accounts.scope import at_home
from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.kernel.errors import DomainError
from careloop.kernel.money import format_money
from careloop.payments import accounts, selectors, services
from careloop.payments.rules import NewItem
from careloop.web.addresses import address
from careloop.web.http import redirect_to, respond
from careloop.web.screens.payments.forms import FREE_LINES, AskForm


@requires("payments.manage")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Write the lines; a POST asks for them once, however often the button is pressed."""
    member: Any = request.member  # type: ignore[attr-defined]
    visit = _visit(request.GET.get("appointment", ""))
    patient = _patient(visit["patient_id"] if visit else _uuid(request.GET.get("patient", "")))
    currency = member.organization.currency
    form = AskForm(
        request.POST or None, currency=currency, charges=charges_for(visit, currency), initial=_suggested(visit)
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = services.request(
                patient_id=patient["id"], appointment_id=visit["id"] if visit else None, items=_items(form),
                title=form.cleaned_data["title"], key=f"staff:{form.cleaned_data['key']}", now=timezone.now(), by=member.user_id,
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            said = _("Asked for. The patient can pay by the link or the code below.")
            return redirect_to(request, address("payments:page", made.pk), message=said)
    audit.record("patient.viewed", patients=[patient["id"]])
    context = {
        "form": form, "patient": patient, "visit": visit, "is_connected": accounts.is_connected(),
        "is_nhi": visit is not None and visit["payer"] == "NHI",
        "back_url": address("schedule:appointment", visit["id"]) if visit else address("patients:page", patient["id"]),
    }  # fmt: skip
    return respond(request, "payments/new.html", context, status=422 if form.errors else 200)


def charges_for(visit: dict[str, Any] | None, currency: str) -> list[dict[str, Any]]:
    """Return what can be asked for by a service: its price and its deposit, the appointment's own first."""
    rows = selectors.services_with_price()
    if visit is not None:
        rows.sort(key=lambda one: one["id"] != visit["service_id"])
    found = []
    for one in rows:
        for what, amount in (("price", one["price"]), ("deposit", one["deposit"])):
            # no deposit beside an NHI visit, whatever it is for
            if not amount or (what == "deposit" and visit is not None and visit["payer"] == "NHI"):
                continue
            name = one["name"] if what == "price" else _("Deposit: %(service)s") % {"service": one["name"]}
            found.append({
                "code": f"{what}:{one['id']}", "label": f"{name} · {format_money(amount, currency)}", "name": name, "amount": amount,
                "service_id": one["id"], "kind": "SERVICE" if what == "price" else "DEPOSIT",
            })  # fmt: skip
    return found


def _suggested(visit: dict[str, Any] | None) -> dict[str, Any]:
    if visit is None or visit["payer"] != "SELF" or not visit["price"]:
        return {}
    return {"charge": f"price:{visit['service_id']}"}


def _items(form: AskForm) -> list[NewItem]:
    given = form.cleaned_data
    items = []
    if charge := form.charges.get(given.get("charge", "")):
        reduced = given.get("price")
        items.append(
            NewItem(charge["kind"], charge["name"], charge["amount"] if reduced is None else reduced, charge["amount"],
                    charge["service_id"])
        )  # fmt: skip
    if given.get("copay") is not None:
        items.append(NewItem("COPAY", pgettext("payment item", "NHI co-pay"), given["copay"]))
    for number in range(1, FREE_LINES + 1):
        if given.get(f"name_{number}"):
            items.append(NewItem("OTHER", given[f"name_{number}"], given[f"amount_{number}"]))
    return items


def _visit(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    found = selectors.chargeable(_uuid(text))
    if found is None:
        raise Http404
    return found


def _patient(patient_id: UUID) -> dict[str, Any]:
    here, params = at_home("p.home_location_id")
    found = sql.row(
        f"select p.id, p.name, p.chart_number from patients_patient p where p.id = %(id)s and p.merged_into_id is null{here}",
        {**params, "id": patient_id},
    )
    if found is None:
        raise Http404
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
