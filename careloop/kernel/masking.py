"""What is shown of an identifier until somebody reveals it with a reason (policy rule P16).

A mask keeps enough to tell two patients apart at the desk and too little to use elsewhere. It never shows a
short value in full, and its length does not give the hidden length away where that would help guessing.
"""

import re

from careloop.kernel.text import UNSPACED

ONLY_UNSPACED = re.compile(f"[{UNSPACED}]+")
COMPOUND_SURNAMES = frozenset(
    [
        "歐陽",
        "司馬",
        "司徒",
        "諸葛",
        "上官",
        "東方",
        "皇甫",
        "尉遲",
        "公孫",
        "慕容",
        "令狐",
        "夏侯",
        "范姜",
        "張簡",
        "欧阳",
        "司马",
        "诸葛",
        "东方",
        "张简",
    ]
)


def mask_id(value: str) -> str:
    """Mask a national id, resident certificate or passport number.

    >>> mask_id("A123456789"), mask_id("AB12"), mask_id("")
    ('A12****789', '****', '')
    """
    if len(value) < 8:
        return "****" if value else ""
    return f"{value[:3]}{'*' * (len(value) - 6)}{value[-3:]}"


def mask_phone(e164: str) -> str:
    """Mask a telephone number; the last three digits stay, because patients are found by them.

    >>> mask_phone("+886912345678"), mask_phone("+886223456789"), mask_phone("+85291234567")
    ('09**-***-678', '02-****-*789', '+852*****567')
    """
    digits = e164.lstrip("+")
    if len(digits) < 7:
        return "****" if digits else ""
    if e164.startswith("+8869") and len(e164) == 13:
        return f"09**-***-{digits[-3:]}"
    if e164.startswith("+886"):
        area = re.match(r"826|836|82|89|37|49|[2-8]", digits[3:])
        code = area[0] if area else ""
        hidden = len(digits) - 3 - len(code) - 3
        return f"0{code}-{'*' * (hidden - 1)}-*{digits[-3:]}" if hidden > 1 else f"0{code}-***{digits[-3:]}"
    if e164.startswith("09") and len(e164) == 10:
        return f"09**-***-{digits[-3:]}"
    return f"{e164[:4]}{'*' * (len(e164) - 7)}{e164[-3:]}"


def mask_email(address: str) -> str:
    """Mask an e-mail address: first letter and domain stay.

    >>> mask_email("amy.chen@example.com"), mask_email("not an address")
    ('a****@example.com', '****')
    """
    name, at, domain = address.rpartition("@")
    if not (name and at and domain):
        return "****" if address else ""
    return f"{name[0]}****@{domain}"


def mask_line_id(user_id: str) -> str:
    """Mask a LINE (or WeChat) user id.

    >>> mask_line_id("U8e742f61d673b39c7fff3cecb7536ef0")
    'U8e7****6ef0'
    """
    if len(user_id) < 12:
        return "****" if user_id else ""
    return f"{user_id[:4]}****{user_id[-4:]}"


def mask_name(name: str) -> str:
    """Mask a person's name the way Taiwanese waiting rooms do: the middle becomes a circle.

    >>> mask_name("王小明"), mask_name("王明"), mask_name("歐陽娜娜"), mask_name("Maria Santos")
    ('王○明', '王○', '歐陽○娜', 'M**** S****')
    """
    name = name.strip()
    if not ONLY_UNSPACED.fullmatch(name):
        return " ".join(f"{word[0]}****" for word in name.split())
    surname = 2 if len(name) > 2 and name[:2] in COMPOUND_SURNAMES else 1
    if len(name) <= surname + 1:
        return name[:surname] + "○" * max(1, len(name) - surname)
    return name[:surname] + "○" * (len(name) - surname - 1) + name[-1]


def mask_address(address: str) -> str:
    """Mask a Taiwanese address down to city and district.

    >>> mask_address("臺北市大安區和平東路一段278號")
    '臺北市大安區****'
    """
    found = re.match(r"^(?:\d{3,6})?\s*.{1,3}[市縣县].{1,4}?[區鄉鎮市区乡镇]", address)
    return f"{found[0]}****" if found else ("****" if address else "")
