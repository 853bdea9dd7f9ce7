"""What the database itself holds about payments: their way, their sums, what was given back; doors found before an organization is known."""

from django.db import migrations

from careloop.tenancy.security import DefinerFunction

GUARDS = """
create function payments_keep_payment() returns trigger language plpgsql as $f$
begin
    if (new.amount, new.copay, new.currency, new.payer, new.requested_at)
       is distinct from (old.amount, old.copay, old.currency, old.payer, old.requested_at) then
        raise exception 'what a payment asks for is never changed' using errcode = 'check_violation';
    end if;
    if new.state <> old.state and not (case old.state
        when 'REQUESTED' then new.state in ('STARTED', 'EXPIRED', 'CANCELLED')
        when 'STARTED' then new.state in ('PAID', 'FAILED', 'EXPIRED', 'CANCELLED')
        when 'FAILED' then new.state in ('STARTED', 'PAID', 'EXPIRED', 'CANCELLED')
        when 'EXPIRED' then new.state = 'PAID'
        when 'CANCELLED' then new.state = 'PAID'
        else false end) then
        raise exception 'a payment does not go from % to %', old.state, new.state using errcode = 'check_violation';
    end if;
    return new;
end
$f$;
create trigger payments_keep_payment before update on payments_payment
    for each row execute function payments_keep_payment();

create function payments_keep_item() returns trigger language plpgsql as $f$
declare
    paid_by text;
begin
    if tg_op = 'UPDATE' and (new.payment_id, new.kind, new.amount, new.full_amount, new.service_id)
       is distinct from (old.payment_id, old.kind, old.amount, old.full_amount, old.service_id) then
        raise exception 'what a payment asks for is never changed' using errcode = 'check_violation';
    end if;
    if tg_op = 'INSERT' and new.kind in ('SERVICE', 'DEPOSIT') then
        select payer into paid_by from scheduling_service where id = new.service_id;
        if paid_by is distinct from 'SELF' then
            raise exception 'no price and no deposit for what the NHI pays' using errcode = 'check_violation';
        end if;
    end if;
    return new;
end
$f$;
create trigger payments_keep_item before insert or update on payments_item
    for each row execute function payments_keep_item();

create function payments_add_up() returns trigger language plpgsql as $f$
begin
    if exists (
        select 1 from (select distinct payment_id from fresh) f join payments_payment p on p.id = f.payment_id
         cross join lateral (select coalesce(sum(i.amount), 0) as amount,
                                    coalesce(sum(i.amount) filter (where i.kind = 'COPAY'), 0) as copay
                               from payments_item i where i.payment_id = p.id) as s
         where (s.amount, s.copay) is distinct from (p.amount::numeric, p.copay::numeric)
    ) then
        raise exception 'a payment is the sum of its lines' using errcode = 'check_violation';
    end if;
    return null;
end
$f$;
-- all lines of a payment come in one statement
create trigger payments_item_adds_up after insert on payments_item referencing new table as fresh
    for each statement execute function payments_add_up();

create function payments_count_refund() returns trigger language plpgsql as $f$
declare
    back record;
begin
    if tg_table_name = 'payments_refund' then
        update payments_payment
           set refunded = refunded + new.amount,
               refunded_at_will = refunded_at_will + case when new.reason in ('NOT_GIVEN', 'WRONG') then 0 else new.amount end,
               version = version + 1
         where id = new.payment_id;
    elsif new.step = 'FAILED' then
        select payment_id, amount, reason into back from payments_refund where id = new.refund_id;
        update payments_payment
           set refunded = refunded - back.amount,
               refunded_at_will = refunded_at_will - case when back.reason in ('NOT_GIVEN', 'WRONG') then 0 else back.amount end,
               version = version + 1
         where id = back.payment_id;
    end if;
    return null;
end
$f$;
create trigger payments_count_refund after insert on payments_refund
    for each row execute function payments_count_refund();
create trigger payments_count_failed_refund after insert on payments_refund_step
    for each row execute function payments_count_refund();
"""
UNDO = """
drop trigger payments_count_failed_refund on payments_refund_step;
drop trigger payments_count_refund on payments_refund;
drop trigger payments_item_adds_up on payments_item;
drop trigger payments_keep_item on payments_item;
drop trigger payments_keep_payment on payments_payment;
drop function payments_count_refund();
drop function payments_add_up();
drop function payments_keep_item();
drop function payments_keep_payment();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]

    operations = [
        migrations.RunSQL(GUARDS, UNDO),
        DefinerFunction(
            "payments_find_payment",
            arguments="wanted bytea", returns="uuid",
            body="select organization_id from payments_payment where token_hash = wanted",
            why="the link to a payment carries a 256-bit token and no organization; answers with its id only",
        ),
        DefinerFunction(
            "payments_find_account",
            arguments="wanted uuid", returns="uuid",
            body="select organization_id from payments_account where id = wanted",
            why="a payment provider's notice names the account, not the organization; answers with its id only",
        ),
    ]  # fmt: skip
