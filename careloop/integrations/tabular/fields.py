"""What people call things: column headers in Traditional and Simplified Chinese and English, and the field each one means.

The words are those seen in exports of Taiwanese clinic systems and spreadsheets kept by hand. They are data, so a new
spelling is one more word in a line. Headers are compared in a normal form (see `plain_header`).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

#: kind → field → words, the likeliest first. A word may stand under several kinds; the kind that explains most columns wins.
WORDS: dict[str, dict[str, str]] = {
    "patient": {
        "external_id": "id patientid 病患id 病人id 患者id uuid 系統編號 系统编号",
        "chart_number": "病歷號 病歷號碼 病歷編號 病历号 病历号码 病案号 門診號 chartno chartnumber chart mrn 病患編號 病人編號 患者编号 "
        "客戶編號 會員編號 编号 編號",
        "national_id": "身分證 身分證號 身分證字號 身分證號碼 身份證 身份證字號 身份證號 身份证 身份证号 身份证号码 居留證 居留證號 統一證號 "
        "nationalid idno idnumber 證號",
        "name": "姓名 名字 病患姓名 病人姓名 患者姓名 中文姓名 客戶姓名 會員姓名 name fullname patientname 病患 病人 患者",
        "family_name": "姓 姓氏 lastname surname familyname last",
        "given_name": "名 firstname givenname first forename",
        "sex": "性別 性别 sex gender 男女",
        "birth_date": "生日 出生日期 出生年月日 出生日 出生 birthday birthdate dateofbirth dob 生辰 生年月日",
        "deceased_at": "死亡日期 死亡日 deathdate dateofdeath",
        "mobile": "手機 手機號碼 手機電話 行動電話 行動 手机 手机号 手机号码 移动电话 mobile mobilephone cell cellphone 聯絡手機 联系手机",
        "phone": "電話 電話號碼 聯絡電話 連絡電話 市話 住家電話 家用電話 家裡電話 电话 联系电话 家庭电话 座机 phone tel telephone homephone",
        "email": "電子郵件 電子信箱 信箱 email mail 邮箱 电子邮件 电子邮箱 emailaddress",
        "line_id": "line lineid line帳號 line账号 lineuserid",
        "postal_code": "郵遞區號 邮政编码 邮编 zip zipcode postalcode postcode",
        "address": "地址 住址 通訊地址 聯絡地址 戶籍地址 居住地址 通讯地址 联系地址 address addr streetaddress street",
        "city": "縣市 城市 city 县市 county",
        "district": "鄉鎮市區 區 行政區 district 区",
        "country": "國籍 國家 国籍 国家 country nationality",
        "language": "語言 慣用語言 语言 language lang",
        "marital_status": "婚姻 婚姻狀況 婚姻状况 marital maritalstatus",
        "blood_group": "血型 bloodtype bloodgroup",
        "occupation": "職業 职业 occupation job",
        "tags": "標籤 分類 标签 分类 tags tag labels",
        "registered_on": "建檔日 建檔日期 初診日 初診日期 初诊日期 建档日期 registered registeredon firstvisit",
        "note": "備註 附註 註記 备注 note notes remark remarks comment memo 說明",
    },
    "encounter": {
        "external_id": "就診號 就醫序號 看診序號 就诊号 visitid encounterid encounter 門診序號 掛號序號",
        "patient_external_id": "病歷號 病歷號碼 病历号 chartno patient patientid mrn 病患編號",
        "start": "就診日期 看診日期 門診日期 就診日 就醫日期 就诊日期 看诊日期 visitdate encounterdate 日期 就診時間 start date",
        "end": "離開時間 結束時間 出院日期 end stop",
        "class_code": "就診類別 看診類別 門急住 就诊类别 class encounterclass visittype",
        "display": "就診原因 主訴 就诊原因 主诉 reason chiefcomplaint visitreason",
        "practitioner_name": "醫師 看診醫師 主治醫師 医师 医生 doctor physician provider practitioner",
        "department": "科別 看診科別 科别 科室 department dept specialty 門診科別",
        "total_amount": "總金額 應收金額 總費用 总金额 total totalamount amount",
        "self_pay_amount": "自費 自費金額 自付額 自付金額 自费金额 selfpay copay",
        "note": "備註 备注 note notes",
    },
    "condition": {
        "patient_external_id": "病歷號 病历号 chartno patient patientid mrn",
        "code": "診斷碼 疾病代碼 icd icd10 icdcode 诊断代码 diagnosiscode icd10cm 國際疾病分類碼",
        "display": "診斷 診斷名稱 疾病名稱 病名 诊断 诊断名称 diagnosis condition disease",
        "onset": "診斷日期 發病日期 诊断日期 日期 onset diagnosisdate date",
        "abatement": "痊癒日期 結案日期 abatement enddate",
        "clinical_status": "狀態 状态 status clinicalstatus",
    },
    "allergy": {
        "patient_external_id": "病歷號 病历号 chartno patient patientid mrn",
        "code": "過敏代碼 过敏代码 allergycode",
        "display": "過敏原 過敏藥物 過敏 藥物過敏 过敏原 过敏药物 过敏 allergen allergy substance",
        "recorded": "登錄日期 記錄日期 记录日期 日期 recorded date",
        "note": "反應 過敏反應 过敏反应 reaction 備註",
    },
    "medication": {
        "patient_external_id": "病歷號 病历号 chartno patient patientid mrn",
        "code": "藥品代碼 健保碼 藥碼 药品代码 drugcode nhicode medicationcode",
        "display": "藥品名稱 藥名 藥品 处方药 药品名称 药名 drug drugname medication medicine",
        "start": "處方日期 開立日期 给药日期 处方日期 日期 start prescribed prescribedon date",
        "end": "停藥日期 停药日期 stop end",
        "dosage": "用法 用法用量 頻次 用量 dosage sig directions frequency",
        "days_supply": "天數 給藥天數 天数 days dayssupply",
        "quantity": "總量 數量 数量 quantity qty",
        "refills_allowed": "可領次數 慢箋次數 refills refill",
        "refillable": "慢箋 慢性處方 連續處方箋 慢连笺",
    },
    "observation": {
        "patient_external_id": "病歷號 病历号 chartno patient patientid mrn",
        "code": "檢驗代碼 項目代碼 检验代码 項目碼 loinc testcode",
        "display": "檢驗項目 檢查項目 項目 检验项目 检查项目 项目 test testname item analyte",
        "effective": "檢驗日期 檢查日期 採檢日期 检验日期 检查日期 日期 collected effective date testdate",
        "value_text": "結果 檢驗值 數值 结果 检验值 数值 value result",
        "unit": "單位 单位 unit units uom",
        "reference_text": "參考值 正常值 参考值 正常范围 reference referencerange normalrange",
    },
    "procedure": {
        "patient_external_id": "病歷號 病历号 chartno patient patientid mrn",
        "code": "處置代碼 醫令代碼 手術代碼 处置代码 手术代码 procedurecode",
        "display": "處置 處置名稱 醫令名稱 手術名稱 療程 处置 手术名称 疗程 procedure treatment",
        "start": "處置日期 手術日期 療程日期 处置日期 手术日期 日期 performed date proceduredate",
        "practitioner_name": "醫師 医师 doctor physician",
        "note": "備註 备注 note",
    },
    "immunization": {
        "patient_external_id": "病歷號 病历号 chartno patient patientid mrn",
        "code": "疫苗代碼 疫苗代码 vaccinecode cvx",
        "display": "疫苗 疫苗名稱 疫苗名称 vaccine vaccinename",
        "occurrence": "接種日期 施打日期 接种日期 日期 vaccinationdate given date",
        "dose_number": "劑次 劑別 剂次 dose dosenumber",
        "lot_number": "批號 批号 lot lotnumber",
    },
    "invoice": {
        "patient_external_id": "病歷號 病历号 chartno patient patientid mrn",
        "number": "發票號碼 收據號碼 单据号 收据号 invoiceno receiptno invoice receipt",
        "issued": "收費日期 開立日期 批價日期 收费日期 日期 invoicedate date paidon",
        "total_amount": "總金額 應收 金額 总金额 金额 total amount",
        "self_pay_amount": "自費 自費金額 自付 實收 自费 自费金额 selfpay paid",
        "note": "品項 項目 收費項目 备注 備註 item note",
    },
}

#: the fields without which rows of a kind say nothing
ESSENTIAL: dict[str, tuple[str, ...]] = {
    "patient": ("name", "family_name", "given_name"),
    "encounter": ("start",),
    "condition": ("display", "code"),
    "allergy": ("display", "code"),
    "medication": ("display", "code"),
    "observation": ("value_text",),
    "procedure": ("display", "code"),
    "immunization": ("display", "code"),
    "invoice": ("total_amount", "self_pay_amount"),
}

#: columns that the download of refused rows puts behind the file's own; they mean nothing when the file comes back
OWN_COLUMN = "careloop:"

_BRACKETS = re.compile(r"[(\[{<【〔（「](.*?)[)\]}>】〕）」]")
_NOT_A_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a header means: a field of a kind and how sure that is, from 0 to 1."""

    kind: str
    field: str
    confidence: float


