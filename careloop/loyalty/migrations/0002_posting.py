"""Posting points: each posting is one call, which locks the account and writes entry, lots, lot uses and balance together.

Order of locks, everywhere: patients' accounts by id, then families' accounts by id. The functions that write belong to the owner of
the tables (`FORCE`d row-level security binds him too); the helpers run as whoever calls them, so the application's role can do
nothing with them.
"""

from django.db import migrations

from careloop.loyalty.points.functions import WHO, WHY, posting

TYPES = "create type loyalty_posted as (outcome text, entry_id bigint, points int, balance bigint, account_id uuid, patient_id uuid)"

# A programme always has the four accounts that points come from and go to.
OWN_ACCOUNTS = """
create or replace function loyalty_open_own_accounts() returns trigger language plpgsql as $body$
begin
    insert into loyalty_account (organization_id, programme_id, kind, joined_at)
    select new.organization_id, new.id, k, new.created_at from unnest(array['ISSUED', 'REDEEMED', 'EXPIRED', 'ADJUSTED']) as k;
    return null;
end
$body$;

create trigger loyalty_own_accounts after insert on loyalty_programme for each row execute function loyalty_open_own_accounts();
insert into loyalty_account (organization_id, programme_id, kind, joined_at)
select p.organization_id, p.id, k, p.created_at from loyalty_programme p, unnest(array['ISSUED', 'REDEEMED', 'EXPIRED', 'ADJUSTED']) as k;
"""

GUARDS = """
create or replace function loyalty_entries_stay() returns trigger language plpgsql as $body$
begin
    raise exception 'entries of the ledger are added, never changed' using errcode = 'restrict_violation', table = tg_table_name;
end
$body$;

create trigger loyalty_entries_stay before update on loyalty_entry for each row execute function loyalty_entries_stay();
create trigger loyalty_uses_stay before update on loyalty_lot_use for each row execute function loyalty_entries_stay();

create or replace function loyalty_balance_follows() returns trigger language plpgsql as $body$
begin
    if not has_table_privilege('loyalty_entry', 'insert') then
        raise exception 'a balance changes with an entry of the ledger only' using errcode = 'restrict_violation', table = 'loyalty_account';
    end if;
    return new;
end
$body$;

create trigger loyalty_balance_follows before update of balance on loyalty_account for each row
    when (old.balance is distinct from new.balance) execute function loyalty_balance_follows();
create trigger loyalty_balance_begins before insert on loyalty_account for each row
    when (new.balance <> 0) execute function loyalty_balance_follows();
"""

# Room on every page for the next version of a row: a changed balance or rest then leaves the indexes alone.
ROOM = "alter table loyalty_account set (fillfactor = 70); alter table loyalty_lot set (fillfactor = 80)"
NO_ROOM = "alter table loyalty_account reset (fillfactor); alter table loyalty_lot reset (fillfactor)"

