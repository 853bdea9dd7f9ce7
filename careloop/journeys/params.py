"""What a message of a journey can speak of: the event that put the patient on it, and the day."""

from datetime import datetime
from typing import Any

from careloop.segments.recall import refill_on

PARAMS_OF = """
    jsonb_strip_nulls(jsonb_build_object(
        'visit_date', {context} ->> 'on',
        'until_date', (select f.supply_ends_on from facts_patient f where f.patient_id = {patient}),
        'due_date', (select f.supply_ends_on - %(days_before)s::int from facts_patient f where f.patient_id = {patient})))"""
"""What a journey's texts may name besides what every message knows: when the visit was, when a supply may be fetched."""


def text_params(now: datetime) -> dict[str, Any]:
    try:
        days_before = refill_on(now.date()).days_before
    except LookupError:
        days_before = 10
    return {"days_before": days_before}
