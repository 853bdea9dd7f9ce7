"""Every case of the shared table, on both sides of each limit."""

from decimal import Decimal

import pytest
from django.utils import translation

from careloop.kernel.tests.shared import shared_rows
from careloop.kernel.units import glucose_in, normalise_unit
from careloop.records.reference_ranges import (
    CATEGORY_NAMES,
    MEASURES,
    SCHEME_NAMES,
    classify,
    range_classes,
    reference_band,
    scheme_for,
    scheme_name,
)


def test_every_value_of_the_shared_table_falls_into_its_class():
    rows = shared_rows("reference-ranges/classification-cases.csv")
    assert len(rows) == 49

    for row in rows:
        measure, typed, unit, expected, expected_esc = row.values()
        value = tuple(map(int, typed.split("/"))) if "/" in typed else Decimal(typed)
        assert classify(measure, value, unit).category == expected, row
        if expected_esc:
            esc = classify(measure, value, unit, scheme="ESC/ESH 2018 office")
            assert esc.category == expected_esc, row


def test_every_class_of_the_shared_table_is_in_ours_with_the_same_source():
    ours = {(one.scheme, one.category, one.source) for one in range_classes()}
    renamed = {"level 1": "level 1 low", "level 2": "level 2 low"}

    for row in shared_rows("reference-ranges/ranges.csv"):
        category = renamed.get(row["category"], row["category"])
        assert (row["scheme"], category, row["source"]) in ours, row


def test_every_class_has_a_name_and_every_measure_a_scheme():
    assert {one.category for one in range_classes()} == set(CATEGORY_NAMES)
    for measure, _component in MEASURES.values():
        assert scheme_for(measure, profile="TW")


@pytest.mark.parametrize(("language", "name"), [("zh-hant", "國民健康署（成人）"), ("zh-hans", "国民健康署（成人）")])
def test_a_scheme_is_named_in_the_language_of_the_reader(language, name):
    with translation.override(language):
        assert scheme_name(scheme_for("bmi", profile="TW")) == name
    assert set(SCHEME_NAMES) <= {one.scheme for one in range_classes()}


@pytest.mark.parametrize("unit", ["mmHg", "mm Hg", "mm[Hg]", "MMHG", "mmhg "])
def test_spellings_of_a_unit_are_one_unit(unit):
    assert classify("85354-9", (118, 79), unit).category == "normal"


def test_millimoles_have_limits_of_their_own_and_are_not_rounded_over():
    assert classify("2h-glucose-ogtt", 11.1, "mmol/L").category == "diabetes"
    assert classify("2h-glucose-ogtt", 11.0, "mmol/L").category == "prediabetes"
    assert classify("hba1c", 48, "mmol/mol").category == "diabetes"


def test_a_random_glucose_is_only_said_to_be_low_or_not():
    assert classify("2345-7", 250, "mg/dL").category == "not low"
    assert classify("2345-7", 53, "mg/dL").category == "level 2 low"


def test_taiwan_has_bmi_classes_of_its_own():
    assert classify("bmi", 24.5, "kg/m2").category == "overweight"
    assert classify("bmi", 24.5, "kg/m2", profile="INTL").category == "not overweight"


@pytest.mark.parametrize(
    ("code", "value", "unit"),
    [
        ("unknown", 1, "mmHg"),
        ("bmi", 22, "lb/in2"),
        ("hba1c", float("nan"), "%"),
        ("bp", (120, float("nan")), "mmHg"),
    ],
)
def test_what_we_do_not_know_gets_no_class(code, value, unit):
    assert classify(code, value, unit) is None


@pytest.mark.parametrize(
    ("code", "unit", "low", "high"),
    [
        ("8480-6", "mm[Hg]", None, "120"),
        ("8462-4", "mm[Hg]", None, "80"),
        ("1558-6", "mg/dL", "70", "100"),
        ("fasting-glucose", "mmol/l", "3.9", "5.6"),
        ("4548-4", "%", None, "5.7"),
        ("39156-5", "kg/m2", "18.5", "24"),
        ("2345-7", "mg/dL", "70", None),
    ],
)
def test_the_band_of_a_chart(code, unit, low, high):
    band = reference_band(code, unit)

    assert (band.low, band.high) == (low and Decimal(low), high and Decimal(high))


def test_no_band_for_the_unknown():
    assert reference_band("unknown", "mmHg") is None
    assert reference_band("bmi", "stone") is None


def test_glucose_converts_both_ways():
    assert round(glucose_in(Decimal("126"), unit="mg/dL", wanted="mmol/L"), 1) == Decimal("7.0")
    assert glucose_in(Decimal("5"), unit="mmol/l", wanted="mmol/L") == 5
    with pytest.raises(ValueError, match="no glucose conversion"):
        glucose_in(Decimal("1"), unit="mmHg", wanted="mg/dL")


def test_an_unknown_unit_stays_as_it_is():
    assert normalise_unit(" 10*3/uL ") == "10*3/uL"
