"""CheckMacValue: how ECPay and the clinic prove to each other who wrote a set of fields.

Source: ECPay 全方位金流 API, 附錄／檢查碼機制 (https://developers.ecpay.com.tw/?p=2902) and 附錄／URLEncode 轉換表.
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote_plus

NAME = "CheckMacValue"
# Python keeps "_", "." and "-" by itself and "~" too, which .NET encodes; these .NET keeps as well.
KEPT = "!*()"


def check_mac_value(fields: Mapping[str, str], *, hash_key: str, hash_iv: str) -> str:
    """Return the checksum of `fields`: 64 hexadecimal digits in capitals.

    Sorted by name without regard to case, joined, between HashKey and HashIV, encoded as .NET does, in small letters, SHA-256.
    A `CheckMacValue` among the fields is left out.

    >>> len(check_mac_value({"MerchantID": "3002607"}, hash_key="k", hash_iv="v"))
    64
    """
    ordered = sorted((name, value) for name, value in fields.items() if name != NAME)
    ordered.sort(key=lambda pair: pair[0].lower())
    joined = "&".join(f"{name}={value}" for name, value in ordered)
    encoded = dotnet_encode(f"HashKey={hash_key}&{joined}&HashIV={hash_iv}")
    return hashlib.sha256(encoded.encode("ascii")).hexdigest().upper()


def dotnet_encode(text: str) -> str:
    """Return `text` as .NET's HttpUtility.UrlEncode writes it, in small letters.

    >>> dotnet_encode("A b~(1)*'/é")
    'a+b%7e(1)*%27%2f%c3%a9'
    """
    return quote_plus(text, safe=KEPT).replace("~", "%7e").lower()


def is_genuine(fields: Mapping[str, str], *, hash_key: str, hash_iv: str) -> bool:
    """Whether the fields carry the right checksum; compared in constant time."""
    given = fields.get(NAME, "").upper().encode("utf-8", "replace")
    return hmac.compare_digest(given, check_mac_value(fields, hash_key=hash_key, hash_iv=hash_iv).encode())