HELPERS = """
create or replace function loyalty_today(right_now timestamptz) returns date language plpgsql stable as $body$
begin
    return (select (right_now at time zone o.time_zone)::date from tenancy_organization o
             where o.id = nullif(current_setting('careloop.organization', true), '')::uuid);
end
$body$;

create or replace function loyalty_last_day(earned date, months int) returns date language sql immutable as $body$
    select case when months > 0 then (date_trunc('month', earned::timestamp) + make_interval(months => months + 1))::date - 1 end
$body$;

create or replace function loyalty_own(wanted_programme uuid, wanted_kind text) returns uuid language plpgsql stable as $body$
begin
    return (select a.id from loyalty_account a
             where a.programme_id = wanted_programme and a.kind = wanted_kind and not (a.kind in ('PATIENT', 'POOL')));
end
$body$;

create or replace function loyalty_earlier(given_key text, wanted_member uuid) returns loyalty_posted language plpgsql stable as $body$
declare
    found_one loyalty_posted;
begin
    select 'OLD', e.id, case when e.from_member_id is null or (e.to_member_id = wanted_member and e.from_member_id <> wanted_member)
                             then e.points else -e.points end,
           coalesce(case when e.from_member_id = wanted_member then e.from_balance end, e.to_balance, e.from_balance),
           coalesce(e.from_member_id, e.to_member_id), null::uuid
      into found_one from loyalty_entry e where e.key = given_key;
    return found_one;
end
$body$;

create or replace function loyalty_write(
    given_kind text, giver uuid, taker uuid, giving uuid, getting uuid, given_points int, not_found int, giver_has bigint, taker_has bigint,
    given_key text, why text, why_ref text, words text, happened_at timestamptz, right_now timestamptz, by_user uuid, undone bigint
) returns bigint language plpgsql as $body$
declare
    made bigint;
begin
    insert into loyalty_entry (kind, from_account_id, to_account_id, from_member_id, to_member_id, points, waived, from_balance,
            to_balance, key, because, because_ref, occurred_at, recorded_at, recorded_by_id, reverses_id)
    values (given_kind, giver, taker, giving, getting, given_points, not_found, giver_has, taker_has, given_key, why, why_ref,
            happened_at, right_now, by_user, undone)
    on conflict (organization_id, key) do nothing returning id into made;
    if made is not null and words <> '' then
        insert into loyalty_entry_note (entry_id, words) values (made, words);
    end if;
    return made;
end
$body$;

create or replace function loyalty_announce(
    given_kind text, patient uuid, happened_at timestamptz, content jsonb, right_now timestamptz, by_kind text, by_id uuid
) returns void language plpgsql as $body$
begin
    perform events_append(
        jsonb_build_array(jsonb_build_object('kind', given_kind, 'patient_id', patient, 'occurred_at', happened_at, 'payload', content)),
        right_now, by_kind, by_id, '', null, false);
end
$body$;

create or replace function loyalty_put(
    entry bigint, holder uuid, member uuid, given_points int, owed bigint, earned timestamptz, expires date, came_by bigint
) returns void language plpgsql as $body$
declare
    paid int := least(owed, given_points);
    made bigint;
begin
    insert into loyalty_lot (account_id, brought_by_id, entry_id, earning_id, earned_at, expires_on, points, "left", is_open)
    values (holder, member, entry, came_by, earned, expires, given_points, given_points - paid, given_points > paid)
    returning id into made;
    if paid > 0 then
        insert into loyalty_lot_use (entry_id, lot_id, points) values (entry, made, -paid);
    end if;
end
$body$;

create or replace function loyalty_use(entry bigint, wanted_lot bigint, change int) returns void language plpgsql as $body$
begin
    insert into loyalty_lot_use (entry_id, lot_id, points) values (entry, wanted_lot, change);
    update loyalty_lot l set "left" = l."left" + change, is_open = l."left" + change > 0 where l.id = wanted_lot;
end
$body$;

-- from the lots of one earning first if one is given, then what ends first, then what is oldest
create or replace function loyalty_take(entry bigint, holder uuid, wanted int, first_of bigint) returns void language plpgsql as $body$
declare
    lot record;
    rest int := wanted;
begin
    if first_of is not null then
        for lot in select l.id, l."left" from loyalty_lot l
                    where l.account_id = holder and l.is_open and l.earning_id = first_of order by l.expires_on, l.earned_at, l.id
        loop
            exit when rest <= 0;
            perform loyalty_use(entry, lot.id, -least(rest, lot."left"));
            rest := rest - least(rest, lot."left");
        end loop;
    end if;
    if rest > 0 then
        for lot in select l.id, l."left" from loyalty_lot l
                    where l.account_id = holder and l.is_open order by l.expires_on, l.earned_at, l.id
        loop
            perform loyalty_use(entry, lot.id, -least(rest, lot."left"));
            rest := rest - least(rest, lot."left");
            exit when rest <= 0;
        end loop;
    end if;
    if rest > 0 then
        raise exception 'the lots of an account hold less than its balance' using errcode = 'data_corrupted', table = 'loyalty_lot';
    end if;
end
$body$;

-- the accounts are locked; one entry for what ends on one day of one member: each lot once, because nothing is left in it afterwards
create or replace function loyalty_let_expire(accounts uuid[], today date, right_now timestamptz)
returns int language plpgsql as $body$
declare
    told jsonb;
    ended int;
begin
    with ending as (
        select l.id, l.account_id, l.brought_by_id, l.expires_on, l."left" from loyalty_lot l
         where l.account_id = any(accounts) and l.is_open and l.expires_on < today
    ), together as (
        select nextval(pg_get_serial_sequence('loyalty_entry', 'id')) as entry_id, g.*,
               sum(g.points) over (partition by g.account_id order by g.expires_on, g.brought_by_id) as so_far
          from (select e.account_id, e.brought_by_id, e.expires_on, sum(e."left")::int as points
                  from ending e group by 1, 2, 3) as g
    ), written as (
        insert into loyalty_entry (id, kind, from_account_id, to_account_id, from_member_id, points, from_balance, key, because,
                because_ref, occurred_at, recorded_at)
        select t.entry_id, 'EXPIRE', t.account_id, x.id, t.brought_by_id, t.points, a.balance - t.so_far,
               'expiry:' || t.entry_id, 'EXPIRY', t.expires_on::text, right_now, right_now
          from together t join loyalty_account a on a.id = t.account_id
          join loyalty_account x on x.programme_id = a.programme_id and x.kind = 'EXPIRED' and not (x.kind in ('PATIENT', 'POOL'))
    ), used as (
        insert into loyalty_lot_use (entry_id, lot_id, points)
        select t.entry_id, e.id, -e."left" from ending e
          join together t on t.account_id = e.account_id and t.brought_by_id = e.brought_by_id and t.expires_on = e.expires_on
    ), closed as (
        update loyalty_lot l set "left" = 0, is_open = false from ending e where l.id = e.id
    ), lowered as (
        update loyalty_account a set balance = a.balance - t.points
          from (select account_id, sum(points) as points from together group by 1) as t where a.id = t.account_id
    )
    select jsonb_agg(jsonb_build_object('kind', 'loyalty.points_expired', 'patient_id', m.patient_id, 'occurred_at', right_now,
               'payload', jsonb_build_object('entry_id', t.entry_id, 'account_id', t.brought_by_id, 'points', t.points))), count(*)
      into told, ended from together t join loyalty_account m on m.id = t.brought_by_id;
    if ended > 0 then
        perform events_append(told, right_now, 'system', null, '', null, false);
    end if;
    return ended;
end
$body$;

create or replace function loyalty_expire_due(holder uuid, today date, right_now timestamptz) returns bigint
language plpgsql as $body$
begin
    if exists (select from loyalty_lot l where l.account_id = holder and l.is_open and l.expires_on < today) then
        perform loyalty_let_expire(array[holder], today, right_now);
    end if;
    return (select a.balance from loyalty_account a where a.id = holder);
end
$body$;
"""

