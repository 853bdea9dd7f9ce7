"""What the database itself holds about lucky draws: their way, what was promised, and that the winners are those of the seed."""

from django.db import migrations

GUARDS = """
create function loyalty_keep_draw() returns trigger language plpgsql as $f$
declare
    way constant text[] := array['DRAFT', 'OPEN', 'CLOSED', 'DRAWN'];
    step int := array_position(way, new.state::text) - array_position(way, old.state::text);
begin
    if step not in (0, 1) then
        raise exception 'a draw does not go from % to %', old.state, new.state using errcode = 'check_violation';
    end if;
    if old.state <> 'DRAFT' and (new.programme_id, new.name, new.description, new.entry, new.tier_id, new.least_points, new.from_on,
        new.to_on, new.outside_source, new.seed_hash, new.seed_sealed, new.opened_at)
        is distinct from (old.programme_id, old.name, old.description, old.entry, old.tier_id, old.least_points, old.from_on,
        old.to_on, old.outside_source, old.seed_hash, old.seed_sealed, old.opened_at) then
        raise exception 'an open draw is never changed' using errcode = 'check_violation';
    end if;
    if old.state in ('CLOSED', 'DRAWN')
        and (new.list_hash, new.tickets_count, new.closed_at) is distinct from (old.list_hash, old.tickets_count, old.closed_at) then
        raise exception 'the tickets of a closed draw are never changed' using errcode = 'check_violation';
    end if;
    if old.state = 'DRAWN' and (new.seed, new.outside_value, new.drawn_at) is distinct from (old.seed, old.outside_value, old.drawn_at) then
        raise exception 'what was drawn is never changed' using errcode = 'check_violation';
    end if;
    if new.state = 'CLOSED' and old.state = 'OPEN' and new.list_hash is distinct from (
        select encode(sha256(convert_to(string_agg(number || E'\\n', '' order by number collate "C"), 'UTF8')), 'hex')
          from loyalty_draw_ticket where draw_id = new.id) then
        raise exception 'this is not the hash of the tickets' using errcode = 'check_violation';
    end if;
    if new.seed <> '' and encode(sha256(convert_to(new.seed, 'UTF8')), 'hex') <> new.seed_hash then
        raise exception 'this is not the seed that was promised' using errcode = 'check_violation';
    end if;
    return new;
end
$f$;
create trigger loyalty_keep_draw before update on loyalty_draw for each row execute function loyalty_keep_draw();

create function loyalty_keep_opened() returns trigger language plpgsql as $f$
begin
    if new.state <> 'DRAFT' then
        raise exception 'a draw begins as a draft' using errcode = 'check_violation';
    end if;
    return new;
end
$f$;
create trigger loyalty_begin_draw before insert on loyalty_draw for each row execute function loyalty_keep_opened();

create function loyalty_drop_draw() returns trigger language plpgsql as $f$
begin
    if old.state <> 'DRAFT' then
        raise exception 'a published draw is never deleted' using errcode = 'check_violation';
    end if;
    return old;
end
$f$;
create trigger loyalty_drop_draw before delete on loyalty_draw for each row execute function loyalty_drop_draw();

-- prizes belong to the draft; tickets come while it is open, in the transaction that closes it; winners in the one that draws
create function loyalty_keep_of_draw() returns trigger language plpgsql as $f$
declare
    wanted text := tg_argv[0];
    here text;
begin
    select state into here from loyalty_draw where id = case when tg_op = 'DELETE' then old.draw_id else new.draw_id end;
    -- a draft that is deleted takes its prizes along; a draw of nobody's is the foreign key's to refuse
    if here <> wanted then
        raise exception 'a draw that is % takes no change here', here using errcode = 'check_violation';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end
$f$;
create trigger loyalty_keep_prizes before insert or update or delete on loyalty_draw_prize
    for each row execute function loyalty_keep_of_draw('DRAFT');
create trigger loyalty_keep_winners before insert on loyalty_draw_winner
    for each row execute function loyalty_keep_of_draw('CLOSED');

create function loyalty_keep_tickets() returns trigger language plpgsql as $f$
begin
    if exists (select 1 from (select distinct draw_id from fresh) f join loyalty_draw d on d.id = f.draw_id where d.state <> 'OPEN') then
        raise exception 'the tickets of this draw are fixed' using errcode = 'check_violation';
    end if;
    return null;
end
$f$;
create trigger loyalty_keep_tickets after insert on loyalty_draw_ticket referencing new table as fresh
    for each statement execute function loyalty_keep_tickets();

create function loyalty_keep_winner() returns trigger language plpgsql as $f$
begin
    if tg_op = 'DELETE' or (new.draw_id, new.place, new.prize_id, new.ticket_id)
       is distinct from (old.draw_id, old.place, old.prize_id, old.ticket_id)
       or (old.given_at is not null and new.given_at is distinct from old.given_at) then
        raise exception 'who won is never changed' using errcode = 'check_violation';
    end if;
    return new;
end
$f$;
create trigger loyalty_keep_winner before update or delete on loyalty_draw_winner
    for each row execute function loyalty_keep_winner();
"""
UNDO = """
drop trigger loyalty_keep_winner on loyalty_draw_winner;
drop trigger loyalty_keep_tickets on loyalty_draw_ticket;
drop trigger loyalty_keep_winners on loyalty_draw_winner;
drop trigger loyalty_keep_prizes on loyalty_draw_prize;
drop trigger loyalty_drop_draw on loyalty_draw;
drop trigger loyalty_begin_draw on loyalty_draw;
drop trigger loyalty_keep_draw on loyalty_draw;
drop function loyalty_keep_winner();
drop function loyalty_keep_tickets();
drop function loyalty_keep_of_draw();
drop function loyalty_drop_draw();
drop function loyalty_keep_opened();
drop function loyalty_keep_draw();
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0004_rewards_held")]

    operations = [migrations.RunSQL(GUARDS, UNDO)]
