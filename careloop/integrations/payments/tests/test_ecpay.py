"""ECPay: its own example of the checksum, its form, its notices, asking it, giving back; against a stand-in that checks us."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest

from careloop.integrations.payments.ecpay import adapter
from careloop.integrations.payments.ecpay.adapter import ECPay
from careloop.integrations.payments.ecpay.checksum import check_mac_value, is_genuine
from careloop.integrations.payments.fakes.ecpay import FakeECPay, signature, signed
from careloop.payments.ports import Asked, NoticeRefused, ProviderError, Result, Trade
from careloop.payments.tests.support import ECPAY

NOW = datetime(2026, 3, 16, 2, 0, tzinfo=UTC)
SECRETS = {"hash_key": ECPAY["hash_key"], "hash_iv": ECPAY["hash_iv"]}


@pytest.fixture
def fake(monkeypatch):
    made = FakeECPay()
    here = made.start()
    monkeypatch.setattr(adapter, "HOSTS", {"stage": here, "production": here})
    yield made
    made.stop()


@pytest.fixture
def merchant(fake):
    return ECPay(ECPAY)


def asked(**more):
    values = {
        "trade_no": "CL0123456789ABCDEFGH", "amount": 500, "currency": "TWD", "title": "安心診所", "line": "Fees of 安心診所 & <co> #1",
        "language": "en", "notify_url": "https://clinic.example.tw/hooks/payments/1", "back_url": "https://clinic.example.tw/p/y/t/", "at": NOW,
    }  # fmt: skip
    return Asked(**{**values, **more})


def ordered(fake, merchant, **more):
    """The payer's browser sends our form; return the trade."""
    handover = merchant.start(asked(**more))
    status, _page = fake.answer("/Cashier/AioCheckOut/V5", dict(handover.fields))
    assert (status, _page[:6]) == (200, "<html>")
    return Trade(handover.fields["MerchantTradeNo"], "", 500, "TWD")


def paid_trade(fake, merchant):
    trade = ordered(fake, merchant)
    told = merchant.read_notice(fake.pay(trade.trade_no))
    return replace(trade, provider_trade_no=told.provider_trade_no, details=told.details)


def test_the_official_example_of_the_checksum():
    """https://developers.ecpay.com.tw/?p=2902 (附錄／檢查碼機制), test merchant 3002607."""
    fields = {
        "TradeDesc": "促銷方案", "PaymentType": "aio", "MerchantTradeDate": "2023/03/12 15:30:23", "MerchantTradeNo": "ecpay20230312153023",
        "MerchantID": "3002607", "ReturnURL": "https://www.ecpay.com.tw/receive.php", "ItemName": "Apple iphone 15", "TotalAmount": "30000",
        "ChoosePayment": "ALL", "EncryptType": "1",
    }  # fmt: skip
    official = "6C51C9E6888DE861FD62FB1DD17029FC742634498FD813DC43D4243B5685B840"

    assert check_mac_value(fields, hash_key="pwFHCqoQZGmho4w6", hash_iv="EkRm7iFT261dpevs") == official
    assert signature(fields) == official
    assert is_genuine({**fields, "CheckMacValue": official.lower()}, **SECRETS)


@pytest.mark.parametrize("odd", ["~", "!*()", "-_.", "'\"%", "牙😀", "a b+c", "é/?#&=", "Ａ", ""])
def test_two_calculations_agree_about_odd_letters(odd):
    fields = {"b": odd, "A": "1", "a_c": odd + "x"}

    assert check_mac_value(fields, **SECRETS) == signature(fields)


def test_the_form_goes_to_the_chosen_host_and_says_nothing_of_the_treatment(merchant, fake):
    handover = merchant.start(asked())

    assert handover.url == handover.origin + "/Cashier/AioCheckOut/V5"
    assert handover.fields["ItemName"] == "Fees of 安心診所 co 1"
    assert handover.fields["MerchantTradeDate"] == "2026/03/16 10:00:00"
    assert (handover.fields["EncryptType"], handover.fields["Language"], len(handover.fields["MerchantTradeNo"])) == (
        "1",
        "ENG",
        20,
    )
    assert fake.answer("/Cashier/AioCheckOut/V5", dict(handover.fields))[1].startswith("<html>")


def test_there_are_two_hosts_and_no_third():
    assert adapter.HOSTS == {
        "stage": "https://payment-stage.ecpay.com.tw",
        "production": "https://payment.ecpay.com.tw",
    }
    assert ECPay({**ECPAY, "environment": "https://evil.example"}).host == adapter.HOSTS["stage"]


def test_a_notice_is_read_and_keeps_neither_proof_nor_card(merchant, fake):
    trade = ordered(fake, merchant)

    told = merchant.read_notice(fake.pay(trade.trade_no))

    assert (told.trade_no, told.amount, told.currency, told.result, told.method) == (
        trade.trade_no,
        500,
        "TWD",
        Result.PAID,
        "card",
    )
    assert told.occurred_at == datetime(2026, 3, 16, 2, 5, tzinfo=UTC)
    assert told.details == {"gwsr": "10735183", "PaymentType": "Credit_CreditCard"}
    assert {"CheckMacValue", "card4no", "card6no", "auth_code"} & set(told.kept) == set()


