"""Families that share points, and points handed from one member to another: they keep their last day on the way."""

from django.db import migrations

from careloop.loyalty.points.functions import WHO, WHY, posting

MOVE = """
create or replace function loyalty_move(entry bigint, giver uuid, taker uuid, getting uuid, wanted int, owed bigint, only_of uuid) returns void
language plpgsql as $body$
declare
    lot record;
    part int;
    rest int := wanted;
    pays bigint;
begin
    for lot in select l.id, l."left", l.earned_at, l.expires_on, l.earning_id from loyalty_lot l
                where l.account_id = giver and l.is_open and (only_of is null or l.brought_by_id = only_of)
                order by l.expires_on, l.earned_at, l.id
    loop
        exit when rest <= 0;
        part := least(rest, lot."left");
        pays := least(owed, part);
        perform loyalty_use(entry, lot.id, -part);
        perform loyalty_put(entry, taker, getting, part, pays, lot.earned_at, lot.expires_on, lot.earning_id);
        owed := owed - pays;
        rest := rest - part;
    end loop;
    if rest > 0 then
        raise exception 'the lots of an account hold less than its balance' using errcode = 'data_corrupted', table = 'loyalty_lot';
    end if;
end
$body$;
"""

TRANSFER = """
declare
    giver loyalty_account;
    taker loyalty_account;
    posted loyalty_posted;
    giver_holds uuid;
    taker_holds uuid;
    has bigint;
    taker_has bigint;
begin
    perform from loyalty_account a where a.id in (giving, getting) and a.kind = 'PATIENT' order by a.id for no key update;
    select * into giver from loyalty_account a where a.id = giving and a.kind = 'PATIENT';
    select * into taker from loyalty_account a where a.id = getting and a.kind = 'PATIENT';
    giver_holds := coalesce(giver.pool_id, giver.id);
    taker_holds := coalesce(taker.pool_id, taker.id);
    perform from loyalty_account a where a.id in (giver.pool_id, taker.pool_id) order by a.id for no key update;
    posted := loyalty_earlier(given_key, giving);
    if posted.entry_id is not null then
        return posted;
    end if;
    posted.outcome := case when giver.id is null or taker.id is null then 'UNKNOWN' when giver.state <> 'ACTIVE' or taker.state <> 'ACTIVE' then 'LEFT'
                           when giver_holds = taker_holds then 'SAME' when giver.programme_id <> taker.programme_id then 'OTHER' end;
    if posted.outcome is not null then
        return posted;
    end if;
    has := loyalty_expire_due(giver_holds, loyalty_today(right_now), right_now);
    taker_has := loyalty_expire_due(taker_holds, loyalty_today(right_now), right_now);
    if has < given_points then
        return ('SHORT', null, null, has, null, null)::loyalty_posted;
    end if;
    posted.entry_id := loyalty_write(
        'TRANSFER', giver_holds, taker_holds, giver.id, taker.id, given_points, 0, has - given_points, taker_has + given_points, given_key,
        why, why_ref, words, right_now, right_now, by_user, null);
    if posted.entry_id is null then
        return loyalty_earlier(given_key, giving);
    end if;
    perform loyalty_move(posted.entry_id, giver_holds, taker_holds, taker.id, given_points, greatest(-taker_has, 0), null);
    update loyalty_account a set balance = a.balance + case when a.id = giver_holds then -given_points else given_points end
     where a.id in (giver_holds, taker_holds);
    perform loyalty_announce('loyalty.points_handed_over', m.patient_id, right_now,
            jsonb_build_object('entry_id', posted.entry_id, 'account_id', m.id, 'points', case when m.id = giver.id then -given_points else given_points end),
            right_now, by_kind, by_id)
       from loyalty_account m where m.id in (giver.id, taker.id) order by m.id;
    return ('NEW', posted.entry_id, -given_points, has - given_points, giver.id, giver.patient_id)::loyalty_posted;
end
"""

# `wanted_pool` null: leave; the last one to leave takes what is there, everybody else what he or she brought and nobody used
SHARE = """
declare
    member loyalty_account;
    pool loyalty_account;
    giver uuid;
    taker uuid;
    has bigint;
    moving int;
    is_last boolean;
    entry bigint;
begin
    select * into member from loyalty_account a where a.id = wanted_account and a.kind = 'PATIENT' for no key update;
    select * into pool from loyalty_account a where a.id = coalesce(wanted_pool, member.pool_id) and a.kind = 'POOL' for no key update;
    if member.id is null or pool.id is null or pool.programme_id <> member.programme_id then
        return 'UNKNOWN';
    elsif wanted_pool is not null and (member.pool_id is not null or pool.state <> 'ACTIVE') then
        return 'TAKEN';
    end if;
    giver := case when wanted_pool is null then pool.id else member.id end;
    taker := case when wanted_pool is null then member.id else pool.id end;
    has := loyalty_expire_due(giver, loyalty_today(right_now), right_now);
    if has < 0 then
        return 'OWES';
    end if;
    is_last := wanted_pool is null and not exists (select from loyalty_account a where a.pool_id = pool.id and a.id <> member.id);
    moving := (select coalesce(sum(l."left"), 0) from loyalty_lot l
                where l.account_id = giver and l.is_open and (wanted_pool is not null or is_last or l.brought_by_id = member.id));
    if moving > 0 then
        select a.balance into has from loyalty_account a where a.id = taker;
        entry := loyalty_write(
            'TRANSFER', giver, taker, member.id, member.id, moving, 0,
            (select a.balance - moving from loyalty_account a where a.id = giver), has + moving, given_key, why, why_ref, words, right_now,
            right_now, by_user, null);
        perform loyalty_move(entry, giver, taker, member.id, moving, greatest(-has, 0),
            case when wanted_pool is null and not is_last then member.id end);
        update loyalty_account a set balance = a.balance + case when a.id = giver then -moving else moving end where a.id in (giver, taker);
    end if;
    update loyalty_account a set pool_id = wanted_pool where a.id = member.id;
    update loyalty_account a set state = 'LEFT', left_at = right_now where a.id = pool.id and is_last;
    return 'DONE';
end
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0002_posting")]

    operations = [
        migrations.RunSQL(MOVE, "drop function loyalty_move"),
        posting("loyalty_transfer", f"giving uuid, getting uuid, given_points int, {WHY}, {WHO}", TRANSFER),
        posting(
            "loyalty_share",
            f"wanted_account uuid, wanted_pool uuid, {WHY}, right_now timestamptz, by_user uuid",
            SHARE,
            "text",
        ),
    ]
