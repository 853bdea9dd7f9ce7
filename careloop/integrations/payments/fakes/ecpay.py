"""An ECPay that stays on this machine: checks our CheckMacValue with a second hand-written calculation, and plays the bank.

It knows AioCheckOut/V5, QueryTradeInfo/V5, CreditDetail/QueryTrade/V2 and CreditDetail/DoAction as the documents describe them
(see `ecpay/adapter.py` for the pages), with the card states 已授權, 要關帳, 已關帳 and which action each of them takes.
"""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

HASH_KEY, HASH_IV = "pwFHCqoQZGmho4w6", "EkRm7iFT261dpevs"  # ECPay's public test merchant
MERCHANT, CHECK_CODE = "3002607", "25938001"
# which state takes which action, and what it becomes
ACTIONS = {
    ("已授權", "N"): "已取消", ("已授權", "C"): "要關帳", ("要關帳", "E"): "已授權", ("要關帳", "R"): "要關帳", ("已關帳", "R"): "已關帳",
}  # fmt: skip


def signature(fields: dict[str, str]) -> str:
    """CheckMacValue, calculated letter by letter from the document's table and without our own code."""
    pairs = sorted(
        ((name, value) for name, value in fields.items() if name != "CheckMacValue"), key=lambda p: p[0].upper()
    )
    text = "HashKey=" + HASH_KEY + "".join(f"&{name}={value}" for name, value in pairs) + "&HashIV=" + HASH_IV
    kept = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!*()")
    coded = "".join(
        char if char in kept else "+" if char == " " else "".join(f"%{byte:02x}" for byte in char.encode())
        for char in text
    )
    return hashlib.sha256(coded.lower().encode()).hexdigest().upper()


def signed(fields: dict[str, str]) -> dict[str, str]:
    return {**fields, "CheckMacValue": signature(fields)}


@dataclass
class Card:
    """One order as the fake keeps it."""

    fields: dict[str, str]
    trade_no: str
    paid: bool = False
    status: str = "已授權"
    given_back: int = 0


@dataclass
class FakeECPay:
    """`orders` by MerchantTradeNo; `calls` counts requests by path; `next` misbehaves once: "close", "500", "403", "forged"."""

    orders: dict[str, Card] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    next: list[str] = field(default_factory=list)

    def start(self) -> str:
        """Listen on a free port of this machine and return the address."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                fields = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
                status, body = fake.answer(self.path, fields)
                if status == 0:
                    self.connection.close()
                    return
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, fields: dict[str, str]) -> tuple[int, str]:
        self.calls.append((path, fields))
        trick = self.next.pop(0) if self.next else ""
        if trick == "close":
            return 0, ""
        if trick.isdigit():
            return int(trick), ""
        if fields.get("CheckMacValue") != signature(fields) or fields.get("MerchantID") != MERCHANT:
            return 200, "0|CheckMacValue Error"
        match path:
            case "/Cashier/AioCheckOut/V5":
                return self._checkout(fields)
            case "/Cashier/QueryTradeInfo/V5":
                return self._query(fields, forged=trick == "forged")
            case "/CreditDetail/QueryTrade/V2":
                return self._card(fields)
            case "/CreditDetail/DoAction":
                return self._act(fields)
        return 404, ""

    def _checkout(self, fields: dict[str, str]) -> tuple[int, str]:
        number = fields["MerchantTradeNo"]
        if number in self.orders:
            return 200, "10300028|duplicate MerchantTradeNo"
        self.orders[number] = Card(fields, trade_no=f"2603{len(self.orders):016d}"[:20])
        return 200, "<html>choose how to pay</html>"

    def pay(self, number: str, **more: str) -> bytes:
        """The payer pays; return the body that ECPay's server sends to ReturnURL."""
        one = self.orders[number]
        if more.get("RtnCode", "1") == "1" and more.get("SimulatePaid") != "1":
            one.paid = True
        return urlencode(
            signed(self._told(one) | {"RtnCode": "1", "RtnMsg": "交易成功", "SimulatePaid": "0"} | more)
        ).encode()

    def _told(self, one: Card) -> dict[str, str]:
        return {
            "MerchantID": MERCHANT, "MerchantTradeNo": one.fields["MerchantTradeNo"], "StoreID": "", "TradeNo": one.trade_no,
            "TradeAmt": one.fields["TotalAmount"], "PaymentDate": "2026/03/16 10:05:00", "PaymentType": "Credit_CreditCard",
            "PaymentTypeChargeFee": "10", "TradeDate": one.fields["MerchantTradeDate"], "gwsr": "10735183", "card4no": "2222",
            "card6no": "431195", "auth_code": "777777", "CustomField1": "",
        }  # fmt: skip

    def _query(self, fields: dict[str, str], *, forged: bool) -> tuple[int, str]:
        one = self.orders.get(fields["MerchantTradeNo"])
        if one is None:
            told = {
                "MerchantID": MERCHANT,
                "MerchantTradeNo": fields["MerchantTradeNo"],
                "TradeStatus": "10200047",
                "TradeAmt": "0",
            }
        else:
            told = self._told(one) | {"TradeStatus": "1" if one.paid else one.status if one.status.isdigit() else "0"}
        answer = signed(told)
        if forged:
            answer["TradeStatus"] = "1"
        return 200, urlencode(answer)

    def _card(self, fields: dict[str, str]) -> tuple[int, str]:
        if fields["CreditCheckCode"] != CHECK_CODE:
            return 200, json.dumps({"RtnMsg": "error", "RtnValue": ""})
        one = next((one for one in self.orders.values() if one.paid), None)
        if one is None:
            return 200, json.dumps({"RtnMsg": "error_nopay", "RtnValue": ""})
        return 200, json.dumps({"RtnMsg": "", "RtnValue": {"TradeID": fields["CreditRefundId"], "status": one.status}})

    def _act(self, fields: dict[str, str]) -> tuple[int, str]:
        one = self.orders[fields["MerchantTradeNo"]]
        action, amount, left = (
            fields["Action"],
            int(fields["TotalAmount"]),
            int(one.fields["TotalAmount"]) - one.given_back,
        )
        becomes = ACTIONS.get((one.status, action))
        if becomes is None or amount > left or (action != "R" and amount != left):
            return 200, urlencode({"RtnCode": "0", "RtnMsg": f"error_status {one.status}"})
        one.status = becomes
        if action in "RN":
            one.given_back += amount
        return 200, urlencode(
            {"MerchantID": MERCHANT, "MerchantTradeNo": fields["MerchantTradeNo"], "RtnCode": "1", "RtnMsg": ""}
        )
