from math import isnan

import pytest

from services.fusion.deterioration.variables import BY_NAME, VARIABLES, read, sex_code, unit_type
from services.note_ingest.catalogue import BY_LOCAL


@pytest.mark.parametrize(
    ("name", "sent", "kept", "remark"),
    [
        ("temperature", 101.3, 38.5, "in [degF]"),
        ("Temp", 98.6, 37.0, "in [degF]"),
        ("creatinine", 88.4, 1.0, "in umol/L"),
        ("glucose", 5.5, 99.1, "in mmol/L"),
        ("bilirubin", 85.5, 5.0, "in umol/L"),
        ("haemoglobin", 98, 9.8, "in g/L"),
        ("albumin", 32, 3.2, "in g/L"),
        ("fio2", 40, 0.4, "in %"),
        ("spo2", 0.93, 93, "in 1"),
        ("paco2", 5.3, 39.75, "in kPa"),
        ("pao2", 11, 82.5, "in kPa"),
        ("platelets", 180_000, 180, "in /uL"),
        ("wbc", 9_500, 9.5, "in /uL"),
        ("pH", 735, 7.35, "in [pH] without its point"),
        ("height", 1.75, 175, "in m"),
        ("lactate", 45, 4.996, "in mg/dL"),
    ],
)  # fmt: skip
def test_a_unit_error_is_caught_before_it_moves_the_risk(name: str, sent: float, kept: float, remark: str) -> None:
    taken = read(name, sent)
    assert taken is not None
    assert taken.value == pytest.approx(kept, rel=2e-3)
    assert taken.remark == remark


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("temperature", 62),
        ("HR", 0),
        ("creatinine", -1),
        ("pH", 3),
        ("K", 40),
        ("Na", 14),
        ("RespRate", 400),
        ("Weight", 3),
    ],
)
def test_what_no_unit_explains_is_kept_out(name: str, sent: float) -> None:
    taken = read(name, sent)
    assert taken is not None
    assert isnan(taken.value)
    assert taken.remark == "impossible"


@pytest.mark.parametrize(
    ("column", "value", "name", "kept"),
    [
        ("HR", 80, "heart_rate", 80), ("O2Sat", 97, "spo2", 97), ("SaO2", 97, "sao2_gas", 97),
        ("Resp", 18, "resp_rate", 18),
        ("NISysABP", 120, "sbp", 120), ("NIMAP", 80, "map", 80), ("Bilirubin_total", 1, "bilirubin", 1),
        ("Mg", 2.0, "magnesium", 0.823), ("Magnesium", 2.0, "magnesium", 0.823), ("magnesium", 0.82, "magnesium", 0.82),
        ("Calcium", 1.1, "calcium_ionised", 1.1), ("Calcium", 8.4, "calcium", 8.4), ("Gender", 1, "sex", 1),
        ("Unit1", 1, "icu_type", 3), ("Unit2", 1, "icu_type", 4), ("ICUType", 2, "icu_type", 2),
    ],
)  # fmt: skip
def test_columns_of_both_challenges_are_ours(column: str, value: float, name: str, kept: float) -> None:
    taken = read(column, value)
    assert taken is not None
    assert taken.name == name
    assert taken.value == pytest.approx(kept, rel=1e-3)


@pytest.mark.parametrize(("name", "value"), [("Weight", -1), ("Height", -1), ("Gender", -1), ("Unit1", 0)])
def test_unknown_is_no_fault(name: str, value: float) -> None:
    taken = read(name, value)
    assert taken is not None
    assert isnan(taken.value)
    assert not taken.remark


def test_names_and_units_are_those_of_the_edge() -> None:
    own = {"age", "sex", "icu_type", "hours_in_hospital", "calcium_ionised"}
    at_the_edge = {one.name: one for one in BY_LOCAL.values()}
    for variable in VARIABLES:
        if variable.name not in own:
            edge = at_the_edge[variable.name]
            assert variable.unit == edge.unit, variable.name
            assert edge.low <= variable.low < variable.high <= edge.high, variable.name


def test_no_plausible_value_is_taken_for_another_unit() -> None:
    for variable in VARIABLES:
        for other in variable.others:
            assert other.high <= variable.low or other.low > variable.high, variable.name
            target = BY_NAME[other.becomes or variable.name]
            for value in (other.low, other.high - 1e-9):
                assert target.low * 0.8 <= value * other.factor + other.offset <= target.high * 1.25, variable.name


@pytest.mark.parametrize(("text", "kind"), [("MICU", 3), ("Surgical ICU", 4), ("ccu", 1), ("2", 2)])
def test_kinds_of_units_are_known_by_their_names(text: str, kind: float) -> None:
    assert unit_type(text) == kind


def test_unknown_units_and_sexes_stay_unknown() -> None:
    assert isnan(unit_type("roof garden"))
    assert isnan(sex_code("?"))
    assert sex_code("Female") == 0
