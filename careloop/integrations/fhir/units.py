"""Units as UCUM writes them: the same quantity comes as mmHg, mm Hg and mm[Hg], glucose as mmol/l and mmol/L.

Only the spelling is changed, never the number: a value in kPa stays in kPa.
"""

UCUM = "http://unitsofmeasure.org"

#: what is written → UCUM (https://ucum.org), each with nothing but its spelling changed
SPELLINGS = {
    "mmhg": "mm[Hg]", "mm hg": "mm[Hg]", "mm[hg]": "mm[Hg]", "millimeter of mercury": "mm[Hg]",
    "mmol/l": "mmol/L", "µmol/l": "umol/L", "μmol/l": "umol/L", "umol/l": "umol/L", "nmol/l": "nmol/L",
    "mg/dl": "mg/dL", "g/dl": "g/dL", "g/l": "g/L", "mg/l": "mg/L", "ng/ml": "ng/mL", "pg/ml": "pg/mL", "ug/dl": "ug/dL",
    "µg/dl": "ug/dL", "μg/dl": "ug/dL", "ng/dl": "ng/dL", "ug/l": "ug/L", "µg/l": "ug/L", "μg/l": "ug/L", "ug/ml": "ug/mL",
    "u/l": "U/L", "iu/l": "[IU]/L", "ku/l": "kU/L", "meq/l": "meq/L", "fl": "fL", "ml": "mL", "ml/min": "mL/min",
    "ml/min/1.73m2": "mL/min/{1.73_m2}", "ml/min/1.73 m2": "mL/min/{1.73_m2}", "ml/min/1.73m^2": "mL/min/{1.73_m2}",
    "kg/m2": "kg/m2", "kg/m^2": "kg/m2", "kg/m²": "kg/m2", "g/cm²": "g/cm2",
    "10^3/ul": "10*3/uL", "10^3/µl": "10*3/uL", "10*3/ul": "10*3/uL", "k/ul": "10*3/uL", "10^6/ul": "10*6/uL", "10*6/ul": "10*6/uL",
    "10^12/l": "10*12/L", "10^9/l": "10*9/L",
    "c": "Cel", "°c": "Cel", "℃": "Cel", "degc": "Cel", "cel": "Cel", "f": "[degF]", "°f": "[degF]", "℉": "[degF]",
    "lb": "[lb_av]", "lbs": "[lb_av]", "in": "[in_i]", "inch": "[in_i]", "公分": "cm", "公斤": "kg", "次/分": "/min", "bpm": "/min",
    "beats/min": "/min", "beats/minute": "/min", "breaths/min": "/min", "breaths/minute": "/min", "cm": "cm", "kg": "kg", "mm": "mm",
}  # fmt: skip


def normalise(unit: str | None) -> str | None:
    """Return the UCUM spelling of a unit; one that is not known stays as it is.

    >>> normalise("mm Hg"), normalise("mmol/l"), normalise("{score}")
    ('mm[Hg]', 'mmol/L', '{score}')
    """
    if not unit:
        return None
    known = SPELLINGS.get(unit)
    return known or SPELLINGS.get(unit.strip().lower(), unit)


def unit_of(quantity: dict[str, str]) -> str | None:
    """Return the unit of a FHIR Quantity: its UCUM code, else what is written, in UCUM spelling."""
    code = quantity.get("code")
    if code and quantity.get("system") == UCUM:
        return code
    return normalise(quantity.get("unit") or code)