EARN = """
declare
    member loyalty_account;
    holder loyalty_account;
    posted loyalty_posted;
    months int;
    earned_on date;
begin
    select * into member from loyalty_account a where a.id = wanted_account and a.kind = 'PATIENT' for no key update;
    if member.id is null or member.state <> 'ACTIVE' then
        posted := loyalty_earlier(given_key, wanted_account);
        if posted.entry_id is null then
            posted.outcome := case when member.id is null then 'UNKNOWN' else 'LEFT' end;
        end if;
        return posted;
    end if;
    holder := member;
    if member.pool_id is not null then
        select * into holder from loyalty_account a where a.id = member.pool_id for no key update;
    end if;
    if by_rule then
        select p.valid_months, (happened_at at time zone o.time_zone)::date into months, earned_on
          from loyalty_programme p, tenancy_organization o where p.id = member.programme_id and o.id = p.organization_id;
        expires := loyalty_last_day(earned_on, months);
    end if;
    posted.entry_id := loyalty_write(
        entry_kind, loyalty_own(member.programme_id, case entry_kind when 'EARN' then 'ISSUED' else 'ADJUSTED' end), holder.id, null,
        member.id, given_points, 0, null, holder.balance + given_points, given_key, why, why_ref, words, happened_at, right_now, by_user, null);
    if posted.entry_id is null then
        return loyalty_earlier(given_key, wanted_account);
    end if;
    perform loyalty_put(posted.entry_id, holder.id, member.id, given_points, greatest(-holder.balance, 0), happened_at, expires, posted.entry_id);
    update loyalty_account a set balance = a.balance + given_points where a.id = holder.id;
    perform loyalty_announce(
        case entry_kind when 'EARN' then 'loyalty.points_earned' else 'loyalty.points_adjusted' end, member.patient_id, happened_at,
        jsonb_build_object('entry_id', posted.entry_id, 'account_id', member.id, 'points', given_points, 'because', why, 'ref', why_ref),
        right_now, by_kind, by_id);
    return ('NEW', posted.entry_id, given_points, holder.balance + given_points, member.id, member.patient_id)::loyalty_posted;
end
"""

