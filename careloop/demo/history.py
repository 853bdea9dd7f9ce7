"""What happened to the people of the demo clinic: visits, diagnoses, prescriptions, results, bills. Pure and seeded.

Everything comes out as values by column name of the canonical import rows (`integrations.imports.rows`).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from careloop.demo.people import Person

ZONE = ZoneInfo("Asia/Taipei")
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"
ATC = "http://www.whocc.no/atc"
CVX = "http://hl7.org/fhir/sid/cvx"
# payment codes of Taiwan's NHI; SP-… are the clinic's own price list
NHI = "https://www.nhi.gov.tw/payment"
OWN = "urn:careloop:demo:price-list"

PRACTITIONERS = (
    ("D01", "蘇怡君", "female", "家庭醫學科"), ("D02", "陳柏宇", "male", "家庭醫學科"), ("D03", "林哲安", "male", "牙科"),
    ("D04", "方思敏", "female", "牙科"), ("D05", "高啟文", "male", "內分泌科"),
)  # fmt: skip
FAMILY, DENTAL = "家醫科", "牙科"
YEARS_BACK = 3

Values = dict[str, Any]


@dataclass
class Chart:
    """The rows of one patient, by kind."""

    person: Person
    dice: random.Random
    today: date
    rows: list[tuple[str, Values]] = field(default_factory=list)
    visits: int = 0

    def add(self, kind: str, **values: Any) -> None:
        # numbers within the chart make external ids that stay the same from run to run
        number = len(self.rows) + 1
        self.rows.append(
            (
                kind,
                {
                    "external_id": f"{self.person.external_id}-{number}",
                    "patient_external_id": self.person.external_id,
                    **values,
                },
            )
        )

    def visit(
        self, day: date, *, department: str, reason: tuple[str, str], self_pay: int = 0, procedures: tuple[tuple[str, str, str], ...] = (),
        nhi: int = 350, copay: int = 150, diagnosis: tuple[str, str] | None = None, doctor: str = "",
    ) -> str | None:  # fmt: skip
        """Write one visit with what was done and the bill; nothing on a Sunday or in the future. Return its id."""
        if day.weekday() == 6:
            day -= timedelta(days=1)
        if day >= self.today:
            return None
        self.visits += 1
        doctor = doctor or self.dice.choice(("D01", "D02") if department == FAMILY else ("D03", "D04"))
        name = next(entry[1] for entry in PRACTITIONERS if entry[0] == doctor)
        start = datetime(
            day.year,
            day.month,
            day.day,
            self.dice.choice((9, 10, 11, 14, 15, 16, 18, 19, 20)),
            self.dice.randrange(60),
            tzinfo=ZONE,
        )
        identifier = f"{self.person.external_id}-E{self.visits:03d}"
        self.rows.append(("encounter", {
            "external_id": identifier, "patient_external_id": self.person.external_id, "status": "finished", "class_code": "AMB",
            "code_system": OWN, "code": "FM" if department == FAMILY else "DENT", "display": f"{department}門診",
            "start": start.isoformat(), "end": (start + timedelta(minutes=self.dice.randrange(8, 45))).isoformat(),
            "reason_code": reason[0], "reason_display": reason[1], "practitioner_external_id": doctor, "practitioner_name": name,
            "location_name": ("信義院區", "板橋院區")[self.person.branch], "department": department,
        }))  # fmt: skip
        when = {"encounter_external_id": identifier, "practitioner_name": name}
        for system, code, words in procedures:
            self.add(
                "procedure",
                **when,
                status="completed",
                code_system=system,
                code=code,
                display=words,
                start=start.isoformat(),
            )
        if diagnosis:
            self.add("condition", encounter_external_id=identifier, clinical_status="active", code_system=ICD, code=diagnosis[0],
                     display=diagnosis[1], onset=day.isoformat())  # fmt: skip
        total = self_pay + nhi + copay
        self.add("invoice", encounter_external_id=identifier, status="issued", number=f"INV{day:%y%m}{self.person.number:05d}{self.visits:02d}",
                 payer_kind="mixed" if self_pay and nhi else "self_pay" if self_pay else "nhi", issued=start.isoformat(),
                 total_amount=str(total), self_pay_amount=str(self_pay), currency="TWD")  # fmt: skip
        return identifier

    def result(
        self, day: date, code: str, words: str, value: float, unit: str, encounter: str | None = None, **more: Any
    ) -> None:
        if day < self.today:
            self.add("observation", encounter_external_id=encounter, status="final", category=more.pop("category", "laboratory"),
                     code_system=LOINC, code=code, display=words, effective=f"{day.isoformat()}T09:30:00+08:00",
                     value_number=str(round(value, 1)), unit=unit, **more)  # fmt: skip

    def pressure(self, day: date, systolic: int, diastolic: int, encounter: str | None = None) -> None:
        import json

        if day < self.today:
            parts = [
                {
                    "system": LOINC,
                    "code": "8480-6",
                    "display": "收縮壓",
                    "number": systolic,
                    "text": None,
                    "unit": "mm[Hg]",
                },
                {
                    "system": LOINC,
                    "code": "8462-4",
                    "display": "舒張壓",
                    "number": diastolic,
                    "text": None,
                    "unit": "mm[Hg]",
                },
            ]
            self.add("observation", encounter_external_id=encounter, status="final", category="vital-signs", code_system=LOINC,
                     code="85354-9", display="血壓", effective=f"{day.isoformat()}T09:20:00+08:00",
                     components=json.dumps(parts, ensure_ascii=False))  # fmt: skip

    def ago(self, days: int) -> date:
        return self.today - timedelta(days=days)

    def near(self, days: int, spread: int = 12) -> date:
        return self.ago(max(1, days + self.dice.randint(-spread, spread)))


SCALING = (NHI, "91004C", "牙結石清除－全口")
FILLING = (NHI, "89005C", "後牙複合樹脂充填－雙面")
EXTRACTION = (NHI, "92014C", "複雜性拔牙")
IMPLANT = (OWN, "SP-IMPLANT", "植牙")
FLUORIDE = (NHI, "81", "兒童牙齒塗氟保健服務")
CHECKUP = (NHI, "21", "成人預防保健")
FOBT = (NHI, "85", "定量免疫法糞便潛血檢查")
TOOTH_CHECK = ("K02.9", "齲齒")
GUMS = ("K05.1", "慢性牙齦炎")
COLD = ("J06.9", "急性上呼吸道感染")
STOMACH = ("K29.7", "胃炎")


def history_of(person: Person, *, dice: random.Random, today: date) -> Chart:
    """Return the chart of one person, told by her or his story."""
    chart = Chart(person, dice, today)
    STORIES[person.story](chart)
    if person.story not in ("one_visit", "child") and dice.random() < 0.45:
        _colds(chart, last_year_only=False)
    age = (today - person.birth).days // 365
    if age >= 30 and person.story not in ("one_visit", "elder", "elder_overdue") and dice.random() < 0.72:
        # most come for the check-ups that the health administration pays for, not always in time
        chart.visit(
            chart.ago(dice.randrange(30, 330 if age >= 65 else 1000)),
            department=FAMILY,
            reason=("Z00.0", "成人健檢"),
            procedures=(CHECKUP,),
            nhi=520,
            copay=0,
        )
        if age >= 45 and dice.random() < 0.8:
            chart.visit(
                chart.ago(dice.randrange(30, 690)),
                department=FAMILY,
                reason=("Z12.1", "大腸癌篩檢"),
                procedures=(FOBT,),
                nhi=200,
                copay=0,
            )
    # a story may reach back before its hero was born
    chart.rows = [entry for entry in chart.rows if (_day_of(entry) or today) >= person.birth]
    if person.story in LAPSING:
        chart.rows = [entry for entry in chart.rows if (_day_of(entry) or date.min) < chart.ago(330)]
    person.registered = min((day for day in map(_day_of, chart.rows) if day), default=chart.near(30))
    return chart


LAPSING = ("lapsed", "implant_lapsed")


def _day_of(entry: tuple[str, Values]) -> date | None:
    for name in ("start", "issued", "effective", "onset", "occurrence", "recorded"):
        if entry[1].get(name):
            return date.fromisoformat(str(entry[1][name])[:10])
    return None


def _colds(chart: Chart, *, last_year_only: bool) -> None:
    for _time in range(chart.dice.randint(1, 4)):
        day = chart.ago(chart.dice.randrange(20, 360 if last_year_only else 365 * YEARS_BACK))
        chart.visit(day, department=FAMILY, reason=chart.dice.choice((COLD, STOMACH)))


def _regular(chart: Chart) -> None:
    for back in range(chart.dice.randint(20, 140), 365 * YEARS_BACK, 190):
        chart.visit(chart.near(back), department=DENTAL, reason=TOOTH_CHECK, procedures=(SCALING,), nhi=600)
    _colds(chart, last_year_only=True)
    if chart.dice.random() < 0.4:
        _flu_shot(chart)
    if chart.dice.random() < 0.3:
        chart.visit(chart.near(200), department=DENTAL, reason=TOOTH_CHECK, procedures=(FILLING,), nhi=1000)


def _scaling(chart: Chart) -> None:
    for back in range(chart.dice.randint(10, 170), 365 * YEARS_BACK, chart.dice.choice((182, 190, 210))):
        extra = chart.dice.random() < 0.3
        chart.visit(
            chart.near(back),
            department=DENTAL,
            reason=GUMS,
            procedures=(SCALING, FILLING) if extra else (SCALING,),
            nhi=1600 if extra else 600,
        )


def _scaling_overdue(chart: Chart) -> None:
    for back in range(chart.dice.randint(215, 320), 365 * YEARS_BACK, 185):
        chart.visit(chart.near(back), department=DENTAL, reason=GUMS, procedures=(SCALING,), nhi=600)


def _one_visit(chart: Chart) -> None:
    back = chart.dice.randint(20, 85)
    if chart.dice.random() < 0.6 or chart.person.character:
        chart.visit(
            chart.ago(back),
            department=DENTAL,
            reason=TOOTH_CHECK,
            procedures=(FILLING,),
            nhi=1000,
            diagnosis=TOOTH_CHECK,
        )
    else:
        chart.visit(chart.ago(back), department=FAMILY, reason=COLD)


def _lapsed(chart: Chart) -> None:
    for back in range(chart.dice.randint(400, 640), 365 * YEARS_BACK, chart.dice.choice((90, 120, 180))):
        chart.visit(
            chart.near(back),
            department=chart.dice.choice((FAMILY, DENTAL)),
            reason=GUMS,
            procedures=(SCALING,),
            nhi=600,
        )
    if not chart.visits:
        chart.visit(chart.ago(420), department=FAMILY, reason=COLD)


def _implant(chart: Chart) -> None:
    start = chart.dice.randint(120, 500)
    chart.visit(
        chart.ago(start),
        department=DENTAL,
        reason=("K08.1", "牙齒缺失"),
        self_pay=3000,
        nhi=0,
        copay=0,
        diagnosis=("K08.1", "牙齒缺失"),
    )
    chart.visit(
        chart.ago(start - 30),
        department=DENTAL,
        reason=("K08.1", "牙齒缺失"),
        self_pay=45000,
        nhi=0,
        copay=0,
        procedures=(IMPLANT,),
    )
    chart.visit(chart.ago(start - 100), department=DENTAL, reason=("K08.1", "植牙回診"), self_pay=25000, nhi=0, copay=0)
    _regular(chart)


def _implant_lapsed(chart: Chart) -> None:
    chart.visit(
        chart.ago(700),
        department=DENTAL,
        reason=("K08.1", "牙齒缺失"),
        self_pay=3000,
        nhi=0,
        copay=0,
        diagnosis=("K08.1", "牙齒缺失"),
    )
    chart.visit(
        chart.ago(640),
        department=DENTAL,
        reason=("K08.1", "牙齒缺失"),
        self_pay=68000,
        nhi=0,
        copay=0,
        procedures=(IMPLANT,),
    )
    for back in (560, 470, 380, 345):
        chart.visit(
            chart.near(back, 5),
            department=DENTAL,
            reason=("K08.1", "植牙回診"),
            self_pay=chart.dice.choice((0, 6000, 18000)),
            nhi=500,
        )


def _diabetes(chart: Chart) -> None:
    started = chart.near(365 * YEARS_BACK, 20)
    sugar = chart.dice.uniform(7.4, 9.4)
    chart.add(
        "condition",
        clinical_status="active",
        code_system=ICD,
        code="E11.9",
        display="第二型糖尿病",
        onset=started.isoformat(),
    )
    for step, back in enumerate(range(365 * YEARS_BACK, chart.dice.randint(20, 60), -91)):
        day = chart.near(back, 5)
        visit = chart.visit(day, department=FAMILY, reason=("E11.9", "第二型糖尿病"), nhi=900, copay=200, doctor="D02")
        sugar = max(5.9, sugar + chart.dice.uniform(-0.55, 0.35))
        chart.result(day, "4548-4", "糖化血色素 HbA1c", sugar, "%", visit, reference_high="5.7")
        chart.result(day, "1558-6", "空腹血糖", sugar * 18.5 + chart.dice.uniform(-12, 12), "mg/dL", visit)
        chart.pressure(day, chart.dice.randint(118, 146), chart.dice.randint(70, 92), visit)
        if step % 4 == 0:
            chart.result(
                day, "39156-5", "身體質量指數 BMI", chart.dice.uniform(23, 30), "kg/m2", visit, category="vital-signs"
            )
            chart.result(day, "2089-1", "低密度膽固醇", chart.dice.uniform(70, 150), "mg/dL", visit)
    _refillable(chart, "A10BA02", "Metformin 500 mg", "早晚飯後各 1 錠")
    if chart.dice.random() < 0.5:
        _refillable(chart, "C10AA05", "Atorvastatin 20 mg", "睡前 1 錠")


def _hypertension(chart: Chart) -> None:
    started = chart.near(365 * YEARS_BACK, 20)
    top = chart.dice.randint(138, 162)
    chart.add(
        "condition",
        clinical_status="active",
        code_system=ICD,
        code="I10",
        display="原發性高血壓",
        onset=started.isoformat(),
    )
    for back in range(365 * YEARS_BACK, chart.dice.randint(15, 70), -88):
        day = chart.near(back, 5)
        visit = chart.visit(day, department=FAMILY, reason=("I10", "原發性高血壓"), nhi=700, copay=200, doctor="D01")
        top = max(116, top + chart.dice.randint(-7, 4))
        chart.pressure(day, top + chart.dice.randint(-5, 5), int(top * 0.6) + chart.dice.randint(-4, 4), visit)
    _refillable(chart, "C08CA01", "Amlodipine 5 mg", "早飯後 1 錠")


def _refillable(chart: Chart, code: str, words: str, dosage: str) -> None:
    """A chronic prescription of three fills of 28 days; the last one is somewhere inside its course."""
    since = chart.dice.randrange(2, 80)
    taken = min(3, since // 28 + 1)
    for course in range(3):
        start = chart.ago(since + course * 86)
        current = course == 0
        chart.add("medication", status="active" if current else "completed", intent="order", code_system=ATC, code=code, display=words,
                  start=start.isoformat(), end=(start + timedelta(days=84)).isoformat(), dosage=dosage, refills_allowed="3",
                  dispenses=str(taken if current else 3), days_supply="28", quantity="56", refillable=True)  # fmt: skip


def _allergy(chart: Chart) -> None:
    code, words = chart.dice.choice(
        (("372687004", "Amoxicillin"), ("387207008", "Ibuprofen"), ("735029006", "甲殼類海鮮"), ("256277009", "塵蟎"))
    )
    chart.add("allergy", clinical_status="active", verification_status="confirmed", type="allergy", category="medication", criticality="high",
              code_system="http://snomed.info/sct", code=code, display=words, recorded=chart.near(600).isoformat())  # fmt: skip
    _regular(chart)


def _elder(chart: Chart) -> None:
    _hypertension(chart)
    chart.visit(
        chart.near(170), department=FAMILY, reason=("Z00.0", "成人健檢"), procedures=(CHECKUP,), nhi=520, copay=0
    )
    chart.visit(
        chart.near(400), department=FAMILY, reason=("Z12.1", "大腸癌篩檢"), procedures=(FOBT,), nhi=200, copay=0
    )
    _flu_shot(chart)


def _elder_overdue(chart: Chart) -> None:
    _hypertension(chart)
    chart.visit(
        chart.near(560), department=FAMILY, reason=("Z00.0", "成人健檢"), procedures=(CHECKUP,), nhi=520, copay=0
    )


def _smoker(chart: Chart) -> None:
    _scaling_overdue(chart)
    _colds(chart, last_year_only=True)


def _extraction_recent(chart: Chart) -> None:
    chart.visit(
        chart.ago(chart.dice.randint(40, 120)),
        department=DENTAL,
        reason=("K01.1", "阻生智齒"),
        diagnosis=("K01.1", "阻生智齒"),
    )
    chart.visit(
        chart.ago(chart.dice.randint(1, 5)),
        department=DENTAL,
        reason=("K01.1", "阻生智齒"),
        procedures=(EXTRACTION,),
        nhi=2400,
        doctor="D03",
    )


def _child(chart: Chart) -> None:
    months = (chart.today - chart.person.birth).days // 30
    for back in range(chart.dice.randint(30, 230), min(months * 30, 365 * YEARS_BACK), 185):
        chart.visit(
            chart.near(back), department=DENTAL, reason=("Z29.3", "塗氟"), procedures=(FLUORIDE,), nhi=500, copay=0
        )
    _colds(chart, last_year_only=False)
    for dose, (at_month, code, words) in enumerate(CHILD_VACCINES, start=1):
        given = chart.person.birth + timedelta(days=round(at_month * 30.44) + chart.dice.randrange(20))
        late = months - at_month < 8 and chart.dice.random() < 0.35
        if given < chart.today and not late:
            chart.add("immunization", status="completed", code_system=CVX, code=code, display=words, occurrence=given.isoformat(),
                      dose_number=str(dose % 3 + 1), practitioner_name="陳柏宇")  # fmt: skip


CHILD_VACCINES = (
    (0, "08", "B 型肝炎疫苗"), (1, "08", "B 型肝炎疫苗"), (2, "120", "五合一疫苗"), (2, "133", "13 價肺炎鏈球菌疫苗"), (4, "120", "五合一疫苗"),
    (4, "133", "13 價肺炎鏈球菌疫苗"), (5, "19", "卡介苗"), (6, "120", "五合一疫苗"), (6, "08", "B 型肝炎疫苗"), (12, "03", "MMR 疫苗"),
    (12, "21", "水痘疫苗"), (13, "133", "13 價肺炎鏈球菌疫苗"), (15, "134", "日本腦炎疫苗"), (18, "120", "五合一疫苗"), (27, "134", "日本腦炎疫苗"),
    (60, "03", "MMR 疫苗"), (60, "130", "DTaP-IPV 疫苗"),
)  # fmt: skip


def _flu_shot(chart: Chart) -> None:
    for year in range(chart.today.year - YEARS_BACK, chart.today.year + 1):
        day = date(year, 10, 5) + timedelta(days=chart.dice.randrange(50))
        if day < chart.today and chart.dice.random() < 0.75:
            chart.add("immunization", status="completed", code_system=CVX, code="141", display="季節性流感疫苗", occurrence=day.isoformat(),
                      practitioner_name="陳柏宇")  # fmt: skip


STORIES = {
    "regular": _regular, "scaling": _scaling, "scaling_overdue": _scaling_overdue, "one_visit": _one_visit, "lapsed": _lapsed,
    "implant": _implant, "implant_lapsed": _implant_lapsed, "diabetes": _diabetes, "hypertension": _hypertension, "allergy": _allergy,
    "elder": _elder, "elder_overdue": _elder_overdue, "smoker": _smoker, "extraction_recent": _extraction_recent, "child": _child,
}  # fmt: skip


def patient_row(person: Person) -> Values:
    """Return the patient's own row."""
    import json

    return {
        "external_id": person.external_id, "chart_number": person.chart, "national_id": person.national_id, "name": person.name,
        "family_name": person.name[0], "given_name": person.name[1:], "sex": person.sex, "birth_date": person.birth.isoformat(),
        "active": True, "mobile": person.mobile, "email": person.email or None, "line_id": person.line or None,
        "postal_code": person.postal, "address": person.address, "city": person.city, "district": person.district, "country": "TW",
        "language": "zh-TW", "occupation": person.occupation or None, "tags": "|".join(person.tags) or None,
        "registered_on": person.registered.isoformat(), "contacts": json.dumps([]),
    }  # fmt: skip


def related_rows(people: list[Person]) -> Iterator[Values]:
    """The family ties of the cast."""
    by_key = {person.character.key: person for person in people if person.character}
    for person in by_key.values():
        assert person.character is not None
        for key, relationship, guardian in person.character.family:
            other = by_key[key]
            yield {
                "external_id": f"{person.external_id}-R-{key}", "patient_external_id": person.external_id, "name": other.name,
                "relationship": relationship, "sex": other.sex, "birth_date": other.birth.isoformat(), "phone": other.mobile,
                "guardian": guardian,
            }  # fmt: skip
