"""Reading records: what the page of one patient shows, and how much there is of everything."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from careloop.kernel import sql
from careloop.kernel.units import normalise_unit
from careloop.records import counting
from careloop.records.reference_ranges import classify, reference_band, scheme_name
from careloop.records.rules import REFILL_DAYS_BEFORE, nhi_part, refill_window

Row = dict[str, Any]
POINTS_PER_CHART = 60
LIVE = "not entered_in_error"

# Our table → the FHIR resource it holds. A bill comes from and goes to claims.
RESOURCES = {
    "records_practitioner": "Practitioner", "records_encounter": "Encounter", "records_condition": "Condition",
    "records_allergy": "AllergyIntolerance", "records_medication": "MedicationRequest", "records_observation": "Observation",
    "records_procedure": "Procedure", "records_immunization": "Immunization", "records_report": "DiagnosticReport",
    "records_care_plan": "CarePlan", "records_invoice": "Claim", "patients_related_person": "RelatedPerson",
    "tenancy_location": "Location",
}  # fmt: skip


# -- counts -----------------------------------------------------------------------------------------------------


def counts() -> dict[str, int]:
    """Return how many records of each kind the organization holds, keyed by FHIR resource name, plus Event and Message."""
    return counting.everything()


def _own_counts() -> dict[str, int]:
    parts = ["select 'Patient' as name, count(*) as number from patients_patient where merged_into_id is null"]
    for table, name in RESOURCES.items():
        has_errors = table.startswith("records_") and table != "records_practitioner"
        parts.append(f"select '{name}', count(*) from {table} where {LIVE if has_errors else 'true'}")
    parts.append(f"select resource_type, count(*) from records_other where {LIVE} group by resource_type")
    parts.append(
        "select 'Event', count(*) from events_event e where e.batch_id is null or not exists "
        "(select 1 from events_retraction r where r.batch_id = e.batch_id)"
    )
    found: dict[str, int] = {}
    for row in sql.rows(" union all ".join(parts)):
        found[row["name"]] = found.get(row["name"], 0) + row["number"]
    return found


counting.register(_own_counts)


# -- retention --------------------------------------------------------------------------------------------------

# when a record is about, by table; those without a time are about the day they came
MOMENTS = {
    "records_encounter": "coalesce(ended_at, started_at)", "records_condition": "onset_at", "records_allergy": "noted_at",
    "records_medication": "coalesce(ended_at, started_at)", "records_observation": "observed_at",
    "records_procedure": "coalesce(ended_at, performed_at)", "records_immunization": "given_at", "records_report": "issued_at",
    "records_care_plan": "coalesce(ended_at, started_at)", "records_invoice": "issued_at", "records_other": "coalesce(ended_at, happened_at)",
}  # fmt: skip


def last_record_on(patient_id: UUID, *, zone: str) -> date | None:
    """Return the day of the patient's latest record, whatever its kind: from then on records are kept for so many years."""
    moments = " union all ".join(
        f"select max(coalesce({moment}, recorded_at)) as at from {table} where patient_id = %(patient)s"
        for table, moment in MOMENTS.items()
    )
    day: date | None = sql.value(
        f"select (max(at) at time zone %(zone)s)::date from ({moments}) m", {"patient": patient_id, "zone": zone}
    )
    return day


# -- visits -----------------------------------------------------------------------------------------------------


def visits(patient_id: UUID, *, limit: int = 50) -> list[Row]:
    """Return the latest visits, each with what was billed for it."""
    return sql.rows(
        """select e.id, e.started_at, e.ended_at, e.class_code, e.display, e.reason_display, e.department, e.status,
                  e.practitioner_name, e.location_name, e.note, e.source, bill.total, bill.self_pay, bill.currency
             from records_encounter e
             left join lateral (
                  select sum(i.total_amount)::bigint as total, sum(i.self_pay_amount)::bigint as self_pay,
                         min(i.currency) as currency
                    from records_invoice i
                   where i.patient_id = %(patient)s and i.encounter_id = e.id and not i.entered_in_error
             ) bill on true
            where e.patient_id = %(patient)s and not e.entered_in_error
            order by e.started_at desc, e.id desc limit %(limit)s""",
        {"patient": patient_id, "limit": limit},
    )


# -- clinical background ----------------------------------------------------------------------------------------


def allergies(patient_id: UUID) -> list[Row]:
    """Return what the patient must not meet, dangerous ones first; resolved and refuted ones left out."""
    return sql.rows(
        f"""select id, display, code, category, criticality, noted_at, reactions, type from records_allergy
            where patient_id = %s and {LIVE} and status not in ('inactive', 'resolved')
              and verification_status not in ('refuted', 'entered-in-error')
            order by criticality = 'high' desc, display""",
        [patient_id],
    )


