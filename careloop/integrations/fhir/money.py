"""Claims, what insurers answered, and invoices: one invoice each, never two for the same money.

A Claim is the bill. An ExplanationOfBenefit is the insurer's answer to it, so it completes the claim's
invoice (what is
left for the patient is the total less the payment) and adds an invoice of its own only if its claim is not
in the import.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from careloop.integrations.fhir.errors import FhirRefusal
from careloop.integrations.fhir.reading import Reading, codeable, notes, number
from careloop.integrations.fhir.references import Resource, tail
from careloop.integrations.imports.rows import Row

#: How insurers that are none call themselves, and how the National Health Insurance does.
NOBODY = frozenset({"no_insurance", "no insurance", "none", "self-pay", "self pay", "selfpay", "自費"})
NHI = ("健保", "nhi", "national health insurance")


def claim(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("patient"), "Claim.patient")
    rid = at.rid
    if rid is not None and len(at.directory.claims) < at.directory.limit:
        at.directory.claims.add(rid)
    total, currency = _money(r.get("total"), "Claim.total")
    answer = at.known.payments.get(rid) if rid else None
    self_pay = _left_for_patient(answer, total) if answer else None
    payer = _payer(r.get("insurance"))
    if payer == "self-pay" and self_pay is None:
        self_pay = total
    # The day of the service, not of the paperwork: tables of claims agree on it too (NATURAL_KEYS.md).
    issued = at.first_time("Claim", "billablePeriod", "created")
    if issued is None:
        raise FhirRefusal("fhir.missing", "Claim.created")
    items = r.get("item") or ()
    return (
        at.part, at.line, rid, patient_id, _encounter(at, items), r.get("status"), payer,
        _first_value(r.get("identifier")),
        issued, total, self_pay, currency, _lines(items, "productOrService", "net"), None,
    )  # fmt: skip


def explanation_of_benefit(at: Reading, r: Resource) -> Row | None:
    """Return an invoice only where no claim of this import has it already."""
    written = (r.get("claim") or {}).get("reference")
    claim_id = tail(written) if written else None
    if claim_id and (claim_id in at.directory.claims or at.known.has("Claim", claim_id)):
        return None
    patient_id = at.patient(r.get("patient"), "ExplanationOfBenefit.patient")
    total = currency = None
    for one in r.get("total", ()):
        if total is None or _category(one) == "submitted":
            total, currency = _money(one.get("amount"), "ExplanationOfBenefit.total")
    issued = at.first_time("ExplanationOfBenefit", "created", "billablePeriod")
    if issued is None:
        raise FhirRefusal("fhir.missing", "ExplanationOfBenefit.created")
    items = r.get("item") or ()
    return (
        at.part, at.line, claim_id or at.rid, patient_id, _encounter(at, items), r.get("status"), "insurance",
        _first_value(r.get("identifier")), issued, total, _left_for_patient(r, total), currency,
        _lines(items, "productOrService", "net"), None,
    )  # fmt: skip


def invoice(at: Reading, r: Resource) -> Row:
    patient_id = at.patient(r.get("subject"), "Invoice.subject")
    issued = at.when(r.get("date"), "Invoice.date")
    if issued is None:
        raise FhirRefusal("fhir.missing", "Invoice.date")
    total, currency = _money(r.get("totalGross") or r.get("totalNet"), "Invoice.totalGross")
    lines = []
    for item in r.get("lineItem", ()):
        _system, code, display = codeable(item.get("chargeItemCodeableConcept"))
        prices = item.get("priceComponent") or ()
        amount = _money(prices[0].get("amount"), "Invoice.lineItem.priceComponent")[0] if prices else None
        lines.append({"code": code, "display": display, "amount": amount})
    return (
        at.part, at.line, at.rid, patient_id, None, r.get("status"), "self-pay",
        _first_value(r.get("identifier")),
        issued, total, total, currency, orjson.dumps(lines).decode() if lines else None, notes(r.get("note")),
    )  # fmt: skip


def _money(money: Any, path: str) -> tuple[str | None, str | None]:
    """Return amount as decimal text and currency."""
    if not money:
        return None, None
    amount = number(money.get("value"), f"{path}.value")
    return (None if amount is None else _decimal(amount)), money.get("currency") or money.get("code")


def _decimal(amount: int | float) -> str:
    """Return an amount as text without an exponent and without the dust of binary fractions."""
    return format(Decimal(repr(amount)), "f")


def _left_for_patient(answer: Resource, total: str | None) -> str | None:
    """Return what the insurer did not pay: the total less the payment, never below nothing."""
    payment = (answer.get("payment") or {}).get("amount")
    paid = _money(payment, "ExplanationOfBenefit.payment.amount")[0]
    if total is None or paid is None:
        return None
    try:
        return format(max(Decimal(0), Decimal(total) - Decimal(paid)), "f")
    except InvalidOperation:
        return None


def _category(total: Any) -> str | None:
    return codeable(total.get("category"))[1]


def _payer(insurance: Any) -> str:
    """Return who pays: the patient, the NHI, or another insurer."""
    if not insurance:
        return "self-pay"
    coverage = insurance[0].get("coverage") or {}
    name = (coverage.get("display") or "").strip().lower()
    if name in NOBODY:
        return "self-pay"
    return "nhi" if any(word in name for word in NHI) else "insurance"


def _encounter(at: Reading, items: Any) -> str | None:
    for item in items:
        for reference in item.get("encounter", ()):
            return at.ref(reference)
    return None


def _first_value(identifiers: Any) -> str | None:
    return identifiers[0].get("value") if identifiers else None


def _lines(items: Any, code_name: str, amount_name: str) -> str | None:
    lines = []
    for item in items:
        _system, code, display = codeable(item.get(code_name))
        lines.append({"code": code, "display": display, "amount": _money(item.get(amount_name), "item.net")[0]})
    return orjson.dumps(lines).decode() if lines else None