def plain_header(text: str) -> str:
    """Return the form in which headers are compared: NFKC, lower case, letters and digits only.

    >>> plain_header(" 姓　名 "), plain_header("Date_of Birth")
    ('姓名', 'dateofbirth')
    """
    return _NOT_A_LETTER.sub("", unicodedata.normalize("NFKC", text)).casefold()


@cache
def _index() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, fields in WORDS.items():
        for field, words in fields.items():
            for word in words.split():
                found.setdefault(plain_header(word), []).append((kind, field))
    return found


@cache
def _long_words() -> tuple[str, ...]:
    """The words that mean something inside a longer header too."""
    return tuple(word for word in _index() if len(word) >= 2 and (not word.isascii() or len(word) >= 4))


def meanings(header: str) -> list[Meaning]:
    """Return what a column header may mean, each kind at most once, the surest first.

    What stands in brackets counts as a word of its own: 聯絡電話（手機） is a mobile number, 生日(民國) a birth date.

    >>> [m.field for m in meanings("聯絡電話（手機）") if m.kind == "patient"]
    ['mobile']
    """
    if header.startswith(OWN_COLUMN):
        return []
    text = unicodedata.normalize("NFKC", header)
    inside = [plain_header(part) for part in _BRACKETS.findall(text)]
    outside = plain_header(_BRACKETS.sub("", text))
    found: dict[str, Meaning] = {}
    tries = [(plain_header(text), 1.0), *((part, 0.95) for part in inside), (outside, 0.9)]
    for word, confidence in tries:
        for kind, field in _index().get(word, ()):
            found.setdefault(kind, Meaning(kind, field, confidence))
    if not found and len(outside) >= 2:
        for word in [word for word in _long_words() if word in outside]:
            for kind, field in _index()[word]:
                found.setdefault(kind, Meaning(kind, field, 0.6))
    return sorted(found.values(), key=lambda meaning: -meaning.confidence)


@lru_cache(maxsize=4096)
def is_known(header: str) -> bool:
    """Return whether a text is a word for a column (used to tell a header row from a title or from data)."""
    return any(meaning.confidence >= 0.9 for meaning in meanings(header))
