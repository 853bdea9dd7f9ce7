"""What the database itself holds about rewards: the way of a redemption, codes used once, settled uses locked; a partner's door."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

GUARDS = """
create sequence loyalty_code_serial as bigint;

create function loyalty_keep_redemption() returns trigger language plpgsql as $f$
begin
    if (new.account_id, new.reward_id, new.points, new.takes_stock, new.serial, new.key, new.reserved_at, new.good_until)
       is distinct from (old.account_id, old.reward_id, old.points, old.takes_stock, old.serial, old.key, old.reserved_at, old.good_until) then
        raise exception 'what a redemption is for is never changed' using errcode = 'check_violation';
    end if;
    if new.state <> old.state and not (case old.state
        when 'RESERVED' then new.state in ('CONFIRMED', 'CANCELLED', 'EXPIRED')
        when 'CONFIRMED' then new.state = 'CANCELLED'
        else false end) then
        raise exception 'a redemption does not go from % to %', old.state, new.state using errcode = 'check_violation';
    end if;
    return new;
end
$f$;
create trigger loyalty_keep_redemption before update on loyalty_redemption
    for each row execute function loyalty_keep_redemption();

create function loyalty_keep_coupon_code() returns trigger language plpgsql as $f$
begin
    if tg_op = 'DELETE' or old.settlement_id is not null then
        raise exception 'a use that was settled is locked, and no code is deleted' using errcode = 'check_violation';
    end if;
    if (new.coupon_id, new.account_id, new.serial, new.key, new.good_until)
       is distinct from (old.coupon_id, old.account_id, old.serial, old.key, old.good_until) then
        raise exception 'what a code is for is never changed' using errcode = 'check_violation';
    end if;
    if new.state <> old.state and old.state = 'WITHDRAWN' then
        raise exception 'a withdrawn code stays withdrawn' using errcode = 'check_violation';
    end if;
    if old.state = 'USED' and new.state = 'USED'
       and (new.used_at, new.at_partner_id, new.location_id) is distinct from (old.used_at, old.at_partner_id, old.location_id) then
        raise exception 'a code is used once' using errcode = 'check_violation';
    end if;
    return new;
end
$f$;
create trigger loyalty_keep_coupon_code before update or delete on loyalty_coupon_code
    for each row execute function loyalty_keep_coupon_code();
"""
UNDO = """
drop trigger loyalty_keep_coupon_code on loyalty_coupon_code;
drop trigger loyalty_keep_redemption on loyalty_redemption;
drop function loyalty_keep_coupon_code();
drop function loyalty_keep_redemption();
drop sequence loyalty_code_serial;
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0003_pools")]

    operations = [
        migrations.RunSQL(GUARDS, UNDO),
        DefinerFunction(
            "loyalty_find_partner",
            arguments="wanted bytea", returns="uuid",
            body="select organization_id from loyalty_partner where token_hash = wanted",
            why="a partner's link carries a 256-bit token and no organization; answers with its id only",
        ),
    ]  # fmt: skip
