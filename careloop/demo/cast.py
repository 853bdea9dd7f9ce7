"""The people of the demo clinic whom tests, screenshots and the README know by name."""

from dataclasses import dataclass, field

PASSWORD = "careloop demo clinic"
SLUG = "demo"
CLINIC = "晴安聯合診所"
BRANCHES = ("信義院區", "板橋院區")


@dataclass(frozen=True)
class Staff:
    """Someone who signs in."""

    email: str
    name: str
    role: str
    title: str


STAFF = (
    Staff("owner@demo.careloop.test", "蘇怡君", "owner", "院長"),
    Staff("doctor@demo.careloop.test", "陳柏宇", "physician", "家醫科醫師"),
    Staff("dentist@demo.careloop.test", "林哲安", "physician", "牙醫師"),
    Staff("nurse@demo.careloop.test", "張育玲", "nurse", "個案管理師"),
    Staff("desk@demo.careloop.test", "吳孟庭", "front_desk", "櫃檯"),
    Staff("marketing@demo.careloop.test", "許雅雯", "marketing", "行銷企劃"),
    Staff("privacy@demo.careloop.test", "謝文彬", "privacy_officer", "個資保護窗口"),
    Staff("it@demo.careloop.test", "鄭凱文", "it", "資訊"),
)


@dataclass(frozen=True)
class Character:
    """A patient with a story. `age` is in whole years today; `story` names what history.py gives her or him."""

    key: str
    name: str
    sex: str
    age: int
    branch: int
    story: str
    occupation: str = ""
    line: bool = True
    email: bool = False
    marketing: bool = True
    tags: tuple[str, ...] = ()
    habits: tuple[str, ...] = ()
    family: tuple[tuple[str, str, bool], ...] = field(default_factory=tuple)  # (key, relationship, guardian)


CAST = (
    Character("lin", "林淑芬", "female", 52, 0, "diabetes", "會計", tags=("糖尿病個管", "VIP")),
    Character("chen", "陳志明", "male", 67, 0, "elder_overdue", "退休", email=True, tags=("高血壓",)),
    Character("wang", "王小美", "female", 34, 1, "one_visit", "設計師", tags=("新病人",)),
    Character("zhang", "張家豪", "male", 45, 0, "implant_lapsed", "業務經理", email=True, tags=("VIP", "植牙")),
    Character("li", "李雅婷", "female", 29, 1, "scaling_overdue", "護理師"),
    Character("huang", "黃子晴", "female", 5, 1, "child", tags=("兒童塗氟",), line=False, marketing=False,
              family=(("wu", "MTH", True),)),
    Character("wu", "吳佩珊", "female", 36, 1, "regular", "教師"),
    Character("liu", "劉秀英", "female", 79, 0, "elder", tags=("高血壓", "行動不便"), line=False,
              family=(("cai", "DAU", False),)),
    Character("cai", "蔡美玲", "female", 50, 0, "regular", "自營商"),
    Character("zhou", "周建國", "male", 58, 0, "smoker", "司機", marketing=False, habits=("SMOKING", "BETEL")),
    Character("xu", "許功蓋", "male", 41, 1, "extraction_recent", "工程師"),
    Character("nguyen", "Nguyễn Thị Lan", "female", 31, 1, "regular", "看護"),
)  # fmt: skip
