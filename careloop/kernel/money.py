"""Money: a whole number of minor units and a currency code (ISO 4217), never a float.

The Taiwan dollar is used without cents, so one unit is NT$1; so are the yen and the won.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from careloop.kernel.errors import DomainError

# As used in practice, not by the letter of ISO 4217 (which still gives the Taiwan dollar two decimals).
DECIMALS = {
    "TWD": 0,
    "JPY": 0,
    "KRW": 0,
    "CNY": 2,
    "HKD": 2,
    "USD": 2,
    "EUR": 2,
    "SGD": 2,
    "MYR": 2,
    "MOP": 2,
}
SYMBOLS = {
    "TWD": "NT$", "CNY": "CN¥", "USD": "US$", "HKD": "HK$", "JPY": "JP¥", "EUR": "€", "KRW": "₩",
    "SGD": "S$", "MYR": "RM", "MOP": "MOP$",
}  # fmt: skip
# What people type in front of or behind an amount, and the currency it says; a bare $ says none.
WRITTEN = {
    "NT$": "TWD", "NTD": "TWD", "TWD": "TWD", "新臺幣": "TWD", "新台幣": "TWD", "US$": "USD", "USD": "USD",
    "RMB": "CNY", "CNY": "CNY", "CN¥": "CNY", "人民幣": "CNY", "人民币": "CNY", "HK$": "HKD", "HKD": "HKD",
    "JPY": "JPY", "EUR": "EUR", "€": "EUR",
}  # fmt: skip

# PostgreSQL bigint; a sum of many amounts must still fit
LARGEST = 10**15
AMOUNT = re.compile(r"\(?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?\)?")


class MoneyRefused(DomainError, ValueError):
    """What was typed is not an amount of money."""

    code: ClassVar[str] = "money.refused"
    status: ClassVar[int] = 422
    message = _("This is not an amount of money.")


class TooManyDecimals(MoneyRefused):
    code = "money.too_many_decimals"
    message = _("%(currency)s has %(decimals)d decimals; the amount has more.")


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`amount` minor units of `currency`; adding different currencies is a mistake in the program."""

    amount: int
    currency: str = "TWD"

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added")

    def __str__(self) -> str:
        return format_money(self.amount, self.currency)


def decimals_of(currency: str) -> int:
    """Return how many decimals the currency has in practice."""
    return DECIMALS.get(currency, 2)


def format_money(amount: int, currency: str = "TWD") -> str:
    """Return the amount as people read it, the same in our three languages.

    >>> format_money(1200), format_money(-123456, "USD"), format_money(0)
    ('NT$1,200', '−US$1,234.56', 'NT$0')
    """
    figures = f"{Decimal(plain_amount(abs(amount), currency)):,}"
    return f"{'−' if amount < 0 else ''}{SYMBOLS.get(currency, currency + ' ')}{figures}"


def plain_amount(amount: int, currency: str = "TWD") -> str:
    """Return the amount as programs read it: for fields that are typed into and for tables.

    >>> plain_amount(1200), plain_amount(-123456, "USD"), plain_amount(5, "USD")
    ('1200', '-1234.56', '0.05')
    """
    return f"{Decimal(amount).scaleb(-decimals_of(currency)):f}"


def read_money(text: str | int | float | Decimal, *, currency: str = "TWD") -> Money:
    """Read an amount as people type it: 1,200 · NT$1,200 · 1200元 · $1,200.00 · (500) for minus 500.

    A currency written with the amount wins over `currency`. Zeros behind the currency's decimals are dropped;
    anything else there is refused, because money is never rounded without asking.

    Raises:
        MoneyRefused: not an amount, or too large to be one. TooManyDecimals: 12.5 in Taiwan dollars.

    >>> read_money("NT$1,200"), read_money("12.50", currency="USD").amount
    (Money(amount=1200, currency='TWD'), 1250)
    """
    plain = unicodedata.normalize("NFKC", str(text)).replace(" ", "").replace("−", "-").replace("_", "x")
    sign = -1 if plain.startswith("-") else 1
    plain = plain.removeprefix("-").upper()
    for written, code in WRITTEN.items():
        if plain.startswith(written) or plain.endswith(written):
            currency = code
            plain = plain.removeprefix(written).removesuffix(written)
            break
    plain = plain.removeprefix("$").removeprefix("¥").removesuffix("圓").removesuffix("元").removesuffix("塊")
    if not AMOUNT.fullmatch(plain) or plain.startswith("(") != plain.endswith(")"):
        raise MoneyRefused
    if plain.startswith("("):
        sign, plain = -sign, plain[1:-1]
    try:
        scaled = Decimal(plain.replace(",", "")).scaleb(decimals_of(currency))
    except InvalidOperation:
        raise MoneyRefused from None
    if abs(scaled) > LARGEST:
        raise MoneyRefused
    if scaled != int(scaled):
        raise TooManyDecimals(currency=currency, decimals=decimals_of(currency))
    return Money(sign * int(scaled), currency)
