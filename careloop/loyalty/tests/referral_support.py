"""Members who tell friends, friends who come, for the tests of referrals."""

from datetime import date, timedelta

from careloop.events.models import Event
from careloop.kernel import sql
from careloop.loyalty.tests.make import NOW, member
from careloop.loyalty.thanks import referrals
from careloop.patients.tests.make import patient

SOON = NOW + timedelta(days=3)
LATER = SOON + timedelta(days=3)


def friend_of(code, *, name="陳怡君", now=NOW, how="LINK", **details):
    """Somebody new who registers with a code."""
    someone = patient(name, now=now, registered_on=now.date(), **{"birth_date": date(1985, 1, 2), **details})
    return someone, referrals.claim(friend_id=someone, code=code, how=how, now=now)


def a_member(**details):
    """A member with a code to give away."""
    account = member(phone="0912000111", **details)
    return account.patient_id, referrals.code_of(account.patient_id, now=NOW)


def seen(patient_id, at=SOON):
    return referrals.note_visits({patient_id: at}, now=at)


def completed(referrer_id):
    return Event.objects.filter(kind="loyalty.referral_completed", patient_id=referrer_id).count()


def visit(who, at):
    sql.execute(
        "insert into records_encounter (id, patient_id, started_at, status, source, external_id, recorded_at, code, display) "
        "values (gen_random_uuid(), %s, %s, 'finished', 'test', gen_random_uuid()::text, %s, '', '')",
        [who, at, at],
    )


def balance(who):
    return sql.value("select balance from loyalty_account where patient_id = %s", [who])
