"""Making up the patients: names, ages, numbers. Pure and seeded."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from careloop.demo.cast import CAST, Character

SURNAMES = (
    "陳 11.1 林 8.3 黃 6.0 張 5.3 李 5.1 王 4.1 吳 4.0 劉 3.2 蔡 2.9 楊 2.7 許 2.3 鄭 1.9 謝 1.8 郭 1.5 洪 1.5 邱 1.5 曾 1.4 廖 1.4 賴 1.3 "
    "徐 1.3 周 1.2 葉 1.2 蘇 1.1 莊 1.0 呂 0.9 江 0.9 何 0.9 蕭 0.9 羅 0.9 高 0.8 潘 0.7 簡 0.7 朱 0.7 鍾 0.7 游 0.6 彭 0.6 詹 0.6 胡 0.5 "
    "施 0.5 沈 0.5 余 0.5 盧 0.5 梁 0.4 趙 0.4 顏 0.4 柯 0.4 翁 0.4 魏 0.4 孫 0.4 戴 0.4"
).split()
WOMEN = (
    "淑芬 美玲 雅婷 怡君 佳穎 詩涵 欣怡 雅雯 惠雯 佩珊 宜蓁 思妤 秀英 麗華 素珍 月娥 玉蘭 美惠 淑惠 雅惠 筱涵 品妤 子晴 語彤 芷涵 心怡 靜宜 慧君 "
    "婉婷 郁婷 佳蓉 家瑜 昀蓁 曉雯 珮瑜 若涵 羽彤 詠晴 秀蘭 春美 金鳳 寶珠 碧珠 淑娟 麗卿 素卿 玉珍 瑞珠 雪芬 鈺婷"
).split()
MEN = (
    "志明 家豪 俊傑 建宏 冠宇 宗翰 柏翰 承恩 宇軒 品睿 建國 文雄 俊宏 志偉 明哲 信宏 哲瑋 冠廷 彥廷 子豪 睿恩 宥辰 柏睿 宗憲 國華 榮輝 金龍 文彬 "
    "進財 清水 添福 武雄 嘉偉 智翔 育誠 政宏 聖傑 凱文 士豪 奕辰 皓宇 浩宇 振宇 昱廷 漢忠 正雄 永昌 銘宏 耀文 勝雄"
).split()
DISTRICTS = (
    ("臺北市", "信義區", "110"), ("臺北市", "大安區", "106"), ("臺北市", "松山區", "105"), ("臺北市", "南港區", "115"),
    ("新北市", "板橋區", "220"), ("新北市", "中和區", "235"), ("新北市", "土城區", "236"), ("新北市", "新莊區", "242"),
)  # fmt: skip
STREETS = ("中山路", "文化路", "忠孝東路", "民生路", "永吉路", "四川路", "松仁路", "實踐路", "莒光路", "基隆路")
JOBS = (
    "工程師 會計 教師 業務 行政 護理師 設計師 司機 自營商 公務員 學生 家管 退休 服務業 作業員 廚師 軍警 研究員".split()
)
REFERRALS = ("親友介紹", "Google 地圖", "路過", "官方網站", "LINE 官方帳號", "公司健檢")
LETTERS = {letter: 10 + place for place, letter in enumerate("ABCDEFGHJKLMNPQRSTUVXYWZIO")}
AGES = ((0, 6, 7), (7, 17, 10), (18, 29, 16), (30, 39, 18), (40, 49, 16), (50, 64, 19), (65, 74, 9), (75, 92, 5))


@dataclass
class Person:
    """One patient before any history."""

    number: int
    name: str
    sex: str
    birth: date
    branch: int
    story: str
    mobile: str
    national_id: str
    email: str = ""
    line: str = ""
    city: str = ""
    district: str = ""
    postal: str = ""
    address: str = ""
    occupation: str = ""
    referral: str = ""
    registered: date = date(2000, 1, 1)
    tags: list[str] = field(default_factory=list)
    character: Character | None = None

    @property
    def external_id(self) -> str:
        return f"P{self.number:05d}"

    @property
    def chart(self) -> str:
        return f"{self.number:06d}"


def make_people(count: int, *, dice: random.Random, today: date) -> list[Person]:
    """Return the cast first, then as many others as are wanted."""
    people = list(_cast(dice, today))
    families = _Families(dice)
    while len(people) < count:
        people.append(_anybody(len(people) + 1, dice, today, families))
    return people


def national_id(number: int, sex: str, dice: random.Random) -> str:
    """Return a national id with a right check digit that belongs to nobody known to us."""
    letter = dice.choice("ABFHTE")
    digits = f"{1 if sex == 'male' else 2}{number % 1000:03d}{dice.randrange(10_000):04d}"
    code = LETTERS[letter]
    total = code // 10 + code % 10 * 9 + sum(int(d) * w for d, w in zip(digits, range(8, 0, -1), strict=True))
    return f"{letter}{digits}{(10 - total % 10) % 10}"


def resident_number(dice: random.Random) -> str:
    """Return a resident certificate number (since 2021) with a right check digit."""
    letter, digits = "F", f"9{dice.randrange(10**7):07d}"
    code = LETTERS[letter]
    total = code // 10 + code % 10 * 9 + sum(int(d) * w for d, w in zip(digits, range(8, 0, -1), strict=True))
    return f"{letter}{digits}{(10 - total % 10) % 10}"


def birth_date(age: int, dice: random.Random, today: date) -> date:
    """Return a birthday that makes somebody `age` years old today."""
    return today - timedelta(days=round(age * 365.2425) + dice.randrange(365))


def _cast(dice: random.Random, today: date) -> Iterator[Person]:
    for number, one in enumerate(CAST, start=1):
        city, district, postal = DISTRICTS[0 if one.branch == 0 else 4]
        yield Person(
            number=number, name=one.name, sex=one.sex, birth=birth_date(one.age, dice, today), branch=one.branch, story=one.story,
            mobile=f"0900{number:06d}", email=f"{one.key}@patients.careloop.test" if one.email else "",
            line=f"U{number:032x}" if one.line else "", national_id=_id_of(one, number, dice), city=city, district=district,
            postal=postal, address=f"{dice.choice(STREETS)}{dice.randrange(2, 300)}號{dice.randrange(2, 12)}樓",
            occupation=one.occupation, referral=dice.choice(REFERRALS), registered=today, tags=list(one.tags), character=one,
        )  # fmt: skip


def _id_of(one: Character, number: int, dice: random.Random) -> str:
    return resident_number(dice) if one.key == "nguyen" else national_id(number, one.sex, dice)


class _Families:
    """Every now and then somebody shares the phone of somebody before, as families do."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.phones: list[str] = []

    def phone(self, number: int) -> str:
        if self.phones and self.dice.random() < 0.06:
            return self.dice.choice(self.phones[-40:])
        self.phones.append(f"0900{number:06d}")
        return self.phones[-1]


