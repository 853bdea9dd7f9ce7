"""Reference ranges: which class a measured value falls into, and the band a chart shows as usual.

For display and follow-up lists only. No diagnosis: two readings on two days are needed for one. The limits
are data (`data/reference_ranges.csv`, each with its source): a class begins at `starts_at` and ends where the
next class of the same measure, scheme, component and unit begins.
"""

import csv
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files

from django.utils.translation import gettext_lazy as _

from careloop.kernel.units import normalise_unit

Number = int | float | Decimal

# Our short names and LOINC codes → measure and component (blood pressure has two).
MEASURES = {
    "bp": ("blood-pressure", ""),
    "blood-pressure": ("blood-pressure", ""),
    "85354-9": ("blood-pressure", ""),  # blood pressure panel
    "55284-4": ("blood-pressure", ""),  # blood pressure, older panel code
    "8480-6": ("blood-pressure", "systolic"),
    "8462-4": ("blood-pressure", "diastolic"),
    "fasting-glucose": ("fasting-glucose", ""),
    "1558-6": ("fasting-glucose", ""),  # fasting, serum or plasma, mass
    "14771-0": ("fasting-glucose", ""),  # fasting, serum or plasma, moles
    "76629-5": ("fasting-glucose", ""),  # fasting, blood, moles
    "2h-glucose-ogtt": ("2h-glucose-ogtt", ""),
    "1518-0": ("2h-glucose-ogtt", ""),  # 2 hours after 75 g glucose, mass
    "14995-5": ("2h-glucose-ogtt", ""),  # 2 hours after 75 g glucose, moles
    "glucose": ("glucose", ""),
    "2345-7": ("glucose", ""),  # serum or plasma, mass; not said to be fasting
    "2339-0": ("glucose", ""),  # blood, mass
    "14749-6": ("glucose", ""),  # serum or plasma, moles
    "15074-8": ("glucose", ""),  # blood, moles
    "41653-7": ("glucose", ""),  # capillary, by glucometer
    "hba1c": ("hba1c", ""),
    "4548-4": ("hba1c", ""),
    "17856-6": ("hba1c", ""),
    "59261-8": ("hba1c", ""),
    "bmi": ("bmi", ""),
    "39156-5": ("bmi", ""),
    "glucose-goal-before-meals": ("glucose-goal-before-meals", ""),
    "glucose-goal-after-meals": ("glucose-goal-after-meals", ""),
}

# The scheme used when the caller names none; profiles that differ from the first are listed.
DEFAULT_SCHEMES = {
    "blood-pressure": {"": "ACC/AHA 2017"},
    "bmi": {"": "WHO", "TW": "Taiwan HPA adults"},
    "fasting-glucose": {"": "ADA"},
    "2h-glucose-ogtt": {"": "ADA"},
    "glucose": {"": "ADA"},
    "hba1c": {"": "ADA"},
    "glucose-goal-before-meals": {"": "ADA non-pregnant adults"},
    "glucose-goal-after-meals": {"": "ADA non-pregnant adults"},
}

# What the schemes are called; those not named here are names of guidelines, the same in every language.
SCHEME_NAMES = {
    "ESC/ESH 2018 office": _("ESC/ESH 2018, measured at the clinic"),
    "Taiwan HPA adults": _("Taiwan HPA, adults"),
    "ADA non-pregnant adults": _("ADA, adults who are not pregnant"),
}

CATEGORY_NAMES = {
    "normal": _("normal"),
    "optimal": _("optimal"),
    "elevated": _("elevated"),
    "high normal": _("high normal"),
    "stage 1": _("stage 1 range"),
    "stage 2": _("stage 2 range"),
    "crisis": _("crisis range"),
    "grade 1": _("grade 1 range"),
    "grade 2": _("grade 2 range"),
    "grade 3": _("grade 3 range"),
    "prediabetes": _("prediabetes range"),
    "diabetes": _("diabetes range"),
    "level 1 low": _("low (level 1)"),
    "level 2 low": _("very low (level 2)"),
    "not low": _("not low"),
    "underweight": _("underweight"),
    "overweight": _("overweight"),
    "not overweight": _("not overweight"),
    "obese": _("obese"),
    "before meals": _("within the goal before meals"),
    "peak after meals": _("within the goal after meals"),
    "below goal": _("below the goal"),
    "above goal": _("above the goal"),
}


