"""Visits, appointments and what was spent."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from careloop.kernel import sql
from careloop.segments.catalogue.common import (
    AMOUNT,
    APPOINTMENT_KINDS,
    APPOINTMENTS,
    DAYS,
    MONEY,
    MONEY_KINDS,
    VISIT_KINDS,
    VISITS,
    choices,
    column,
    date_operators,
    number_operators,
    simple,
)
from careloop.segments.fields import Ask, Field, Operator, Parameter, Text, Values, register


def _missed_and_gone(ask: Ask, v: Values) -> str:
    return (
        f"f.last_no_show_on > coalesce(greatest(f.last_visit_on, f.last_kept_on), '-infinity') "
        f"and (f.next_appointment_on >= {ask.bind(ask.today)}) is not true"
    )


def _spent(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    total = (
        f"r.issued_at >= {since} and not r.entered_in_error and r.currency = {ask.bind(ask.currency)} "
        "and r.status not in ('draft', 'cancelled', 'entered-in-error')"
    )
    amount = ask.bind(v["amount"])
    if ask.few:
        return (
            # who has no bill in the period has no sum, and is not selected: the same as in the grouped form
            f"coalesce((select sum(r.self_pay_amount) from records_invoice as r "
            f"where r.patient_id = f.patient_id and {total})::bigint >= {amount}, false)"
        )
    return (
        f"f.patient_id in (select r.patient_id from records_invoice as r where {total} "
        f"group by r.patient_id having sum(r.self_pay_amount)::bigint >= {amount})"
    )


def _visited(ask: Ask, v: Values) -> str:
    since = ask.start_of(ask.today - timedelta(days=v["days"]))
    until = ask.start_of(ask.today + timedelta(days=1))
    return (
        f"exists (select 1 from records_encounter as r where r.patient_id = f.patient_id and not r.entered_in_error "
        f"and r.status not in ('planned', 'cancelled', 'entered-in-error', 'noshow') "
        f"and r.started_at >= {since} and r.started_at < {until} "
        f"and r.department = any({ask.bind(list(v['values']))}))"
    )


def department_options() -> list[tuple[str, Text]]:
    found = sql.rows(
        "select distinct department from records_encounter where department <> '' order by department limit 100"
    )
    return [(row["department"], row["department"]) for row in found]


INTERVAL = Parameter(
    "count",
    "number",
    pgettext_lazy("segment rule", "days"),
    unit=pgettext_lazy("segment rule", "days"),
    least=1,
    most=3650,
    default=180,
)

register(
    simple("last_visit", _("Last visit"), VISITS, date_operators("f.last_visit_on"), VISIT_KINDS, "date",
            column="last_visit_on"),
    simple("first_visit", _("First visit"), VISITS, date_operators("f.first_visit_on"), VISIT_KINDS, "date",
            column="first_visit_on"),
    simple("visits", _("Visits so far"), VISITS, number_operators("f.visits"), VISIT_KINDS, "number",
            column="visits"),
    simple("visits_12m", _("Visits in 12 months"), VISITS, number_operators("f.visits_12m"), VISIT_KINDS, "number",
            column="visits_12m"),
    simple("own_rhythm", _("Own rhythm of visits"), VISITS,
            number_operators("f.visit_interval_days", parameter=INTERVAL), VISIT_KINDS, "number",
            column="visit_interval_days", help=_("Usual days between visits; known from the third visit day on.")),
    Field("next_appointment", _("Next appointment"), APPOINTMENTS, (
        Operator("exists", _("is booked"), lambda ask, v: f"f.next_appointment_on >= {ask.bind(ask.today)}",
                 _("has an appointment")),
        Operator("none", _("is not booked"), lambda ask, v: f"(f.next_appointment_on >= {ask.bind(ask.today)}) is not true",
                 _("has no appointment")),
        *(one for one in date_operators("f.next_appointment_on", future=True)
          if one.name in ("within_next_days", "before", "since")),
        Operator("more_than_days_ahead", _("later than in"),
                 lambda ask, v: f"f.next_appointment_on > {ask.bind(ask.today + timedelta(days=v['days']))}",
                 _("%(field)s: more than %(days)s days ahead"), (DAYS,)),
    ), kinds=APPOINTMENT_KINDS, value=column("next_appointment_on"), shown="date",
        help=_("The next visit that is booked, today or later.")),
    Field("last_no_show", _("Last missed appointment"), APPOINTMENTS, (
        *date_operators("f.last_no_show_on"),
        Operator("neither_came_nor_booked", _("and neither came nor booked since"), _missed_and_gone,
                 _("missed an appointment, and neither came nor booked since")),
    ), kinds=APPOINTMENT_KINDS | VISIT_KINDS, value=column("last_no_show_on"), shown="date"),
    simple("no_shows_12m", _("Missed appointments in 12 months"), APPOINTMENTS, number_operators("f.no_shows_12m"),
            APPOINTMENT_KINDS, "number", column="no_shows_12m"),
    simple("kept_appointments", _("Kept appointments"), APPOINTMENTS, number_operators("f.kept_appointments"),
            APPOINTMENT_KINDS, "number", column="kept_appointments"),
    simple("last_kept", _("Last kept appointment"), APPOINTMENTS, date_operators("f.last_kept_on"), APPOINTMENT_KINDS, "date",
            column="last_kept_on"),
    simple("last_booked", _("Last booking made"), APPOINTMENTS, date_operators("f.last_booked_on"), APPOINTMENT_KINDS, "date",
            column="last_booked_on"),
    Field("department", _("Department visited"), VISITS, (
        Operator("within_last_days", _("is one of, within the last"), _visited,
                 _("visited %(values)s within the last %(days)s days"),
                 (choices(department_options, _("departments"), living=True), DAYS)),
    ), clinical=True, kinds=VISIT_KINDS, heavy=True),
    simple("self_pay_12m", _("Self-pay in 12 months"), MONEY, number_operators("f.self_pay_12m", parameter=AMOUNT),
            MONEY_KINDS, "money", column="self_pay_12m"),
    simple("self_pay_total", _("Self-pay altogether"), MONEY,
            number_operators("f.self_pay_total", parameter=AMOUNT), MONEY_KINDS, "money", column="self_pay_total"),
    Field("spent", _("Self-pay in a period"), MONEY, (
        Operator("at_least", _("is at least, within the last"), _spent,
                 _("self-pay of at least %(amount)s within the last %(days)s days"), (AMOUNT, DAYS)),
    ), kinds=MONEY_KINDS, heavy=True),
    simple("nhi_visits", _("NHI visits"), MONEY, number_operators("f.nhi_visits"), MONEY_KINDS, "number",
            column="nhi_visits"),
    simple("last_invoice", _("Last invoice"), MONEY, date_operators("f.last_invoice_on"), MONEY_KINDS, "date",
            column="last_invoice_on"),
)  # fmt: skip