def conditions(patient_id: UUID) -> list[Row]:
    """Return diagnoses and problems, active ones first."""
    return sql.rows(
        f"""select id, display, code, status, category, severity, onset_at, abated_at,
                  (abated_at is null and status not in ('resolved', 'inactive', 'remission')) as is_active
             from records_condition where patient_id = %s and {LIVE}
            order by is_active desc, onset_at desc nulls last, id desc limit 200""",
        [patient_id],
    )


def procedures(patient_id: UUID, *, limit: int = 100) -> list[Row]:
    """Return what was done, newest first."""
    return sql.rows(
        f"""select id, display, code, performed_at, body_site, reason_display, practitioner_name from records_procedure
            where patient_id = %s and {LIVE} order by performed_at desc nulls last, id desc limit %s""",
        [patient_id, limit],
    )


def immunizations(patient_id: UUID) -> list[Row]:
    """Return vaccinations, newest first."""
    return sql.rows(
        f"""select id, display, code, given_at, dose_number, lot_number, site from records_immunization
            where patient_id = %s and {LIVE} order by given_at desc nulls last, id desc limit 200""",
        [patient_id],
    )


def reports(patient_id: UUID, *, limit: int = 50) -> list[Row]:
    """Return findings in words, newest first."""
    return sql.rows(
        f"""select id, display, category, issued_at, conclusion, text, practitioner_name, status from records_report
            where patient_id = %s and {LIVE} order by issued_at desc nulls last, id desc limit %s""",
        [patient_id, limit],
    )


def care_plans(patient_id: UUID) -> list[Row]:
    """Return plans of care made elsewhere, those that run first."""
    return sql.rows(
        f"""select id, coalesce(nullif(title, ''), display) as display, status, started_at, ended_at, reason_display, activities
             from records_care_plan where patient_id = %s and {LIVE}
            order by ended_at is null desc, started_at desc nulls last, id desc limit 50""",
        [patient_id],
    )


# -- medication -------------------------------------------------------------------------------------------------


def medications(patient_id: UUID, *, today: date, days_before: int = REFILL_DAYS_BEFORE) -> list[Row]:
    """Return prescriptions, running ones first; refillable ones carry `refill`, their window today."""
    found = sql.rows(
        f"""select id, display, code, status, started_at, ended_at, dosage, reason_display, practitioner_name, is_refillable,
                  fills_allowed, fills_taken, days_supply, supply_ends_on, quantity, status = 'active' as is_active
             from records_medication where patient_id = %s and {LIVE}
            order by is_active desc, started_at desc nulls last, id desc limit 200""",
        [patient_id],
    )
    for row in found:
        row["refill"] = None
        if row["is_refillable"] and row["is_active"] and row["supply_ends_on"]:
            row["refill"] = refill_window(
                supply_ends_on=row["supply_ends_on"], fills_allowed=row["fills_allowed"], fills_taken=row["fills_taken"],
                today=today, days_before=days_before,
            )  # fmt: skip
    return found


# -- results ----------------------------------------------------------------------------------------------------


def results(patient_id: UUID, *, profile: str = "TW") -> list[Row]:
    """Return measured values grouped by what was measured, the most recently measured group first.

    A group has `display`, `unit`, `points` (oldest first, at most 60), `latest`, `band` (low, high, name) or None, and `parts`:
    one named series for plain values, one per component for blood pressure and the like.

    Args:
        profile: the organization's legal profile, which chooses between national reference ranges.
    """
    found = sql.rows(
        f"""select * from (
                select id, code, display, category, observed_at, value_number, value_text, unit, comparator, reference_low,
                       reference_high, reference_text, interpretation, components,
                       row_number() over (partition by coalesce(nullif(code, ''), display)
                                          order by observed_at desc, id desc) as nth
                  from records_observation where patient_id = %s and {LIVE} and observed_at is not null
            ) as numbered where nth <= %s order by observed_at, id""",
        [patient_id, POINTS_PER_CHART],
    )
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(row["code"] or row["display"], []).append(row)
    answers = [_result_group(points, profile) for points in groups.values()]
    return sorted(answers, key=lambda group: group["latest"]["observed_at"], reverse=True)


