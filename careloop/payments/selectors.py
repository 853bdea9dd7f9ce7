"""What screens and pages read about payments. Callers audit what they show."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from careloop.accounts.scope import at_home
from careloop.kernel import sql

Row = dict[str, Any]
WAITING_STATES = ("REQUESTED", "STARTED", "FAILED")
PAGE = 50

COLUMNS = """
p.id, p.patient_id, p.appointment_id, p.title, p.amount, p.copay, p.currency, p.state, p.reason, p.method, p.refunded, p.refunded_at_will,
p.requested_at, p.expires_at, p.started_at, p.paid_at, p.version, q.name, q.chart_number,
coalesce(nullif(u.name, ''), u.email) as requested_by,
exists (select 1 from payments_attempt x where x.payment_id = p.id and x.is_extra) as is_paid_twice,
coalesce((select k.kind = 'sandbox' or k.settings ->> 'environment' = 'stage' from payments_attempt t
            join payments_account k on k.id = t.account_id
           where t.payment_id = p.id and t.state = 'PAID' limit 1), false) as is_play_money
"""
FROM = """
from payments_payment p join patients_patient q on q.id = p.patient_id left join accounts_user u on u.id = p.requested_by_id
"""


@dataclass(frozen=True)
class Filters:
    """What a list of payments is limited to; `since` and `until` are moments of asking."""

    state: str = ""  # a state, WAITING (not paid yet), or REFUNDED
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""  # a chart number or part of a name


def _where(filters: Filters) -> tuple[str, Row]:
    here, params = at_home("q.home_location_id")
    conditions = [f"true{here}"]
    if filters.state == "WAITING":
        conditions.append("p.state in ('REQUESTED', 'STARTED', 'FAILED')")
    elif filters.state == "REFUNDED":
        conditions.append("p.refunded > 0")
    elif filters.state:
        conditions.append("p.state = %(state)s")
        params["state"] = filters.state
    if filters.since:
        conditions.append("p.requested_at >= %(since)s")
        params["since"] = filters.since
    if filters.until:
        conditions.append("p.requested_at < %(until)s")
        params["until"] = filters.until
    if filters.text:
        conditions.append("(q.chart_number = %(text)s or position(%(text)s in q.name) > 0)")
        params["text"] = filters.text
    return " and ".join(conditions), params


def listed(filters: Filters, *, beyond: str, order: str, limit: int, more: Row) -> list[Row]:
    """Return one page of payments, the latest asked first; `beyond` and `order` come from a keyset."""
    where, params = _where(filters)
    return sql.rows(
        f"select {COLUMNS} {FROM} where {where} and {beyond} order by {order} limit %(limit)s",
        {**params, **more, "limit": limit},
    )


def sums(filters: Filters) -> list[Row]:
    """Return how much was asked for, paid, given back and still waits, per currency: one statement."""
    where, params = _where(filters)
    return sql.rows(
        f"""select p.currency, count(*)::int as count, sum(p.amount)::bigint as asked,
                   coalesce(sum(p.amount) filter (where p.state = 'PAID'), 0)::bigint as paid,
                   coalesce(sum(p.refunded), 0)::bigint as refunded,
                   coalesce(sum(p.amount) filter (where p.state in ('REQUESTED', 'STARTED', 'FAILED')), 0)::bigint as waiting
              {FROM} where {where} group by p.currency order by p.currency""",
        params,
    )


def payment(payment_id: UUID) -> Row | None:
    """Return one payment with its lines, tries and refunds; None when there is none the reader may see."""
    here, params = at_home("q.home_location_id")
    return sql.row(
        f"""select {COLUMNS},
                   (select json_agg(json_build_object('kind', i.kind, 'name', i.name, 'amount', i.amount, 'full_amount', i.full_amount)
                                    order by i.position) from payments_item i where i.payment_id = p.id) as items,
                   (select coalesce(json_agg(json_build_object('trade_no', t.trade_no, 'provider_trade_no', t.provider_trade_no,
                           'state', t.state, 'is_extra', t.is_extra, 'said', t.said, 'at', t.started_at, 'account', k.name, 'kind', k.kind)
                           order by t.started_at desc), '[]')
                      from payments_attempt t join payments_account k on k.id = t.account_id where t.payment_id = p.id) as attempts,
                   (select coalesce(json_agg(json_build_object('id', r.id, 'amount', r.amount, 'reason', r.reason, 'by_hand', r.by_hand,
                           'at', r.asked_at, 'by', coalesce(nullif(a.name, ''), a.email), 'steps',
                           (select json_agg(json_build_object('step', s.step, 'said', s.said, 'reference', s.reference) order by s.id)
                              from payments_refund_step s where s.refund_id = r.id)) order by r.asked_at desc), '[]')
                      from payments_refund r left join accounts_user a on a.id = r.asked_by_id where r.payment_id = p.id) as refunds
              {FROM} where p.id = %(id)s{here}""",
        {**params, "id": payment_id},
    )


def of_patient(patient_id: UUID, *, limit: int = 50) -> list[Row]:
    """Return a patient's payments, the latest first."""
    return sql.rows(
        f"select {COLUMNS} {FROM} where p.patient_id = %(patient)s order by p.requested_at desc, p.id desc limit %(limit)s",
        {"patient": patient_id, "limit": limit},
    )


def of_appointment(appointment_id: UUID) -> list[Row]:
    """Return what was asked for about one appointment."""
    return sql.rows(
        f"select {COLUMNS} {FROM} where p.appointment_id = %(id)s order by p.requested_at, p.id", {"id": appointment_id}
    )


def waiting_for(patient_id: UUID, *, now: datetime) -> list[Row]:
    """Return what this patient can pay now, and what was paid lately: for the patient's own pages."""
    return sql.rows(
        """select p.id, p.appointment_id, p.title, p.amount, p.currency, p.state, p.expires_at, p.paid_at, p.refunded
             from payments_payment p
            where p.patient_id = %(patient)s
              and (p.state in ('REQUESTED', 'STARTED', 'FAILED') and p.expires_at > %(now)s
                   or p.state = 'PAID' and p.paid_at > %(now)s - interval '90 days')
            order by p.state = 'PAID', p.requested_at desc limit 30""",
        {"patient": patient_id, "now": now},
    )


def chargeable(appointment_id: UUID) -> Row | None:
    """Return an appointment with what its service costs, for the form that asks for a payment."""
    here, params = at_home("q.home_location_id")
    return sql.row(
        f"""select a.id, a.patient_id, a.starts_at, a.state, a.service_id, v.name as service, v.payer, v.price, v.deposit, q.name
              from scheduling_appointment a join scheduling_service v on v.id = a.service_id join patients_patient q on q.id = a.patient_id
             where a.id = %(id)s{here}""",
        {**params, "id": appointment_id},
    )


def services_with_price() -> list[Row]:
    """Return the self-pay services that have a price."""
    return sql.rows(
        """select id, name, names, price, deposit from scheduling_service
            where is_active and payer = 'SELF' and (price > 0 or deposit > 0) order by name"""
    )
