"""Units as hospitals spell them: each is one value in the kept unit, or flagged when it is no unit of its kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.note_ingest.catalogue import QUANTITIES, Quantity
from services.note_ingest.unit_spellings import spelled_out
from services.note_ingest.units import Units

BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}
# Name, value as sent, value as kept, and the ways to write the unit, separated by two blanks.
SPELLINGS = (
    (
        "temperature",
        37,
        37,
        "degrees Celsius  degree Celsius  deg Celsius  Celcius  centigrade  C°  oC  degreesC  Deg C",
    ),
    ("temperature", 98.6, 37, "degrees Fahrenheit  degree Fahrenheit  deg Fahrenheit  F°  oF  degreesF  Deg F  DEG F"),
    ("wbc", 12, 12, "x10^3/uL  X10^3/uL  x10*3/uL  x 10^3/uL  10E3/mcL  10**3/uL  10(3)/uL  10 3/uL  10x3/uL  10³/µL"),
    ("wbc", 12, 12, "K/uL  K/µL  K/μL  K/mcL  K/mm3  K/cu mm  K/cumm  th/uL  Thousand/uL  thousands/uL  THOU/MM3"),
    ("wbc", 12, 12, "x10*9/L  x10^9/L  x 10^9/L  x10⁹/L  x10(9)/L  E9/L  10e9/L  G/L  Giga/L  bil/L  cells x 10^9/L"),
    (
        "wbc",
        12000,
        12,
        "cells/mm3  cells/mm³  cells/mm^3  cells/cumm  cells/mcL  /cumm  /cu mm  /mcL  /µL  #/uL",
    ),
    ("platelets", 200, 200, "x10^3/uL  K/mcL  10^3/mm3  G/L  thou/cmm"),
    ("sbp", 120, 120, "millimeter of mercury  millimeters of mercury  millimetres of mercury  mm/Hg  mm-Hg  mm of Hg"),
    (
        "heart_rate",
        80,
        80,
        "bpm  BPM  b.p.m.  beat/min  beats per min  per min  /minute  min^-1  beats.min-1",
    ),
    ("resp_rate", 18, 18, "breath/min  brpm  breaths per min  respirations/min  respirations per minute  resps/min"),
    ("oxygen_flow", 2, 2, "L/min  l/min  LPM  liters/min  litre/minute  LITERS/MINUTE  L per min  liters per minute"),
    ("spo2", 97, 97, "% sat  %SpO2  per cent  percentage  % saturation"),
    ("haematocrit", 40, 40, "vol%  Vol %"),
    ("creatinine", 1, 1, "mg/dl  MG/DL  mg%  mg/100 mL  mg/100ml  mg per dL  milligrams/deciliter"),
    ("creatinine", 88.4, 1, "umol/L  UMOL/L  µmol/l  micromol/L  mcmol/L  micromoles/liter"),
    ("haemoglobin", 12, 12, "gm/dL  GM/DL  gms/dL  g%  gm%  grams/dL  g/100mL"),
    ("haemoglobin", 120, 12, "g/L  G/L  gm/L  grams/liter"),
    ("lactate", 2, 2, "mM  mM/L  mmole/L  mmoles/L  millimol/L  millimoles per liter"),
    ("sodium", 140, 140, "mEq/L  MEQ/L  m mol/L  milliequivalents/L  milliequivalent per liter"),
    ("troponin_i", 0.4, 0.4, "mcg/L  µg/L  micrograms/L  NG/ML"),
    ("alt", 40, 40, "units/L  Units/L  UNIT/L  IU/L  international units per liter"),
    ("ptt", 30, 30, "secs  Sec.  second  Second(s)"),
    ("urine_output", 300, 300, "mls  milliliter  millilitres"),
    ("weight", 80, 80, "kgs  kilo  kilograms"),
    ("weight", 100, 45.359237, "pounds  LBS"),
    ("height", 1.7, 170, "meter  metres  M"),
    ("height", 67, 170.18, "inches  IN"),
)


@pytest.mark.parametrize(("name", "sent", "kept", "ways"), SPELLINGS)
def test_a_unit_is_known_however_hospitals_spell_it(
    units: Units, name: str, sent: float, kept: float, ways: str
) -> None:
    for way in ways.split("  "):
        converted = units.convert(sent, way, BY_NAME[name])
        assert converted.ok, way
        assert converted.value == pytest.approx(kept, rel=1e-3), way


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("wbc", "g/dL"),
        ("wbc", "%"),
        ("haemoglobin", "Giga/L"),
        ("heart_rate", "beats"),
        ("heart_rate", "mm"),
        ("sbp", "cm"),
        ("temperature", "degrees"),
        ("creatinine", "units per week"),
        ("oxygen_flow", "L"),
    ],
)
def test_a_unit_of_another_kind_stays_unknown(units: Units, name: str, unit: str) -> None:
    assert not units.convert(1, unit, BY_NAME[name]).ok


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="xX10^*3 9/perkmgLlcCfFdµ³()%.-#", max_size=12), st.sampled_from(QUANTITIES))
def test_any_unit_is_converted_or_not(text: str, quantity: Quantity) -> None:
    assert isinstance(spelled_out(text, quantity.unit), str)
