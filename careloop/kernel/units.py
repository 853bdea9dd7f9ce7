"""Spellings of units of measurement, and the one conversion charts need.

Records come with `mm Hg`, `mm[Hg]`, `mmHG`; they are the same unit and must not be two lines in a chart.
"""

from decimal import Decimal

# The mass of one millimole of glucose in milligrams, per decilitre: mg/dL = mmol/L × 18.0156.
GLUCOSE_MG_DL_PER_MMOL_L = Decimal("18.0156")

# our spelling → how sources write it, without blanks and brackets, in lower case
SPELLINGS = {
    "mmHg": ("mmhg", "毫米汞柱", "毫米汞"),
    "mg/dL": ("mg/dl", "mg%", "毫克/分升"),
    "mmol/L": ("mmol/l", "毫莫耳/公升", "毫摩尔/升"),
    "mmol/mol": ("mmol/mol",),
    "g/dL": ("g/dl", "gm/dl"),
    "kg/m2": ("kg/m2", "kg/m²", "kg/㎡", "kg/m^2", "公斤/平方公尺"),
    "%": ("%", "％", "percent"),
    "kg": ("kg", "kgs", "公斤", "千克"),
    "cm": ("cm", "公分", "厘米"),
    "Cel": ("cel", "°c", "℃", "c", "degc"),
    "/min": ("/min", "bpm", "beats/min", "次/分", "1/min"),
    "U/L": ("u/l", "iu/l"),
    "uL": ("ul", "µl", "μl"),
}
BY_SPELLING = {spelling: unit for unit, spellings in SPELLINGS.items() for spelling in spellings}
NO_MEANING = str.maketrans("", "", " \u00a0\u3000[]{}()")


def normalise_unit(unit: str) -> str:
    """Return our spelling of a unit; an unknown unit comes back trimmed and otherwise unchanged.

    >>> [normalise_unit(unit) for unit in ("mm[Hg]", "mm Hg", "MMHG", "mmol/l", "kg/m²", "10*3/uL")]
    ['mmHg', 'mmHg', 'mmHg', 'mmol/L', 'kg/m2', '10*3/uL']
    """
    return BY_SPELLING.get(unit.translate(NO_MEANING).lower(), unit.strip())


def glucose_in(value: Decimal, *, unit: str, wanted: str) -> Decimal:
    """Convert a glucose concentration between mg/dL and mmol/L.

    Raises:
        ValueError: one of the units is no glucose concentration.

    >>> glucose_in(Decimal("7.0"), unit="mmol/L", wanted="mg/dL")
    Decimal('126.10920')
    """
    pair = (normalise_unit(unit), normalise_unit(wanted))
    if pair[0] == pair[1] and pair[0] in ("mg/dL", "mmol/L"):
        return value
    if pair == ("mmol/L", "mg/dL"):
        return value * GLUCOSE_MG_DL_PER_MMOL_L
    if pair == ("mg/dL", "mmol/L"):
        return value / GLUCOSE_MG_DL_PER_MMOL_L
    raise ValueError(f"no glucose conversion from {pair[0]} to {pair[1]}")