def _result_group(points: list[Row], profile: str) -> Row:
    latest = points[-1]
    unit = normalise_unit(latest["unit"] or _component_unit(latest))
    group: Row = {
        "code": latest["code"], "display": latest["display"] or latest["code"], "category": latest["category"], "unit": unit,
        "points": points, "latest": latest, "parts": _parts(points), "band": _band(latest, unit, profile),
        "is_number": any(point["value_number"] is not None for point in points),
    }  # fmt: skip
    group["class"] = _class(latest, unit, profile)
    return group


def _component_unit(point: Mapping[str, Any]) -> str:
    return next((part.get("unit") or "" for part in point["components"] or []), "")


def _parts(points: Sequence[Row]) -> dict[str, list[tuple[Any, float | None]]]:
    """Return series name → (time, value); one nameless series for plain numbers."""
    names: dict[str, str] = {}
    for point in points:
        for part in point["components"] or []:
            names.setdefault(
                part.get("code") or part.get("display") or "", part.get("display") or part.get("code") or ""
            )
    if not names:
        return {
            "": [(point["observed_at"], point["value_number"]) for point in points if point["value_number"] is not None]
        }
    series: dict[str, list[tuple[Any, float | None]]] = {name: [] for name in names.values()}
    for point in points:
        by_code = {
            part.get("code") or part.get("display") or "": part.get("number") for part in point["components"] or []
        }
        for code, name in names.items():
            series[name].append((point["observed_at"], by_code.get(code)))
    return series


def _band(latest: Mapping[str, Any], unit: str, profile: str) -> Row | None:
    """The laboratory's own range where it gave one, else ours."""
    if latest["reference_low"] is not None or latest["reference_high"] is not None:
        return {"low": latest["reference_low"], "high": latest["reference_high"], "name": latest["reference_text"]}
    band = reference_band(latest["code"], unit, profile=profile) if latest["code"] else None
    if band is None:
        return None
    return {
        "low": float(band.low) if band.low is not None else None,
        "high": float(band.high) if band.high is not None else None, "name": scheme_name(band.scheme),
    }  # fmt: skip


def _class(latest: Mapping[str, Any], unit: str, profile: str) -> Row | None:
    value: Any = latest["value_number"]
    parts = {part.get("code"): part.get("number") for part in latest["components"] or []}
    if value is None and parts.get("8480-6") is not None and parts.get("8462-4") is not None:
        value = (parts["8480-6"], parts["8462-4"])
    found = classify(latest["code"], value, unit, profile=profile) if value is not None and latest["code"] else None
    return {"name": found.name, "severity": found.severity, "scheme": scheme_name(found.scheme)} if found else None


# -- money ------------------------------------------------------------------------------------------------------


def spend_by_month(patient_id: UUID, *, zone: str = "Asia/Taipei", months: int = 36) -> list[Row]:
    """Return self-pay, copayment and NHI part by month and currency, oldest first; months without a bill are left out."""
    found = sql.rows(
        f"""select to_char(issued_at at time zone %(zone)s, 'YYYY-MM') as month, currency,
                  sum(total_amount)::bigint as total, sum(self_pay_amount)::bigint as self_pay,
                  sum(copay_amount)::bigint as copay, count(*) as bills
             from records_invoice where patient_id = %(patient)s and {LIVE} group by 1, 2 order by 1 desc, 2 limit %(months)s""",
        {"patient": patient_id, "zone": zone, "months": months},
    )
    for row in found:
        row["nhi"] = nhi_part(total=row["total"], self_pay=row["self_pay"], copay=row["copay"])
    return found[::-1]


def invoices(patient_id: UUID, *, limit: int = 50) -> list[Row]:
    """Return the latest bills."""
    return sql.rows(
        f"""select id, number, issued_at, payer_kind, currency, total_amount, self_pay_amount, copay_amount, lines, source
             from records_invoice where patient_id = %s and {LIVE} order by issued_at desc, id desc limit %s""",
        [patient_id, limit],
    )


def spend_totals(patient_id: UUID) -> list[Row]:
    """Return what was billed altogether, by currency."""
    found = sql.rows(
        f"""select currency, count(*) as bills, sum(total_amount)::bigint as total, sum(self_pay_amount)::bigint as self_pay,
                  sum(copay_amount)::bigint as copay
             from records_invoice where patient_id = %s and {LIVE} group by currency order by currency""",
        [patient_id],
    )
    for row in found:
        row["nhi"] = nhi_part(total=row["total"], self_pay=row["self_pay"], copay=row["copay"])
    return found


def practitioners() -> list[Row]:
    """Return the professionals who treat patients here, by name."""
    return sql.rows("select id, name, specialty from records_practitioner where is_active order by name")
