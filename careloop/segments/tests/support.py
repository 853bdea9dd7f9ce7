"""Patients with histories, and a slow second opinion about rules."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from careloop.consent.models import Consent
from careloop.facts import rules as facts_rules
from careloop.facts.models import PatientFacts, Stage
from careloop.kernel import sql
from careloop.kernel.dates import age_by_birth_year, age_in_months, age_in_years
from careloop.patients.models import ContactPoint, HealthNote, Patient, PatientTag, Tag
from careloop.records.models import (
    Condition,
    Encounter,
    Immunization,
    Invoice,
    Medication,
    Observation,
    Procedure,
)
from careloop.segments import recall

TAIPEI = ZoneInfo("Asia/Taipei")


def a_patient(**fields) -> Patient:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Patient.objects.create(**{"name": "王小明", "created_at": at, "updated_at": at, **fields})


def visit(patient, at, **fields):
    return Encounter.objects.create(patient=patient, started_at=at, recorded_at=at, **{"status": "finished", **fields})


def invoice(patient, at, self_pay):
    return Invoice.objects.create(patient=patient, issued_at=at, recorded_at=at, self_pay_amount=self_pay)


def condition(patient, code, at, **fields):
    return Condition.objects.create(
        patient=patient, code=code, onset_at=at, recorded_at=at, **{"status": "active", **fields}
    )


def procedure(patient, code, at):
    return Procedure.objects.create(patient=patient, code=code, performed_at=at, recorded_at=at, status="completed")


def result(patient, code, value, at):
    return Observation.objects.create(
        patient=patient, code=code, value_number=value, observed_at=at, recorded_at=at, status="final"
    )


def vaccination(patient, code, at):
    return Immunization.objects.create(patient=patient, code=code, given_at=at, recorded_at=at, status="completed")


def prescription(patient, ends: date, left: int, at):
    return Medication.objects.create(
        patient=patient, code="A10BA02", recorded_at=at, started_at=at, is_refillable=True, status="active",
        supply_ends_on=ends, fills_allowed=3, fills_taken=3 - left,
    )  # fmt: skip


def consent(patient, purpose, channel, decision, at, source="paper"):
    Consent.objects.filter(patient=patient, purpose=purpose, channel=channel, ended_at=None).update(ended_at=at)
    return Consent.objects.create(
        patient=patient, purpose=purpose, channel=channel, decision=decision, source=source, decided_at=at
    )


def contact(patient, system, reach="unknown", mobile=False):
    return ContactPoint.objects.create(
        patient=patient, system=system, reach=reach, is_mobile=mobile, value_sealed=b"x",
        value_index=f"{patient.id}{system}".encode(),
    )  # fmt: skip


def tag(patient, number, at) -> Tag:
    made, _new = Tag.objects.get_or_create(number=number, defaults={"name": f"標籤{number}"})
    PatientTag.objects.get_or_create(patient=patient, tag=made, defaults={"given_at": at})
    return made


def event(patient, kind, at, *, historical=False, **payload):
    import orjson

    sql.execute(
        "insert into events_event (kind, patient_id, occurred_at, historical, payload) values (%s, %s, %s, %s, %s)",
        [kind, patient.id, at, historical, orjson.dumps(payload).decode()],
    )


# -- the slow second opinion ----------------------------------------------------------------------------------


def day_of(moment: datetime) -> date:
    return moment.astimezone(TAIPEI).date()


def code_fits(code: str, codes) -> bool:
    wanted = recall.expand(codes)
    return any(code.startswith(one[:-1]) if one.endswith("*") else code == one for one in wanted)


def holds(rule: dict, patient: Patient, today: date) -> bool:
    """Whether a rule holds for one patient, read leaf by leaf in Python."""
    if "all" in rule:
        return all(holds(part, patient, today) for part in rule["all"])
    if "any" in rule:
        return any(holds(part, patient, today) for part in rule["any"])
    if "not" in rule:
        return not holds(rule["not"], patient, today)
    return leaf_holds(rule, patient, PatientFacts.objects.get(patient=patient), today)


def leaf_holds(rule: dict, patient: Patient, row: PatientFacts, today: date) -> bool:
    ago = today - timedelta(days=rule.get("days", 0))
    name, op = rule["field"], rule["op"]
    if name in DATES:
        value = getattr(row, DATES[name])
        if op in ("known", "never"):
            return (value is not None) == (op == "known")
        if value is None:
            return False
        return {
            "more_than_days_ago": lambda: value < ago,
            "within_last_days": lambda: ago <= value <= today,
            "before": lambda: value < date.fromisoformat(rule["day"]),
            "since": lambda: value >= date.fromisoformat(rule["day"]),
        }[op]()
    if name in NUMBERS:
        value = getattr(row, NUMBERS[name])
        limit = rule.get("count", rule.get("amount"))
        return value is not None and (value >= limit if op == "at_least" else value <= limit)
    if name == "age":
        if op == "unknown":
            return patient.birth_date is None
        if patient.birth_date is None or patient.birth_date > today:
            return False
        count = {"between": age_in_years, "birth_year_between": age_by_birth_year, "months_between": age_in_months}
        return rule["from"] <= count[op](patient.birth_date, on=today) <= rule["to"]
    if name == "birthday":
        if patient.birth_date is None:
            return False
        days = [today + timedelta(days=n) for n in range(rule.get("days", 0) + 1)]
        if op == "this_week":
            monday = today - timedelta(days=today.weekday())
            days = [monday + timedelta(days=n) for n in range(7)]
        if op == "this_month":
            return patient.birth_date.month == today.month
        return any(has_birthday_on(patient.birth_date, day) for day in days)
    if name == "sex":
        return (patient.sex in rule["values"]) == (op == "is_any")
    if name == "stage":
        return (Stage(row.stage).name in rule["values"]) == (op == "is_any")
    if name == "tags":
        mine = {str(link.tag_id) for link in PatientTag.objects.filter(patient=patient)}
        wanted = set(rule["tags"])
        return {"has_any": bool(mine & wanted), "has_all": wanted <= mine, "has_none": not mine & wanted}[op]
    if name == "consent":
        decisions = Consent.objects.filter(patient=patient, ended_at=None)
        permitted, refused = facts_rules.effective_consent(
            decisions.values_list("purpose", "channel", "decision", "source")
        )
        channels = facts_rules.CHANNELS if rule["channel"] == "any" else [rule["channel"]]
        bits = [facts_rules.consent_bit(rule["purpose"], channel) for channel in channels]
        return {
            "given": any(permitted & bit for bit in bits),
            "refused": any(refused & bit for bit in bits),
            "unasked": not any((permitted | refused) & bit for bit in bits),
            "allows": any(permitted & bit for bit in bits)
            if "MARKETING" in rule["purpose"]
            else not all(refused & bit for bit in bits),
        }[op]
    if name == "reach":
        mine = list(ContactPoint.objects.filter(patient=patient))
        systems = {"line": "line", "sms": "phone", "email": "email", "wechat": "wechat", "phone": "phone"}
        channels = facts_rules.CHANNELS if rule["channel"] == "any" else [rule["channel"]]
        fitting = [
            one for one in mine for channel in channels
            if one.system == systems[channel] and (channel != "sms" or one.is_mobile)
        ]  # fmt: skip
        arriving = [one for one in fitting if one.reach not in ("blocked", "bounced")]
        return {"arrives": bool(arriving), "arrives_not": not arriving, "has_none": not fitting}[op]
    if name == "event":
        times = sql.rows(
            "select occurred_at from events_event where patient_id = %s and kind = %s", [patient.id, rule["kind"]]
        )
        found = sum(day_of(one["occurred_at"]) >= ago for one in times)
        return found >= rule["count"] if op == "happened" else found == 0
    if name == "spent":
        bills = Invoice.objects.filter(patient=patient)
        return sum(b.self_pay_amount for b in bills if day_of(b.issued_at) >= ago) >= rule["amount"] and any(
            day_of(b.issued_at) >= ago for b in bills
        )
    if name in ("condition", "procedure", "immunization"):
        model, moment = RECORDS[name]
        mine = [
            one for one in model.objects.filter(patient=patient)
            if code_fits(one.code, rule["codes"]) and (name != "condition" or one.status != "resolved")
            and (op in ("has", "has_not") or day_of(getattr(one, moment)) >= ago)
        ]  # fmt: skip
        return bool(mine) == (op in ("has", "has_within"))
    if name == "latest_result":
        mine = [o for o in Observation.objects.filter(patient=patient) if code_fits(o.code, rule["codes"])]
        mine.sort(key=lambda o: (o.observed_at, o.id))
        if not mine:
            return False
        return mine[-1].value_number >= rule["level"] if op == "at_least" else mine[-1].value_number < rule["level"]
    if name == "recall":
        return recall_holds(rule["rule"], op, patient, today)
    if name == "child_vaccine":
        return vaccine_is_due(patient, today)
    if name == "refill":
        refill = recall.refill_on(today)
        if row.supply_ends_on is None:
            return False
        return (
            refill.opens_on(row.supply_ends_on) <= today
            and row.supply_ends_on >= today - timedelta(days=refill.late_days)
            and row.refills_left > 0
        )
    raise AssertionError(f"no second opinion about {name}")


def has_birthday_on(born: date, day: date) -> bool:
    if (born.month, born.day) == (2, 29):
        leap = day.year % 4 == 0 and (day.year % 100 != 0 or day.year % 400 == 0)
        return (day.month, day.day) == (2, 29 if leap else 28)
    return (born.month, born.day) == (day.month, day.day)


def recall_holds(rule_id: str, op: str, patient: Patient, today: date) -> bool:
    rule = recall.rules_on(today).get(rule_id)
    if rule is None:
        return op == "not_due"
    notes = set(HealthNote.objects.filter(patient=patient).values_list("code", flat=True))
    codes = [c.code for c in Condition.objects.filter(patient=patient).exclude(status="resolved")]
    is_for = patient.birth_date is not None and any(
        who.is_of_age(patient.birth_date, today)
        and (not who.sex or who.sex == patient.sex)
        and (not who.notes or notes & set(who.notes))
        and (not who.conditions or any(code_fits(code, who.conditions) for code in codes))
        for who in rule.who
    )
    if op == "is_for":
        return is_for
    done = [
        day_of(getattr(one, moment))
        for kind, wanted in rule.done.items()
        if kind in DONE
        for model, moment in [DONE[kind]]
        for one in model.objects.filter(patient=patient)
        if code_fits(one.code, wanted)
    ]
    due = is_for and rule.is_due(last_done=max(done, default=None), today=today)
    return due if op == "due" else not due


def vaccine_is_due(child: Patient, today: date) -> bool:
    schedule = recall.schedule_on(today)
    if child.birth_date is None or child.birth_date > today:
        return False
    months = age_in_months(child.birth_date, on=today)
    if months > schedule.until_months:
        return False
    given = list(Immunization.objects.filter(patient=child))
    for vaccine, codes in schedule.codes.items():
        had = len({day_of(one.given_at) for one in given if one.code in codes})
        wanted = sum(1 for dose in schedule.doses if dose.vaccine == vaccine and dose.from_months <= months)
        if had < wanted:
            return True
    return False


DATES = {"last_visit": "last_visit_on", "first_visit": "first_visit_on", "registered": "registered_on"}
NUMBERS = {
    "visits": "visits", "visits_12m": "visits_12m", "own_rhythm": "visit_interval_days",
    "self_pay_12m": "self_pay_12m", "self_pay_total": "self_pay_total",
}  # fmt: skip
RECORDS = {
    "condition": (Condition, "onset_at"), "procedure": (Procedure, "performed_at"),
    "immunization": (Immunization, "given_at"),
}  # fmt: skip
DONE = {
    "procedures": (Procedure, "performed_at"), "observations": (Observation, "observed_at"),
    "immunizations": (Immunization, "given_at"), "encounters": (Encounter, "started_at"),
}  # fmt: skip
