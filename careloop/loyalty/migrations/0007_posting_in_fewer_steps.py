"""Earning and spending with less work: what is needed is read with the lock, and each table is written by one statement.

What they decide is what migration 0002 says. A posting's time is not its rows but its statements and the functions between them.
"""

from importlib import import_module

from django.db import migrations

from careloop.loyalty.points.functions import WHO, WHY, posting

before = import_module("careloop.loyalty.migrations.0002_posting")

# asked where no function has to be called: the one behind it only refuses
FOLLOWS = """
drop trigger loyalty_balance_follows on loyalty_account;
create trigger loyalty_balance_follows before update of balance on loyalty_account for each row
    when (old.balance is distinct from new.balance and not has_table_privilege('loyalty_entry'::regclass, 'insert'))
    execute function loyalty_balance_follows();
"""
FOLLOWED = """
drop trigger loyalty_balance_follows on loyalty_account;
create trigger loyalty_balance_follows before update of balance on loyalty_account for each row
    when (old.balance is distinct from new.balance) execute function loyalty_balance_follows();
"""

# the account, locked, with its programme's rules, the organization's zone and the account on the other side
LOCKED = """
    select a.id, a.patient_id, a.pool_id, a.state, a.balance, x.id as other_id, p.valid_months, p.when_spent, o.time_zone into member
      from loyalty_account a join loyalty_programme p on p.id = a.programme_id join tenancy_organization o on o.id = p.organization_id
      join loyalty_account x on x.programme_id = a.programme_id and x.kind = other_kind and not (x.kind in ('PATIENT', 'POOL'))
     where a.id = wanted_account and a.kind = 'PATIENT' for no key update of a;
"""

EARN = f"""
declare
    member record;
    posted loyalty_posted;
    other_kind text := case entry_kind when 'EARN' then 'ISSUED' else 'ADJUSTED' end;
    holder uuid;
    has bigint;
    paid int;
    lot bigint;
begin
{LOCKED}
    if member.id is null or member.state <> 'ACTIVE' then
        posted := loyalty_earlier(given_key, wanted_account);
        if posted.entry_id is null then
            posted.outcome := case when member.id is null then 'UNKNOWN' else 'LEFT' end;
        end if;
        return posted;
    end if;
    holder := member.id;
    has := member.balance;
    if member.pool_id is not null then
        select a.id, a.balance into holder, has from loyalty_account a where a.id = member.pool_id for no key update;
    end if;
    if by_rule then
        expires := loyalty_last_day((happened_at at time zone member.time_zone)::date, member.valid_months);
    end if;
    insert into loyalty_entry (kind, from_account_id, to_account_id, to_member_id, points, to_balance, key, because, because_ref,
            occurred_at, recorded_at, recorded_by_id)
    values (entry_kind, member.other_id, holder, member.id, given_points, has + given_points, given_key, why, why_ref,
            happened_at, right_now, by_user)
    on conflict (organization_id, key) do nothing returning id into posted.entry_id;
    if posted.entry_id is null then
        return loyalty_earlier(given_key, wanted_account);
    end if;
    if words <> '' then
        insert into loyalty_entry_note (entry_id, words) values (posted.entry_id, words);
    end if;
    paid := least(greatest(-has, 0), given_points);
    insert into loyalty_lot (account_id, brought_by_id, entry_id, earning_id, earned_at, expires_on, points, "left", is_open)
    values (holder, member.id, posted.entry_id, posted.entry_id, happened_at, expires, given_points, given_points - paid, given_points > paid)
    returning id into lot;
    if paid > 0 then
        insert into loyalty_lot_use (entry_id, lot_id, points) values (posted.entry_id, lot, -paid);
    end if;
    update loyalty_account a set balance = a.balance + given_points where a.id = holder;
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, historical, payload)
    values (case entry_kind when 'EARN' then 'loyalty.points_earned' else 'loyalty.points_adjusted' end, member.patient_id, happened_at,
            right_now, by_kind, by_id, '', false,
            jsonb_build_object('entry_id', posted.entry_id, 'account_id', member.id, 'points', given_points, 'because', why, 'ref', why_ref));
    return ('NEW', posted.entry_id, given_points, has + given_points, member.id, member.patient_id)::loyalty_posted;
end
"""