SPEND = """
declare
    member loyalty_account;
    holder loyalty_account;
    posted loyalty_posted;
    has bigint;
    may_owe boolean;
begin
    select * into member from loyalty_account a where a.id = wanted_account and a.kind = 'PATIENT' for no key update;
    posted := loyalty_earlier(given_key, wanted_account);
    if posted.entry_id is not null then
        return posted;
    elsif member.id is null or member.state <> 'ACTIVE' then
        posted.outcome := case when member.id is null then 'UNKNOWN' else 'LEFT' end;
        return posted;
    end if;
    holder := member;
    if member.pool_id is not null then
        select * into holder from loyalty_account a where a.id = member.pool_id for no key update;
    end if;
    has := loyalty_expire_due(holder.id, loyalty_today(right_now), right_now);
    may_owe := entry_kind = 'ADJUST' and exists (
        select from loyalty_programme p where p.id = member.programme_id and p.when_spent = 'NEGATIVE');
    if has < given_points and not may_owe then
        return ('SHORT', null, null, has, null, null)::loyalty_posted;
    end if;
    posted.entry_id := loyalty_write(
        entry_kind, holder.id, loyalty_own(member.programme_id, case entry_kind when 'SPEND' then 'REDEEMED' else 'ADJUSTED' end), member.id,
        null, given_points, 0, has - given_points, null, given_key, why, why_ref, words, right_now, right_now, by_user, null);
    if posted.entry_id is null then
        return loyalty_earlier(given_key, wanted_account);
    end if;
    perform loyalty_take(posted.entry_id, holder.id, least(greatest(has, 0), given_points)::int, null);
    update loyalty_account a set balance = a.balance - given_points where a.id = holder.id;
    perform loyalty_announce(
        case entry_kind when 'SPEND' then 'loyalty.points_spent' else 'loyalty.points_adjusted' end, member.patient_id, right_now,
        jsonb_build_object('entry_id', posted.entry_id, 'account_id', member.id,
            'points', case entry_kind when 'SPEND' then given_points else -given_points end, 'because', why, 'ref', why_ref),
        right_now, by_kind, by_id);
    return ('NEW', posted.entry_id, -given_points, has - given_points, member.id, member.patient_id)::loyalty_posted;
end
"""

REVERSE = """
declare
    original loyalty_entry;
    member loyalty_account;
    holder loyalty_account;
    posted loyalty_posted;
    today date := loyalty_today(right_now);
    gave boolean;
    undone bigint;
    taken bigint;
    gone bigint;
    wanted bigint;
    moved bigint;
    has bigint;
    owner uuid;
begin
    select * into original from loyalty_entry e where e.key = of_key;
    if original.id is null or original.kind not in ('EARN', 'SPEND', 'ADJUST') then
        posted.outcome := case when original.id is null then 'UNKNOWN' else 'NEVER' end;
        return posted;
    end if;
    gave := original.to_member_id is not null;
    select * into member from loyalty_account a where a.id = coalesce(original.to_member_id, original.from_member_id) for no key update;
    -- what was spent goes back to where it came from; what was earned is taken from where the member's points are now
    owner := coalesce(member.pool_id, member.id);
    if not gave and exists (select from loyalty_account a where a.id = original.from_account_id and a.kind = 'POOL' and a.state = 'ACTIVE') then
        owner := original.from_account_id;
    end if;
    holder := member;
    if owner <> member.id then
        select * into holder from loyalty_account a where a.id = owner for no key update;
    end if;
    posted := loyalty_earlier(given_key, member.id);
    if posted.entry_id is not null then
        return posted;
    end if;
    select coalesce(sum(e.points + e.waived), 0), coalesce(sum(e.points), 0) into undone, taken from loyalty_entry e where e.reverses_id = original.id;
    wanted := coalesce(given_points, original.points - undone);
    if wanted <= 0 or wanted > original.points - undone then
        return ('MORE', null, (original.points - undone)::int, null, null, null)::loyalty_posted;
    end if;
    has := loyalty_expire_due(holder.id, today, right_now);
    if gave then
        select coalesce(-sum(u.points), 0) into gone from loyalty_lot l join loyalty_lot_use u on u.lot_id = l.id
          join loyalty_entry e on e.id = u.entry_id where l.earning_id = original.id and e.kind = 'EXPIRE';
        moved := greatest(least(wanted, original.points - gone - taken), 0);
        if (select p.when_spent from loyalty_programme p where p.id = member.programme_id) = 'BLOCK' then
            moved := least(moved, greatest(has, 0));
        end if;
        posted.entry_id := loyalty_write(
            'REVERSE', holder.id, original.from_account_id, member.id, null, moved::int, (wanted - moved)::int, has - moved, null, given_key,
            why, why_ref, words, right_now, right_now, by_user, original.id);
        if posted.entry_id is null then
            return loyalty_earlier(given_key, member.id);
        end if;
        perform loyalty_take(posted.entry_id, holder.id, least(greatest(has, 0), moved)::int, original.id);
        update loyalty_account a set balance = a.balance - moved where a.id = holder.id and moved <> 0;
        has := has - moved;
    else
        moved := wanted;
        posted.entry_id := loyalty_write(
            'REVERSE', original.to_account_id, holder.id, null, member.id, moved::int, 0, null, has + moved, given_key,
            why, why_ref, words, right_now, right_now, by_user, original.id);
        if posted.entry_id is null then
            return loyalty_earlier(given_key, member.id);
        end if;
        perform loyalty_give_back(posted.entry_id, original.id, holder.id, member.id, (moved - least(greatest(-has, 0), moved))::int, right_now);
        update loyalty_account a set balance = a.balance + moved where a.id = holder.id;
        has := loyalty_expire_due(holder.id, today, right_now);
    end if;
    perform loyalty_announce(
        'loyalty.points_reversed', member.patient_id, right_now,
        jsonb_build_object('entry_id', posted.entry_id, 'account_id', member.id, 'points', case when gave then -moved else moved end,
            'because', why, 'ref', why_ref, 'of_entry_id', original.id),
        right_now, by_kind, by_id);
    return ('NEW', posted.entry_id, (case when gave then -moved else moved end)::int, has, member.id, member.patient_id)::loyalty_posted;
end
"""