@pytest.mark.parametrize(
    ("code", "result"), [("10100058", Result.FAILED), ("2", Result.WAITING), ("10100073", Result.WAITING)]
)
def test_other_codes_are_no_payment(merchant, fake, code, result):
    trade = ordered(fake, merchant)
    told = merchant.read_notice(fake.pay(trade.trade_no, RtnCode=code, RtnMsg="額度不足"))

    assert (told.result, told.said) == (result, "額度不足")


def test_a_simulated_payment_counts_in_the_test_environment_only(merchant, fake):
    trade = ordered(fake, merchant)
    body = fake.pay(trade.trade_no, SimulatePaid="1")

    assert merchant.read_notice(body).result is Result.PAID
    assert ECPay({**ECPAY, "environment": "production"}).read_notice(body).result is Result.SIMULATED


def test_forged_altered_and_foreign_notices_are_refused(merchant, fake):
    trade = ordered(fake, merchant)
    good = dict(parse_qsl(fake.pay(trade.trade_no).decode(), keep_blank_values=True))
    for body, why in (
        (urlencode(good | {"TradeAmt": "1"}), "checksum"),
        (urlencode({name: value for name, value in good.items() if name != "CheckMacValue"}), "checksum"),
        (urlencode(good | {"CheckMacValue": "0" * 64}), "checksum"),
        (urlencode(good | {"CheckMacValue": "é"}), "checksum"),
        (urlencode(signed({**good, "MerchantID": "2000132"})), "merchant"),
        ("&".join("a=1" for _field in range(200)), "unreadable"),
        ("", "checksum"),
    ):
        with pytest.raises(NoticeRefused) as refusal:
            merchant.read_notice(body.encode())
        assert refusal.value.why == why


def test_asking_what_became_of_a_trade(merchant, fake):
    assert merchant.query(Trade("CL99999999999999ABCD", "", 500, "TWD")).result is Result.WAITING
    trade = ordered(fake, merchant)
    assert merchant.query(trade).result is Result.WAITING
    fake.orders[trade.trade_no].status = "10200095"
    assert merchant.query(trade).result is Result.FAILED
    fake.pay(trade.trade_no)

    told = merchant.query(trade)
    assert (told.result, told.amount, told.trade_no) == (Result.PAID, 500, trade.trade_no)


@pytest.mark.parametrize("trick", ["close", "500", "403", "forged"])
def test_an_answer_that_is_none_or_not_theirs_is_an_error(merchant, fake, trick):
    trade = ordered(fake, merchant)
    fake.next.append(trick)

    with pytest.raises(ProviderError):
        merchant.query(trade)


def test_testing_the_connection(merchant, fake):
    assert merchant.check(now=NOW).ok

    with pytest.raises(ProviderError) as error:
        ECPay({**ECPAY, "hash_key": "wrong"}).check(now=NOW)
    assert "HashKey" in str(error.value)


def test_not_reached_is_said(merchant, fake):
    fake.stop()
    with pytest.raises(ProviderError) as error:
        merchant.check(now=NOW)
    assert not error.value.unclear
    fake.start()


@pytest.mark.parametrize(
    ("status", "amount", "steps", "becomes"),
    [
        ("已授權", 500, ["N"], "已取消"),
        ("已授權", 200, ["C", "R"], "要關帳"),
        ("要關帳", 500, ["E", "N"], "已取消"),
        ("要關帳", 200, ["R"], "要關帳"),
        ("已關帳", 500, ["R"], "已關帳"),
        ("已關帳", 200, ["R"], "已關帳"),
    ],
)
def test_giving_back_in_every_state_of_a_card_payment(merchant, fake, status, amount, steps, becomes):
    trade = paid_trade(fake, merchant)
    order = fake.orders[trade.trade_no]
    order.status = status
    fake.calls.clear()

    merchant.refund(trade, amount, now=NOW)

    assert [fields["Action"] for path, fields in fake.calls if path.endswith("DoAction")] == steps
    assert (order.status, order.given_back) == (becomes, amount)


def test_the_rest_after_a_part(merchant, fake):
    trade = paid_trade(fake, merchant)
    merchant.refund(trade, 200, now=NOW)
    merchant.refund(replace(trade, given_back=200), 300, now=NOW)

    assert fake.orders[trade.trade_no].given_back == 500


def test_when_the_second_step_is_lost_nobody_knows(merchant, fake):
    trade = paid_trade(fake, merchant)
    fake.next[:] = ["", "", "close"]

    with pytest.raises(ProviderError) as error:
        merchant.refund(trade, 200, now=NOW)
    assert error.value.unclear


def test_what_cannot_be_given_back_there(merchant, fake):
    trade = paid_trade(fake, merchant)
    evening = datetime(2026, 3, 16, 12, 20, tzinfo=UTC)
    for one, at, provider in (
        (trade, evening, merchant),
        (replace(trade, details={"PaymentType": "ATM_TAISHIN"}), NOW, merchant),
        (trade, NOW, ECPay({**ECPAY, "check_code": ""})),
        (trade, NOW, ECPay({**ECPAY, "check_code": "wrong"})),
    ):
        with pytest.raises(ProviderError) as error:
            provider.refund(one, 100, now=at)
        assert not error.value.unclear
    assert fake.orders[trade.trade_no].given_back == 0
    merchant.refund(trade, 100, now=evening + timedelta(minutes=30))