SPEND = f"""
declare
    member record;
    posted loyalty_posted;
    lot record;
    other_kind text := case entry_kind when 'SPEND' then 'REDEEMED' else 'ADJUSTED' end;
    holder uuid;
    has bigint;
    today date;
    ends boolean;
    rest int;
begin
{LOCKED}
    holder := coalesce(member.pool_id, member.id);
    has := member.balance;
    if member.pool_id is not null then
        select a.balance into has from loyalty_account a where a.id = holder for no key update;
    end if;
    today := (right_now at time zone member.time_zone)::date;
    ends := exists (select from loyalty_lot l where l.account_id = holder and l.is_open and l.expires_on < today);
    -- an earlier posting under this key changes nothing, not even what has ended; the entry's own key finds it otherwise
    if ends or has < given_points or member.state is distinct from 'ACTIVE' then
        posted := loyalty_earlier(given_key, wanted_account);
        if posted.entry_id is not null then
            return posted;
        elsif member.state is distinct from 'ACTIVE' then
            posted.outcome := case when member.id is null then 'UNKNOWN' else 'LEFT' end;
            return posted;
        elsif ends then
            perform loyalty_let_expire(array[holder], today, right_now);
            has := (select a.balance from loyalty_account a where a.id = holder);
        end if;
        if has < given_points and not (entry_kind = 'ADJUST' and member.when_spent = 'NEGATIVE') then
            return ('SHORT', null, null, has, null, null)::loyalty_posted;
        end if;
    end if;
    insert into loyalty_entry (kind, from_account_id, to_account_id, from_member_id, points, from_balance, key, because, because_ref,
            occurred_at, recorded_at, recorded_by_id)
    values (entry_kind, holder, member.other_id, member.id, given_points, has - given_points, given_key, why, why_ref,
            right_now, right_now, by_user)
    on conflict (organization_id, key) do nothing returning id into posted.entry_id;
    if posted.entry_id is null then
        return loyalty_earlier(given_key, wanted_account);
    end if;
    if words <> '' then
        insert into loyalty_entry_note (entry_id, words) values (posted.entry_id, words);
    end if;
    rest := least(greatest(has, 0), given_points);
    if rest > 0 then
        perform loyalty_take(posted.entry_id, holder, rest, null);
    end if;
    update loyalty_account a set balance = a.balance - given_points where a.id = holder;
    insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, historical, payload)
    values (case entry_kind when 'SPEND' then 'loyalty.points_spent' else 'loyalty.points_adjusted' end, member.patient_id, right_now,
            right_now, by_kind, by_id, '', false,
            jsonb_build_object('entry_id', posted.entry_id, 'account_id', member.id,
                'points', case entry_kind when 'SPEND' then given_points else -given_points end, 'because', why, 'ref', why_ref));
    return ('NEW', posted.entry_id, -given_points, has - given_points, member.id, member.patient_id)::loyalty_posted;
end
"""