@dataclass(frozen=True, slots=True)
class RangeClass:
    """One class of one scheme. `severity` 0 is the usual class, below it is low, above it high."""

    measure: str
    scheme: str
    component: str
    severity: int
    category: str
    unit: str
    starts_at: Decimal | None
    start_included: bool
    source: str

    @property
    def name(self) -> str:
        return str(CATEGORY_NAMES[self.category])

    def has_begun(self, value: Decimal) -> bool:
        if self.starts_at is None:
            return True
        return value >= self.starts_at if self.start_included else value > self.starts_at


@dataclass(frozen=True, slots=True)
class Band:
    """The usual range for a chart: from `low` up to, not including, `high`; None means open."""

    low: Decimal | None
    high: Decimal | None
    unit: str
    scheme: str
    source: str


@cache
def range_classes() -> tuple[RangeClass, ...]:
    """Return every class of the data file, in its order (each component from low to high)."""
    text = files("careloop.records").joinpath("data/reference_ranges.csv").read_text(encoding="utf-8")
    return tuple(
        RangeClass(
            measure=row["measure"],
            scheme=row["scheme"],
            component=row["component"],
            severity=int(row["severity"]),
            category=row["category"],
            unit=row["unit"],
            starts_at=Decimal(row["starts_at"]) if row["starts_at"] else None,
            start_included=row["start_included"] != "no",
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def _ladder(measure: str, scheme: str, component: str, unit: str) -> tuple[RangeClass, ...]:
    wanted = (measure, scheme, component, unit)
    return tuple(one for one in range_classes() if (one.measure, one.scheme, one.component, one.unit) == wanted)


def scheme_for(measure: str, *, profile: str) -> str:
    """Return the scheme a legal profile uses for a measure: Taiwan has BMI classes of its own."""
    schemes = DEFAULT_SCHEMES[measure]
    return schemes.get(profile, schemes[""])


def scheme_name(scheme: str) -> str:
    """Return what a scheme is called, in the language of the reader.

    >>> scheme_name("WHO")
    'WHO'
    """
    return str(SCHEME_NAMES.get(scheme, scheme))


def _class_of(value: Number, ladder: tuple[RangeClass, ...]) -> RangeClass | None:
    # str() first: the float 5.7 must not become 5.70000000000000017…
    exact = Decimal(str(value))
    begun = [one for one in ladder if one.has_begun(exact)] if exact.is_finite() else []
    return begun[-1] if begun else None


def classify(
    code: str,
    value: Number | tuple[Number, Number],
    unit: str,
    *,
    profile: str = "TW",
    scheme: str = "",
) -> RangeClass | None:
    """Return the class of a value, or None when the measure or its unit is not in our table.

    Blood pressure as a whole takes (systolic, diastolic); the more unusual of the two decides.

    Args:
        code: LOINC code or our short name (`MEASURES`).
        value: a number, or (systolic, diastolic).
        unit: as the source writes it; mg/dL and mmol/L have limits of their own, nothing is rounded.
        profile: legal profile, chooses the scheme where countries differ.
        scheme: a scheme by name, instead of the profile's.

    >>> classify("bp", (130, 79), "mm[Hg]").category, classify("39156-5", 24.0, "kg/m2").category
    ('stage 1', 'overweight')
    """
    if code not in MEASURES:
        return None
    measure, component = MEASURES[code]
    scheme = scheme or scheme_for(measure, profile=profile)
    unit = normalise_unit(unit)
    if isinstance(value, tuple):
        parts = [
            _class_of(part, _ladder(measure, scheme, name, unit))
            for part, name in zip(value, ("systolic", "diastolic"), strict=True)
        ]
        known = [part for part in parts if part]
        return max(known, key=lambda part: part.severity) if len(known) == 2 else None
    return _class_of(value, _ladder(measure, scheme, component, unit))


def reference_band(code: str, unit: str, *, profile: str = "TW", scheme: str = "") -> Band | None:
    """Return the usual range of a measure in a unit, or None when we have none.

    >>> band = reference_band("1558-6", "mg/dL")
    >>> band.low, band.high
    (Decimal('70'), Decimal('100'))
    """
    if code not in MEASURES:
        return None
    measure, component = MEASURES[code]
    scheme = scheme or scheme_for(measure, profile=profile)
    ladder = _ladder(measure, scheme, component, normalise_unit(unit))
    for place, one in enumerate(ladder):
        if one.severity == 0:
            above = ladder[place + 1].starts_at if place + 1 < len(ladder) else None
            return Band(one.starts_at, above, one.unit, scheme, one.source)
    return None