def _anybody(number: int, dice: random.Random, today: date, families: _Families) -> Person:
    low, high, _weight = dice.choices(AGES, weights=[weight for *_ages, weight in AGES])[0]
    age = dice.randint(low, high)
    sex = dice.choice(("female", "female", "male"))
    city, district, postal = dice.choice(DISTRICTS)
    surname = dice.choices(SURNAMES[::2], weights=[float(weight) for weight in SURNAMES[1::2]])[0]
    return Person(
        number=number, name=surname + dice.choice(WOMEN if sex == "female" else MEN), sex=sex,
        birth=birth_date(age, dice, today), branch=0 if city == "臺北市" else 1, story=_story(age, dice),
        mobile=families.phone(number), national_id=national_id(number, sex, dice),
        email=f"p{number:05d}@patients.careloop.test" if dice.random() < 0.35 else "",
        line=f"U{number:032x}" if dice.random() < (0.72 if 15 < age < 75 else 0.25) else "",
        city=city, district=district, postal=postal,
        address=f"{dice.choice(STREETS)}{dice.randrange(2, 300)}號{dice.randrange(2, 12)}樓",
        occupation=_job(age, dice), referral=dice.choice(REFERRALS), registered=today,
    )  # fmt: skip


def _story(age: int, dice: random.Random) -> str:
    if age < 13:
        return "child"
    stories = {
        "regular": 24, "scaling": 22, "one_visit": 8, "lapsed": 13, "scaling_overdue": 12, "allergy": 6, "elder_overdue": 2,
        "extraction_recent": 2, "implant": 2, "implant_lapsed": 1.5, "smoker": 3, "diabetes": 2, "hypertension": 3,
    }  # fmt: skip
    if age >= 40:
        stories |= {"diabetes": 8, "hypertension": 12, "implant": 5, "implant_lapsed": 3}
    if age >= 65:
        stories |= {"hypertension": 22, "elder": 14, "elder_overdue": 12, "diabetes": 12}
    return dice.choices(list(stories), weights=list(stories.values()))[0]


def _job(age: int, dice: random.Random) -> str:
    if age < 18:
        return "學生" if age > 6 else ""
    return "退休" if age > 66 else dice.choice(JOBS)