# No join of two of its own lists: how long they are the planner cannot know, and it would go through one for each row of the other.
EARN_MANY = """
declare
    answers jsonb;
    entries regclass := pg_get_serial_sequence('loyalty_entry', 'id');
    lots regclass := pg_get_serial_sequence('loyalty_lot', 'id');
begin
    perform from loyalty_account a where a.id in (select g.account_id from jsonb_to_recordset(given) as g(account_id uuid))
      order by a.id for no key update;
    perform from loyalty_account a where a.id in (
        select m.pool_id from loyalty_account m
         where m.id in (select g.account_id from jsonb_to_recordset(given) as g(account_id uuid)) and m.pool_id is not null)
      order by a.id for no key update;
    with asked as materialized (
        select * from rows from (jsonb_to_recordset(given) as (
                   account_id uuid, points int, key text, why text, why_ref text, words text, happened_at timestamptz, expires date,
                   by_rule boolean, by_user uuid)) with ordinality
               as g(account_id, points, key, why, why_ref, words, happened_at, expires, by_rule, by_user, place)
    ), first_asked as (
        select distinct on (g.key) g.*, m.patient_id, m.programme_id, coalesce(m.pool_id, m.id) as holder_id
          from asked g join loyalty_account m on m.id = g.account_id and m.kind = 'PATIENT' and m.state = 'ACTIVE'
         where not exists (select from loyalty_entry e where e.key = g.key)
         order by g.key, g.place
    ), fresh as materialized (
        select q.*, least(q.points, greatest(0, -q.had - (q.so_far - q.points)))::int as paid from (
            select f.*, nextval(entries) as entry_id, nextval(lots) as lot_id, h.balance as had, x.id as issued_id,
                   sum(f.points) over (partition by f.holder_id order by f.place) as so_far,
                   case when f.by_rule then loyalty_last_day((f.happened_at at time zone o.time_zone)::date, p.valid_months) else f.expires end as ends_on
              from first_asked f join loyalty_account h on h.id = f.holder_id join loyalty_programme p on p.id = f.programme_id
              join tenancy_organization o on o.id = p.organization_id
              join loyalty_account x on x.programme_id = p.id and x.kind = 'ISSUED' and not (x.kind in ('PATIENT', 'POOL'))) as q
    ), written as (
        insert into loyalty_entry (id, kind, from_account_id, to_account_id, to_member_id, points, to_balance, key, because, because_ref,
                occurred_at, recorded_at, recorded_by_id)
        select f.entry_id, 'EARN', f.issued_id, f.holder_id, f.account_id, f.points, f.had + f.so_far, f.key, f.why, f.why_ref, f.happened_at,
               right_now, f.by_user from fresh f
    ), noted as (
        insert into loyalty_entry_note (entry_id, words) select f.entry_id, f.words from fresh f where f.words <> ''
    ), put as (
        insert into loyalty_lot (id, account_id, brought_by_id, entry_id, earning_id, earned_at, expires_on, points, "left", is_open)
        select f.lot_id, f.holder_id, f.account_id, f.entry_id, f.entry_id, f.happened_at, f.ends_on, f.points, f.points - f.paid,
               f.points > f.paid from fresh f
    ), used as (
        insert into loyalty_lot_use (entry_id, lot_id, points) select f.entry_id, f.lot_id, -f.paid from fresh f where f.paid > 0
    ), raised as (
        update loyalty_account a set balance = a.balance + t.points
          from (select f.holder_id, sum(f.points) as points from fresh f group by 1) as t where a.id = t.holder_id
    ), announced as (
        insert into events_event (kind, patient_id, occurred_at, recorded_at, actor_kind, actor_id, source, historical, payload)
        select 'loyalty.points_earned', f.patient_id, f.happened_at, right_now, by_kind, by_id, '', false,
               jsonb_build_object('entry_id', f.entry_id, 'account_id', f.account_id, 'points', f.points, 'because', f.why, 'ref', f.why_ref)
          from fresh f order by f.place
    ), answered as (
        select f.place, 'NEW' as outcome, f.entry_id, f.points, f.had + f.so_far as balance from fresh f
        union all
        select g.place, case when coalesce(f.entry_id, e.id) is not null then 'OLD' when m.id is null or m.kind <> 'PATIENT' then 'UNKNOWN' else 'LEFT' end,
               coalesce(f.entry_id, e.id), coalesce(f.points, e.points), coalesce(f.had + f.so_far, e.to_balance)
          from asked g left join fresh f on f.key = g.key left join loyalty_entry e on e.key = g.key left join loyalty_account m on m.id = g.account_id
         where g.place not in (select n.place from fresh n)
    )
    select jsonb_agg(jsonb_build_array(w.outcome, w.entry_id, w.points, w.balance) order by w.place) into answers from answered w;
    return answers;
end
"""

EARN_WITH = f"wanted_account uuid, given_points int, {WHY}, happened_at timestamptz, expires date, by_rule boolean, entry_kind text, {WHO}"
SPEND_WITH = f"wanted_account uuid, given_points int, {WHY}, entry_kind text, {WHO}"


MANY_WITH = "given jsonb, right_now timestamptz, by_kind text, by_id uuid"


def replaced(name: str, arguments: str, now: str, earlier: str, returns: str = "loyalty_posted") -> migrations.RunSQL:
    """Return the step that puts one body in the place of another, and back."""
    return migrations.RunSQL(posting(name, arguments, now, returns).sql, posting(name, arguments, earlier, returns).sql)


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0006_gone")]

    operations = [
        migrations.RunSQL(FOLLOWS, FOLLOWED),
        replaced("loyalty_earn", EARN_WITH, EARN, before.EARN),
        replaced("loyalty_spend", SPEND_WITH, SPEND, before.SPEND),
        replaced("loyalty_earn_many", MANY_WITH, EARN_MANY, before.EARN_MANY, "jsonb"),
    ]