# To the same lots, those that end last first. A lot that lies in another account by now (the member has joined or left a family since) is
# given its points and hands them on at once. What had gone into points below zero has no lot to go back to, and gets a new one.
GIVE_BACK = """
create or replace function loyalty_give_back(entry bigint, undone bigint, holder uuid, member uuid, wanted int, right_now timestamptz)
returns void language plpgsql as $body$
declare
    lot record;
    part int;
    rest int := wanted;
begin
    for lot in
        select l.id, l.account_id, l.earned_at, l.expires_on, l.earning_id, l.brought_by_id, w.room from (
            select u.lot_id,
                   -sum(u.points) filter (where u.entry_id = undone) - coalesce(sum(u.points) filter (where u.entry_id <> undone and u.points > 0), 0) as room
              from loyalty_lot_use u
             where u.entry_id = undone or u.entry_id in (select e.id from loyalty_entry e where e.reverses_id = undone)
             group by u.lot_id) as w
          join loyalty_lot l on l.id = w.lot_id
         where w.room > 0 order by l.expires_on desc nulls first, l.earned_at desc, l.id desc
    loop
        exit when rest <= 0;
        part := least(rest, lot.room);
        perform loyalty_use(entry, lot.id, part);
        if lot.account_id <> holder then
            perform loyalty_use(entry, lot.id, -part);
            perform loyalty_put(entry, holder, member, part, 0, lot.earned_at, lot.expires_on, lot.earning_id);
        end if;
        rest := rest - part;
    end loop;
    if rest > 0 then
        perform loyalty_put(
            entry, holder, member, rest, 0, right_now,
            (select loyalty_last_day(loyalty_today(right_now), p.valid_months) from loyalty_programme p join loyalty_account a on a.programme_id = p.id
              where a.id = holder), entry);
    end if;
end
$body$;
"""

