"""Money goes back once, never more than came, and the co-pay only where the charge was wrong."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from careloop.events.models import Event
from careloop.followups.models import FollowUp
from careloop.kernel import sql
from careloop.payments import errors, notices, privacy, refunds, rules, services
from careloop.payments.models import Attempt, Payment, Refund
from careloop.payments.ports import GivenBack, ProviderError, Result
from careloop.payments.tests.support import NOW, asked, notice, paid, sandbox
from careloop.tenancy.context import in_organization


@pytest.fixture
def done(organization):
    sandbox()
    return paid(550, copay=50)


def give(payment, amount, *, reason="NOT_GIVEN", key="k1", by_hand=False, note="沒有做"):
    return refunds.ask(
        payment_id=payment.pk, amount=amount, reason=reason, note=note, key=key, now=NOW, by=None, by_hand=by_hand
    )


def send(refund, organization):
    return refunds.send(organization_id=organization.pk, refund_id=refund.pk, now=NOW)


def counted(payment):
    return Payment.objects.values_list("refunded", "refunded_at_will").get(pk=payment.pk)


def test_a_part_and_then_the_rest_go_back_through_the_provider(done, organization):
    first = give(done, 150, key="a")
    assert counted(done) == (150, 0)
    assert send(first, organization) == "DONE"
    second = give(done, 400, key="b")

    assert send(second, organization) == "DONE"
    assert send(second, organization) == ""
    with pytest.raises(errors.RefundTooLarge):
        give(done, 1, key="c")
    told = list(
        Event.objects.filter(kind="payment.refunded").order_by("id").values_list("payload__total", "payload__self_pay")
    )
    assert told == [(150, 150), (400, 350)]


def test_the_same_form_twice_gives_back_once(done):
    assert give(done, 150) == give(done, 150)
    assert counted(done) == (150, 0)


def test_co_pay_is_not_given_back_as_a_favour(done):
    with pytest.raises(errors.CopayReduced) as refusal:
        give(done, 501, reason="OTHER")
    assert "43" in str(refusal.value)

    give(done, 500, reason="CARD_SHOWN")
    with pytest.raises(errors.CopayReduced):
        give(done, 50, reason="OTHER", key="k2")
    give(done, 50, reason="WRONG", key="k3")
    assert counted(done) == (550, 500)


def test_the_database_refuses_more_than_was_paid_and_gifts_of_co_pay(done):
    give(done, 400, reason="OTHER")
    for amount, reason in ((101, "OTHER"), (151, "WRONG")):
        with pytest.raises(IntegrityError), transaction.atomic():
            Refund.objects.create(payment=done, amount=amount, reason=reason, key=f"{amount}", asked_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.create(payment=asked(), amount=1, reason="WRONG", key="unpaid", asked_at=NOW)


def test_a_refused_refund_frees_its_sum(done, organization, monkeypatch):
    refund = give(done, 550)

    def refuse(self, trade, amount, *, now):
        raise ProviderError("not today")

    monkeypatch.setattr("careloop.integrations.payments.sandbox.adapter.Sandbox.refund", refuse)
    assert send(refund, organization) == "FAILED"
    assert counted(done) == (0, 0)
    assert Event.objects.filter(kind="payment.refunded").count() == 0


def test_a_lost_answer_is_never_asked_again_and_somebody_settles_it(done, organization, member_of, monkeypatch):
    refund, asked_times = give(done, 550), []

    def lost(self, trade, amount, *, now):
        asked_times.append(amount)
        raise ProviderError("silence", unclear=True)

    monkeypatch.setattr("careloop.integrations.payments.sandbox.adapter.Sandbox.refund", lost)
    assert [send(refund, organization) for _job in range(3)] == ["SENT", "", ""]
    assert asked_times == [550]
    assert counted(done) == (550, 0)
    assert FollowUp.objects.count() == 1

    who = member_of("owner")
    refunds.settle(refund_id=refund.pk, went_through=False, now=NOW, by=who.pk)
    assert counted(done) == (0, 0)
    with pytest.raises(errors.NotUnclear):
        refunds.settle(refund_id=refund.pk, went_through=True, now=NOW, by=who.pk)


def test_a_sender_that_died_leaves_work_for_staff_and_nothing_is_asked_again(done, organization):
    refund = give(done, 550)
    sql.execute("insert into payments_refund_step (refund_id, step, at) values (%s, 'SENT', %s)", [refund.pk, NOW])

    assert send(refund, organization) == ""
    assert refunds.note_silent(now=NOW + timedelta(minutes=10)) == 0
    assert [refunds.note_silent(now=NOW + timedelta(minutes=16)) for _round in range(2)] == [1, 0]
    assert FollowUp.objects.count() == 1


def test_given_back_at_the_desk_asks_nobody(done):
    give(done, 100, by_hand=True)

    assert Event.objects.filter(kind="payment.refunded").count() == 1
    assert [step.step for step in Refund.objects.get().steps.all()] == ["DONE"]


def test_eight_desks_at_once_give_back_no_more_than_was_paid(committed_organization):
    with in_organization(committed_organization.id):
        sandbox()
        payment = paid(500)
    together = Barrier(8)

    def ask(number):
        together.wait(20)
        try:
            with in_organization(committed_organization.id):
                give(payment, 200, key=f"desk-{number}")
        except errors.RefundTooLarge:
            return 0
        finally:
            connection.close()
        return 200

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(ask, range(8)))

    assert sum(given) == 400
    with in_organization(committed_organization.id):
        assert counted(payment) == (400, 0)


def test_a_refund_needs_words_and_a_payment_that_was_paid(done):
    with pytest.raises(errors.NoteMissing):
        give(done, 10, note=" ")
    with pytest.raises(errors.NotPaid):
        give(asked(), 10)


def test_a_patient_has_it_exported_and_erased(done):
    give(done, 100, by_hand=True, note="預約當天取消")
    who = done.patient_id
    (told,) = privacy.export(who)["payments"]
    assert (told["amount"], told["refunds"][0]["note"], told["items"][0]["name"]) == (550, "預約當天取消", "診斷證明書")

    from careloop.patients import privacy as patients

    patients.erase(who)
    privacy.erase(who)
    (told,) = privacy.export(who)["payments"]
    assert (told["amount"], told["refunds"][0]["note"], told["items"][0]["name"], told["for"]) == (550, "", "—", "—")


class LifeOfPayments(RuleBasedStateMachine):
    """Random lives of one payment: whatever happens in whatever order, sums and states stay true."""

    def __init__(self):
        super().__init__()
        # each life in a savepoint of its own, rolled back at its end
        self.life = transaction.atomic()
        self.life.__enter__()
        self.payment, self.number, self.given = asked(550, copay=50), 0, {}
        self.seen = [self.payment.state]

    def now_is(self):
        return Payment.objects.get(pk=self.payment.pk)

    def tries(self):
        return list(Attempt.objects.filter(payment=self.payment).order_by("id"))

    @rule(minutes=st.integers(0, 60 * 24 * 20))
    def begin(self, minutes):
        try:
            services.start(payment_id=self.payment.pk, language="en", now=NOW + timedelta(minutes=minutes))
        except (errors.NotPayable, errors.TooManyTries):
            assert (
                self.now_is().state in ("PAID", "EXPIRED", "CANCELLED")
                or minutes >= 60 * 24 * 14
                or len(self.tries()) >= 20
            )

    @rule(which=st.integers(0, 3), result=st.sampled_from(list(Result)), amount=st.sampled_from([550, 550, 550, 500]))
    def hear(self, which, result, amount):
        tries = self.tries()
        if tries:
            one = tries[which % len(tries)]
            told = notice(one, result, amount=amount)
            notices.take(account=one.account, notice=told, source="notice", now=NOW)

    @rule()
    def withdraw(self):
        one = self.now_is()
        if one.state in rules.PAYABLE:
            services.withdraw(payment_id=one.pk, reason="x", version=one.version, now=NOW, by=None)

    @rule(days=st.integers(0, 20))
    def expire(self, days):
        services.expire_old(now=NOW + timedelta(days=days))

    @rule(amount=st.integers(1, 600), reason=st.sampled_from(Refund.Reason.values), by_hand=st.booleans())
    def give_back(self, amount, reason, by_hand):
        self.number += 1
        before = self.now_is()
        left = rules.left_to_refund(
            amount=550, copay=50, refunded=before.refunded, refunded_at_will=before.refunded_at_will, reason=reason
        )
        try:
            refund = refunds.ask(
                payment_id=before.pk, amount=amount, reason=reason, note="x", key=f"{self.number}", now=NOW, by=None, by_hand=by_hand
            )  # fmt: skip
        except errors.NotPaid:
            assert before.state != "PAID"
        except (errors.RefundTooLarge, errors.CopayReduced):
            assert amount > left
        else:
            assert before.state == "PAID"
            assert amount <= left
            if not by_hand:
                self.given[refund.pk] = refund

    @rule(fate=st.sampled_from(["DONE", "FAILED", "SENT"]))
    def end_refund(self, fate):
        if self.given:
            _id, refund = self.given.popitem()
            from careloop.tenancy.context import current_organization_id

            with pytest.MonkeyPatch.context() as patch:

                def answer(provider, trade, amount, *, now):
                    if fate != "DONE":
                        raise ProviderError("no", unclear=fate == "SENT")
                    return GivenBack()

                patch.setattr("careloop.integrations.payments.sandbox.adapter.Sandbox.refund", answer)
                assert refunds.send(organization_id=current_organization_id(), refund_id=refund.pk, now=NOW) == fate

    @invariant()
    def what_is_always_true(self):
        one = self.now_is()
        if one.state != self.seen[-1]:
            assert one.state in rules.MAY_BECOME[self.seen[-1]]
            self.seen.append(one.state)
        kept = sql.row(
            """select coalesce(sum(r.amount), 0) as all, coalesce(sum(r.amount) filter (where r.reason in ('OTHER', 'CARD_SHOWN')), 0) as free
                 from payments_refund r
                where r.payment_id = %s and not exists (select 1 from payments_refund_step s where s.refund_id = r.id and s.step = 'FAILED')""",
            [one.pk],
        )
        assert (one.refunded, one.refunded_at_will) == (kept["all"], kept["free"])
        assert one.refunded <= one.amount
        assert one.refunded_at_will <= one.amount - one.copay
        told = Event.objects.filter(kind="payment.paid", payload__payment_id=str(one.pk)).count()
        assert told == (1 if one.state == "PAID" else 0)
        assert Attempt.objects.filter(payment=one, state="PAID", is_extra=False).count() == told

    def teardown(self):
        transaction.set_rollback(True)
        self.life.__exit__(None, None, None)
        connection.needs_rollback = False


def test_random_lives_of_payments(organization):
    from hypothesis.stateful import run_state_machine_as_test

    sandbox()
    run_state_machine_as_test(
        LifeOfPayments,
        settings=settings(
            max_examples=12, stateful_step_count=25, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
