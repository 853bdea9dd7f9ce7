"""Who is called: those who have not confirmed and are likely to miss their visit, those no message reached, those who did not come."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import override

from careloop.followups import services as followups
from careloop.followups.services import Wanted
from careloop.kernel import sql
from careloop.reminders.models import ReminderSettings
from careloop.reminders.planning import ORIGIN
from careloop.reminders.rules import risk_on

MARKS = {"when": "[when]", "practitioner": "[practitioner]"}
"""What a title has where the statement puts in each visit's own."""

# one condition a factor of data/risk.toml; `a` is the appointment, `l` its local times, `x` the patient
FACTORS = {
    "earlier_no_show": """exists (select from scheduling_appointment n where n.patient_id = a.patient_id and n.state = 'noshow'
                           and n.starts_at > %(now)s - make_interval(days => %(look_back)s))""",
    "first_visit": "a.is_first_visit",
    "lead_over_28_days": "a.starts_at - a.created_at > interval '28 days'",
    "lead_7_to_28_days": "a.starts_at - a.created_at between interval '7 days' and interval '28 days'",
    "under_40": "x.birth_date > l.at::date - interval '40 years'",
    "evening": "s.part = 'EVENING'",
    "saturday": "extract(isodow from l.at) = 6",
    "booked_online": "a.source in ('portal', 'line', 'link')",
    "not_reached": """not exists (select from messaging_message m where m.origin = 'appointment' and m.origin_id = a.id::text and m.origin_id <> ''
                       and m.state = 'accepted')""",
}  # fmt: skip


def call_unsure(*, wanted: ReminderSettings, now: datetime) -> int:
    """Put on the worklist whom to call about tomorrow; return how many are new. Set-wise, safe to repeat."""
    zone, language = _clinic()
    local = now.astimezone(zone)
    if local.hour < wanted.call_hour:
        return 0
    tomorrow = datetime.combine(local.date() + timedelta(days=1), time(), zone)
    rule = risk_on(local.date())
    score = " + ".join(f"case when {FACTORS[name]} then {points} else 0 end" for name, points in rule.points.items())
    query = f"""
        select a.patient_id, a.id || ':' || a.sequence || ':call' as origin_id,
               replace(replace(%(words)s, '[when]', to_char(l.at, 'MM/DD HH24:MI')), '[practitioner]', p.name) as title
          from scheduling_appointment a
          join tenancy_organization o on o.id = a.organization_id
          join scheduling_session s on s.id = a.session_id
          join patients_patient x on x.id = a.patient_id
          join records_practitioner p on p.id = a.practitioner_id
          cross join lateral (select a.starts_at at time zone o.time_zone as at) as l
         where a.state = 'booked' and a.confirmed_at is null and a.starts_at >= %(from)s and a.starts_at < %(until)s
           and a.created_at < %(now)s - interval '12 hours' and not x.deceased and x.merged_into_id is null
           and {score} >= %(threshold)s"""
    with override(language):
        return followups.create_many(
            wanted=Wanted(
                query,
                {
                    "from": tomorrow, "until": tomorrow + timedelta(days=1), "look_back": rule.look_back_days,
                    "threshold": rule.threshold, "words": _("Ask whether they are coming: %(when)s, %(practitioner)s") % MARKS,
                },
                has_titles=True,
            ),
            title=_("Ask whether they are coming tomorrow"), script=unsure_script(), due_at=now, now=now, by=None, origin=ORIGIN,
            kind="CALL",
        )  # fmt: skip


def unsure_script() -> str:
    return _(
        "1. Say who is calling, and ask for the patient by name.\n"
        "2. “You have a visit with us tomorrow. Will you be able to come?”\n"
        "3. Yes: confirm the visit in the schedule.\n"
        "4. No: “Thank you for telling us: another patient can be seen then.” Move the visit, or call it off.\n"
        "5. If something makes it hard to come (the way, the time, worries), note it, so that we can help next time."
    )


def tell_by_phone(message_ids: Sequence[UUID], *, now: datetime) -> int:
    """Put on the worklist whom no message could tell that their visit changed; return how many are new."""
    _zone, language = _clinic()
    with override(language):
        return followups.create_many(
            wanted=Wanted(
                """select m.patient_id, m.appointment_id || ':' || m.appointment_sequence || ':tell' as origin_id
                     from messaging_message m
                     join scheduling_appointment a on a.id = m.appointment_id and a.sequence = m.appointment_sequence
                      and a.state = m.appointment_state and a.starts_at > %(now)s
                    where m.id = any(%(messages)s) and m.reason not in ('deceased', 'merged', 'inactive')
                      and split_part(m.key, ':', 4) in ('moved', 'substitute', 'cancelled', 'closed')
                      and a.cancel_reason not in ('patient', 'replaced')""",
                {"messages": list(message_ids)},
            ),
            title=_("Tell the patient that their visit changed: no message reached them"),
            script=_(
                "1. Say who is calling, and ask for the patient by name.\n"
                "2. Say what changed: the old time no longer holds; the schedule shows how it is now.\n"
                "3. Apologise if the clinic changed it, and offer another time if the new one does not suit."
            ),
            due_at=now, now=now, by=None, origin=ORIGIN, kind="CALL", priority=1,
        )  # fmt: skip


