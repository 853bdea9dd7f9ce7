"""From a practitioner's week to dated sessions; set-wise, and safe to repeat."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from careloop.audit import services as audit
from careloop.kernel import sql
from careloop.scheduling import errors, holidays, rules
from careloop.scheduling.models import Template

# Sessions exist this far ahead; a service's `days_ahead` cannot reach further.
HORIZON = timedelta(days=120)


@transaction.atomic
def set_template(
    *, template_id: UUID | None = None, values: dict[str, Any], now: datetime, by: UUID | None
) -> Template:
    """Make or change one session of a week, and bring its dated sessions up to date.

    A dated session in which somebody is booked keeps what it was; the page shows those so that staff can decide.

    Raises:
        BadTemplate, OverlappingTemplate: nothing is changed.
    """
    found = Template.objects.select_for_update().filter(pk=template_id).first() if template_id else Template()
    if found is None:
        raise errors.UnknownSession
    for name, value in values.items():
        setattr(found, name, value)
    found.part = rules.part_of_day(found.starts)
    if problem := _problem(found):
        raise errors.BadTemplate(problem=problem)
    if _overlapping(found):
        raise errors.OverlappingTemplate
    found.save()
    found.refresh_from_db()
    remove_unused(template_id=found.pk, now=now)
    plan(now=now, template_id=found.pk)
    audit.record("schedule.changed", target=("template", found.pk), now=now)
    return found


@transaction.atomic
def end_template(*, template_id: UUID, last: date, now: datetime, by: UUID | None) -> int:
    """Let a session of the week end after `last`; return how many dated sessions remain because patients are booked in them."""
    left = remove_unused(template_id=template_id, now=now, after=last)
    if not Template.objects.filter(pk=template_id, valid_from__lte=last).update(valid_to=last):
        # it ends before it began: what remains of it stands alone
        sql.execute("update scheduling_session set template_id = null where template_id = %s", [template_id])
        sql.execute("delete from scheduling_template where id = %s", [template_id])
    audit.record("schedule.changed", target=("template", template_id), now=now)
    return left


def _problem(template: Template) -> str:
    if template.ends <= template.starts:
        return str(_("The session must end after it begins."))
    if template.valid_to is not None and template.valid_to < template.valid_from:
        return str(_("The last day must not lie before the first one."))
    if template.mode == "NUMBERS":
        if not 1 <= (template.numbers or 0) <= 999:
            return str(_("Say how many numbers the session has (1 to 999)."))
        wrong = rules.check_pools(template.pools, numbers=template.numbers)
        if wrong == "twice":
            return str(_("A number is kept for two groups. Give each number to one group only."))
        if wrong == "range":
            return str(_("A group has numbers that the session does not have."))
    return ""


def _overlapping(template: Template) -> bool:
    return bool(
        sql.value(
            """select 1 from scheduling_template t
                where t.id <> %(id)s and t.weekday = %(weekday)s and t.starts < %(ends)s and t.ends > %(starts)s
                  and (t.practitioner_id = %(practitioner)s or t.room_id = %(room)s)
                  and t.valid_from <= coalesce(%(valid_to)s, 'infinity'::date)
                  and coalesce(t.valid_to, 'infinity'::date) >= %(valid_from)s limit 1""",
            {
                "id": template.pk, "weekday": template.weekday, "starts": template.starts, "ends": template.ends,
                "practitioner": template.practitioner_id, "room": template.room_id, "valid_from": template.valid_from,
                "valid_to": template.valid_to,
            },
        )
    )  # fmt: skip


def plan(*, now: datetime, template_id: UUID | None = None, horizon: timedelta = HORIZON) -> int:
    """Make the dated sessions of the days ahead that are missing; return how many. Days the clinic is closed get none.

    A session that would put a practitioner or a room in two places is left out: the one that exists has patients.
    """
    zone = sql.value("select time_zone from tenancy_organization")
    today = now.astimezone(ZoneInfo(zone)).date()
    last = today + horizon
    closed = [
        (day, location["id"])
        for location in sql.rows("select id from tenancy_location where is_active")
        for day in holidays.closed_days(first=today, last=last, location_id=location["id"])
    ]
    return sql.execute(
        """insert into scheduling_session (template_id, practitioner_id, location_id, room_id, on_date, part, starts_at, ends_at,
                                           mode, slot_minutes, numbers, pools, services)
           select t.id, t.practitioner_id, t.location_id, t.room_id, d.day, t.part, (d.day + t.starts) at time zone %(zone)s,
                  (d.day + t.ends) at time zone %(zone)s, t.mode, t.slot_minutes, t.numbers, t.pools, t.services
             from scheduling_template t
             join (select g::date as day from generate_series(%(today)s::date, %(last)s::date, interval '1 day') as g) as d
               on extract(isodow from d.day) = t.weekday and d.day >= t.valid_from
              and d.day <= coalesce(t.valid_to, 'infinity'::date)
            where (%(template)s::uuid is null or t.id = %(template)s)
              and (d.day + t.starts) at time zone %(zone)s > %(now)s
              and (t.on_holidays or not exists (
                    select from unnest(%(days)s::date[], %(places)s::uuid[]) as c(day, location_id)
                     where c.day = d.day and c.location_id = t.location_id))
           on conflict do nothing""",
        {
            "zone": zone, "today": today, "last": last, "now": now, "template": template_id,
            "days": [day for day, _location in closed], "places": [location for _day, location in closed],
        },
    )  # fmt: skip


def remove_unused(*, template_id: UUID, now: datetime, after: date | None = None) -> int:
    """Remove a template's future sessions in which nobody ever had a place; return how many others remain."""
    given = {"template": template_id, "now": now, "after": after}
    sql.execute(
        """delete from scheduling_session s
            where s.template_id = %(template)s and s.starts_at > %(now)s and s.state = 'OPEN'
              and (%(after)s::date is null or s.on_date > %(after)s)
              and not exists (select from scheduling_appointment a where a.session_id = s.id)""",
        given,
    )
    return int(
        sql.value(
            """select count(*) from scheduling_session where template_id = %(template)s and starts_at > %(now)s
                  and (%(after)s::date is null or on_date > %(after)s)""",
            given,
        )
    )