EARN_MANY = """
declare
    told jsonb;
    answers jsonb;
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
        select f.*, nextval(pg_get_serial_sequence('loyalty_entry', 'id')) as entry_id,
               nextval(pg_get_serial_sequence('loyalty_lot', 'id')) as lot_id, h.balance as had, x.id as issued_id,
               sum(f.points) over (partition by f.holder_id order by f.place) as so_far,
               case when f.by_rule then loyalty_last_day((f.happened_at at time zone o.time_zone)::date, p.valid_months) else f.expires end as ends_on
          from first_asked f join loyalty_account h on h.id = f.holder_id join loyalty_programme p on p.id = f.programme_id
          join tenancy_organization o on o.id = p.organization_id
          join loyalty_account x on x.programme_id = p.id and x.kind = 'ISSUED' and not (x.kind in ('PATIENT', 'POOL'))
    ), paying as materialized (
        select f.entry_id, least(f.points, greatest(0, -f.had - (f.so_far - f.points)))::int as paid from fresh f
    ), written as (
        insert into loyalty_entry (id, kind, from_account_id, to_account_id, to_member_id, points, to_balance, key, because, because_ref,
                occurred_at, recorded_at, recorded_by_id)
        select f.entry_id, 'EARN', f.issued_id, f.holder_id, f.account_id, f.points, f.had + f.so_far, f.key, f.why, f.why_ref, f.happened_at,
               right_now, f.by_user from fresh f
    ), noted as (
        insert into loyalty_entry_note (entry_id, words) select f.entry_id, f.words from fresh f where f.words <> ''
    ), put as (
        insert into loyalty_lot (id, account_id, brought_by_id, entry_id, earning_id, earned_at, expires_on, points, "left", is_open)
        select f.lot_id, f.holder_id, f.account_id, f.entry_id, f.entry_id, f.happened_at, f.ends_on, f.points, f.points - y.paid,
               f.points > y.paid from fresh f join paying y on y.entry_id = f.entry_id
    ), used as (
        insert into loyalty_lot_use (entry_id, lot_id, points)
        select f.entry_id, f.lot_id, -y.paid from fresh f join paying y on y.entry_id = f.entry_id where y.paid > 0
    ), raised as (
        update loyalty_account a set balance = a.balance + t.points
          from (select f.holder_id, sum(f.points) as points from fresh f group by 1) as t where a.id = t.holder_id
    )
    select jsonb_agg(jsonb_build_object('kind', 'loyalty.points_earned', 'patient_id', f.patient_id, 'occurred_at', f.happened_at, 'payload',
               jsonb_build_object('entry_id', f.entry_id, 'account_id', f.account_id, 'points', f.points, 'because', f.why, 'ref', f.why_ref)))
               filter (where f.place = g.place),
           jsonb_agg(jsonb_build_array(
               case when f.place = g.place then 'NEW' when coalesce(f.entry_id, e.id) is not null then 'OLD'
                    when m.id is null or m.kind <> 'PATIENT' then 'UNKNOWN' else 'LEFT' end,
               coalesce(f.entry_id, e.id), coalesce(f.points, e.points), coalesce(f.had + f.so_far, e.to_balance)) order by g.place)
      into told, answers
      from asked g left join fresh f on f.key = g.key left join loyalty_entry e on e.key = g.key
      left join loyalty_account m on m.id = g.account_id;
    if told is not null then
        perform events_append(told, right_now, by_kind, by_id, '', null, false);
    end if;
    return answers;
end
"""

EXPIRE = """
declare
    accounts uuid[];
    today date := loyalty_today(right_now);
begin
    -- whoever posts to an account right now lets its lots expire himself, or leaves them to the next round
    accounts := array(
        select a.id from loyalty_account a
         where a.id in (select l.account_id from loyalty_lot l where l.is_open and l.expires_on < today order by l.expires_on limit most)
         for no key update skip locked);
    if accounts = '{}' then
        return 0;
    end if;
    return loyalty_let_expire(accounts, today, right_now);
end
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_initial")]

    operations = [
        migrations.RunSQL(ROOM, NO_ROOM),
        migrations.RunSQL(TYPES, "drop type loyalty_posted"),
        migrations.RunSQL(
            OWN_ACCOUNTS,
            "drop trigger loyalty_own_accounts on loyalty_programme; drop function loyalty_open_own_accounts",
        ),
        migrations.RunSQL(
            GUARDS,
            """drop trigger loyalty_balance_begins on loyalty_account; drop trigger loyalty_balance_follows on loyalty_account;
               drop trigger loyalty_uses_stay on loyalty_lot_use; drop trigger loyalty_entries_stay on loyalty_entry;
               drop function loyalty_balance_follows, loyalty_entries_stay""",
        ),
        migrations.RunSQL(
            HELPERS,
            """drop function loyalty_expire_due, loyalty_let_expire, loyalty_take, loyalty_use, loyalty_put, loyalty_announce, loyalty_write,
                   loyalty_earlier, loyalty_own, loyalty_last_day, loyalty_today""",
        ),
        migrations.RunSQL(GIVE_BACK, "drop function loyalty_give_back"),
        posting(
            "loyalty_earn",
            f"wanted_account uuid, given_points int, {WHY}, happened_at timestamptz, expires date, by_rule boolean, entry_kind text, {WHO}",
            EARN,
        ),
        posting("loyalty_spend", f"wanted_account uuid, given_points int, {WHY}, entry_kind text, {WHO}", SPEND),
        posting("loyalty_reverse", f"of_key text, given_points int, {WHY}, {WHO}", REVERSE),
        posting(
            "loyalty_earn_many", "given jsonb, right_now timestamptz, by_kind text, by_id uuid", EARN_MANY, "jsonb"
        ),
        posting("loyalty_expire", "most int, right_now timestamptz", EXPIRE, "int"),
    ]