def offer_by_phone(message_ids: Sequence[UUID], *, now: datetime) -> int:
    """Put on the worklist to whom a freed place cannot be offered by message, while there is time; return how many are new."""
    _zone, language = _clinic()
    with override(language):
        return followups.create_many(
            wanted=Wanted(
                """select m.patient_id, a.id || ':' || a.sequence || ':offer' as origin_id,
                          replace(replace(replace(%(words)s, '[when]', to_char(a.starts_at at time zone o.time_zone, 'MM/DD HH24:MI')),
                                  '[practitioner]', p.name), '[until]', to_char(f.answer_by at time zone o.time_zone, 'HH24:MI')) as title
                     from messaging_message m join tenancy_organization o on o.id = m.organization_id
                     join scheduling_appointment a on a.id = m.appointment_id and a.state = 'proposed'
                     join scheduling_waitlist_offer f on f.appointment_id = a.id and f.state = 'OPEN' and f.answer_by > %(now)s
                     join records_practitioner p on p.id = a.practitioner_id
                    where m.id = any(%(messages)s) and m.reason not in ('deceased', 'merged', 'inactive')
                      and split_part(m.key, ':', 4) = 'offer'""",
                {
                    "messages": list(message_ids),
                    "words": _("Offer a free place until %(until)s: %(when)s, %(practitioner)s")
                    % {**MARKS, "until": "[until]"},
                },
                has_titles=True,
            ),
            title=_("Offer a free place: no message reached the patient"),
            script=_(
                "1. Say who is calling, and ask for the patient by name.\n"
                "2. “You are on our waitlist, and a place is free.” Say day, time and with whom.\n"
                "3. Note yes or no on the waitlist: the place is kept only until the time in the title."
            ),
            due_at=now, now=now, by=None, origin=ORIGIN, kind="CALL", priority=1,
        )  # fmt: skip


def win_back(appointment_ids: Sequence[UUID], *, now: datetime) -> int:
    """Put on the worklist who did not come, once for each visit; return how many are new."""
    _zone, language = _clinic()
    with override(language):
        return followups.create_many(
            wanted=Wanted(
                """select a.patient_id, a.id || ':noshow' as origin_id,
                          replace(replace(%(words)s, '[when]', to_char(a.starts_at at time zone o.time_zone, 'MM/DD HH24:MI')),
                                  '[practitioner]', p.name) as title
                     from scheduling_appointment a join tenancy_organization o on o.id = a.organization_id
                     join records_practitioner p on p.id = a.practitioner_id
                     join patients_patient x on x.id = a.patient_id and not x.deceased and x.merged_into_id is null
                    where a.id = any(%(visits)s) and a.state = 'noshow'
                      and not exists (select from scheduling_appointment n
                                       where n.patient_id = a.patient_id and n.state = 'booked' and n.starts_at > %(now)s)""",
                {
                    "visits": list(appointment_ids),
                    "words": _("Did not come, find a new time: %(when)s, %(practitioner)s") % MARKS,
                },
                has_titles=True,
            ),
            title=_("Did not come, find a new time"),
            script=_(
                "1. Say who is calling; ask how the patient is before anything else.\n"
                "2. “We missed you at your visit. Is everything all right?” No reproach.\n"
                "3. Offer a new time, and ask what would make it easier to come.\n"
                "4. If they do not want one, note why and close with “declined”."
            ),
            due_at=now, now=now, by=None, origin=ORIGIN, kind="VISIT",
        )  # fmt: skip


def close_calls(appointment_ids: Sequence[UUID], *, kinds: Sequence[str], reason: str, now: datetime) -> int:
    """Take calls about these visits off the worklist: the patient answered, or the visit is another one now."""
    if not appointment_ids:
        return 0
    return _cancel(
        """select f.id from followups_follow_up f join scheduling_appointment a on a.patient_id = f.patient_id
            where a.id = any(%(visits)s) and f.origin = 'appointment' and f.state = 'OPEN'
              and split_part(f.origin_id, ':', 1) = a.id::text and split_part(f.origin_id, ':', 3) = any(%(kinds)s)""",
        {"visits": list(appointment_ids), "kinds": list(kinds)}, reason=reason, now=now,
    )  # fmt: skip


def close_win_backs(patient_ids: Sequence[UUID], *, reason: str, now: datetime) -> int:
    """Take these patients' missed visits off the worklist: they have a new time."""
    return _cancel(
        """select f.id from followups_follow_up f
            where f.patient_id = any(%(patients)s) and f.origin = 'appointment' and f.state = 'OPEN'
              and split_part(f.origin_id, ':', 2) = 'noshow'""",
        {"patients": list(patient_ids)}, reason=reason, now=now,
    )  # fmt: skip


def _cancel(query: str, params: dict[str, list[UUID] | list[str]], *, reason: str, now: datetime) -> int:
    ids = [row["id"] for row in sql.rows(query, params)]
    return followups.cancel(follow_up_ids=ids, reason=reason, now=now, by=None) if ids else 0


def _clinic() -> tuple[ZoneInfo, str]:
    found = sql.row("select time_zone, language from tenancy_organization")
    assert found is not None
    return ZoneInfo(found["time_zone"]), found["language"]
