import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fusion.news2 import news2
from services.fusion.scores import BedsideScore, Person
from services.fusion.vitals import Lack
from tests.fusion.making import HEALTHY, SEPTIC, inputs, measured

ADULT = Person(age_years=60)


def points_of(name: str, values: dict[str, float | str]) -> int:
    score = news2(inputs(HEALTHY | values), ADULT)
    return next(part.points for part in score.parts if part.name == name)


def without(values: dict[str, float], *names: str) -> dict[str, float]:
    return {name: value for name, value in values.items() if name not in names}


# Every edge of the table of the Royal College of Physicians, 2017.
@pytest.mark.parametrize(
    ("name", "edges"),
    [
        ("resp_rate", [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)]),
        ("spo2", [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0), (100, 0)]),
        ("sbp", [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]),
        ("heart_rate", [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3)]),
        ("temperature", [(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2)]),
    ],
)
def test_a_parameter_scores_as_the_table_says(name: str, edges: list[tuple[float, int]]) -> None:
    assert [(value, points_of(name, {name: value})) for value, _ in edges] == edges


@pytest.mark.parametrize(
    ("fio2", "edges"),
    [
        (0.21, [(83, 3), (84, 2), (85, 2), (86, 1), (87, 1), (88, 0), (92, 0), (93, 0), (97, 0), (100, 0)]),
        (0.28, [(83, 3), (84, 2), (86, 1), (88, 0), (92, 0), (93, 1), (94, 1), (95, 2), (96, 2), (97, 3), (100, 3)]),
    ],
)
def test_on_scale_2_a_high_saturation_scores_only_on_oxygen(fio2: float, edges: list[tuple[float, int]]) -> None:
    scored = [(spo2, points_of("spo2", {"spo2": spo2, "fio2": fio2, "spo2_scale": 2})) for spo2, _ in edges]
    assert scored == edges


def test_scale_2_is_used_only_when_it_is_prescribed() -> None:
    assert points_of("spo2", {"spo2": 89}) == 3
    assert points_of("spo2", {"spo2": 89, "spo2_scale": 1}) == 3
    assert points_of("spo2", {"spo2": 89, "spo2_scale": 2}) == 0


def test_a_prescription_of_scale_2_stands_for_days() -> None:
    old = measured("spo2_scale", 2, minutes_ago=60 * 70)
    score = news2(inputs(HEALTHY | {"spo2": 89}, old), ADULT)
    assert score.total == 0


@pytest.mark.parametrize(
    ("value", "points"), [(36.04, 1), (36.05, 0), (38.04, 0), (38.05, 1), (35.04, 3), (39.049, 1), (39.05, 2)]
)
def test_a_temperature_rounds_to_one_decimal_before_it_is_scored(value: float, points: int) -> None:
    assert points_of("temperature", {"temperature": value}) == points


@pytest.mark.parametrize(("value", "points"), [(24.4, 2), (24.5, 3), (20.49, 0), (20.5, 2), (8.5, 1), (8.4, 3)])
def test_respirations_round_to_whole_numbers_before_they_are_scored(value: float, points: int) -> None:
    assert points_of("resp_rate", {"resp_rate": value}) == points


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ({"fio2": 0.21}, 0),
        ({"fio2": 0.212}, 0),
        ({"fio2": 0.22}, 2),
        ({"fio2": 21}, 0),
        ({"fio2": 28}, 2),
        ({"fio2": 0.21, "oxygen_flow": 2}, 2),
        ({"fio2": 0.21, "oxygen_flow": 0}, 0),
        ({"fio2": 0.21, "on_oxygen": 1}, 2),
        ({"fio2": 0.21, "on_oxygen": 0}, 0),
        ({"fio2": 0.21, "supplemental_oxygen": "nasal cannula"}, 2),
        ({"fio2": 0.21, "supplemental_oxygen": "room air"}, 0),
    ],
)
def test_fio2_above_air_or_any_flow_counts_as_oxygen(values: dict[str, float | str], points: int) -> None:
    assert points_of("oxygen", values) == points


def test_the_newest_statement_about_oxygen_counts() -> None:
    score = news2(inputs(HEALTHY, measured("oxygen_flow", 4, minutes_ago=30)), ADULT)
    assert score.total == 0


@pytest.mark.parametrize(("word", "points"), [("alert", 0), ("confusion", 3), ("voice", 3), ("pain", 3), ("u", 3)])
def test_anything_but_alert_scores_3(word: str, points: int) -> None:
    assert points_of("consciousness", {"avpu": word}) == points


@pytest.mark.parametrize(("gcs", "points"), [(15, 0), (14, 3), (3, 3)])
def test_without_avpu_a_gcs_of_15_counts_as_alert(gcs: int, points: int) -> None:
    assert points_of("consciousness", {"gcs": gcs}) == points


def test_of_avpu_and_gcs_the_newer_one_counts() -> None:
    falling = news2(inputs(without(HEALTHY, "gcs") | {"gcs": 9}, measured("avpu", "alert", 30)), ADULT)
    assert falling.total == 3
    charted_together = news2(inputs(HEALTHY | {"gcs": 14, "avpu": "alert"}), ADULT)
    assert charted_together.total == 0


@pytest.mark.parametrize(
    ("values", "total", "band"),
    [
        ({}, 0, "low"),
        ({"resp_rate": 21, "heart_rate": 111}, 4, "low"),
        ({"resp_rate": 25}, 3, "low_medium"),
        ({"resp_rate": 21, "heart_rate": 111, "temperature": 38.5}, 5, "medium"),
        ({"resp_rate": 25, "heart_rate": 111}, 5, "medium"),
        ({"resp_rate": 25, "heart_rate": 131}, 6, "medium"),
        ({"resp_rate": 25, "heart_rate": 131, "temperature": 38.5}, 7, "high"),
        (SEPTIC, 19, "high"),
    ],
)
def test_the_band_follows_the_total_and_a_single_3(values: dict[str, float | str], total: int, band: str) -> None:
    score = news2(inputs(HEALTHY | values), ADULT)
    assert (score.total, score.band, score.missing) == (total, band, frozenset())


def test_a_missing_parameter_is_named_and_gives_a_range() -> None:
    score = news2(inputs(without(SEPTIC, "heart_rate", "temperature")), ADULT)
    assert score.missing == {"heart_rate", "temperature"}
    assert (score.lowest, score.total, score.highest) == (14, 14, 20)


def test_with_nothing_known_the_score_is_anything() -> None:
    score = news2(inputs({}), ADULT)
    assert (score.lowest, score.total, score.highest) == (0, 0, 20)
    assert len(score.missing) == 7


def test_on_scale_2_the_range_includes_what_unknown_oxygen_may_hide() -> None:
    score = news2(inputs(without(HEALTHY, "fio2") | {"spo2": 97, "spo2_scale": 2}), ADULT)
    assert (score.lowest, score.total, score.highest) == (0, 0, 5)


def lack_of(score: BedsideScore, name: str) -> Lack | None:
    return next(part.lack for part in score.parts if part.name == name)


def test_a_vital_sign_older_than_its_staleness_counts_as_missing() -> None:
    others = without(HEALTHY, "heart_rate")
    fresh = news2(inputs(others, measured("heart_rate", 140, minutes_ago=60)), ADULT)
    stale = news2(inputs(others, measured("heart_rate", 140, minutes_ago=61)), ADULT)
    assert (fresh.total, lack_of(fresh, "heart_rate")) == (3, None)
    assert (stale.total, stale.highest, lack_of(stale, "heart_rate")) == (0, 3, Lack.STALE)


def test_an_impossible_value_is_not_used_and_is_named() -> None:
    broken = measured("heart_rate", 900, unusable=Lack.OUT_OF_RANGE)
    score = news2(inputs(without(HEALTHY, "heart_rate"), broken), ADULT)
    assert (score.total, lack_of(score, "heart_rate")) == (0, Lack.OUT_OF_RANGE)


def test_the_last_possible_value_stands_for_a_newer_impossible_one() -> None:
    broken = measured("heart_rate", 900, unusable=Lack.OUT_OF_RANGE)
    score = news2(inputs(without(HEALTHY, "heart_rate"), measured("heart_rate", 120, 20), broken), ADULT)
    assert (score.total, score.missing) == (2, frozenset())


def test_a_value_from_after_the_moment_of_judging_is_not_used_and_said_to_be_ahead() -> None:
    score = news2(inputs(without(HEALTHY, "sbp"), measured("sbp", 60, minutes_ago=-90)), ADULT)
    assert (score.total, lack_of(score, "sbp")) == (0, Lack.FUTURE)


@pytest.mark.parametrize("person", [Person(age_years=15), Person(age_years=0), Person(age_years=30, pregnant=True)])
def test_children_and_pregnancy_are_out_of_scope(person: Person) -> None:
    score = news2(inputs(SEPTIC), person)
    assert score.abstained
    assert (score.total, score.parts, score.band) == (0, (), "")


def test_from_16_years_on_it_applies() -> None:
    assert not news2(inputs(HEALTHY), Person(age_years=16)).abstained


possible = st.fixed_dictionaries(
    {},
    optional={
        "resp_rate": st.floats(0, 80),
        "spo2": st.floats(10, 100),
        "fio2": st.floats(0.15, 1),
        "sbp": st.floats(0, 370),
        "heart_rate": st.floats(0, 350),
        "temperature": st.floats(10, 47),
        "gcs": st.integers(3, 15),
        "spo2_scale": st.sampled_from([1, 2]),
    },
)


@given(possible)
def test_the_total_lies_in_its_range_and_completing_it_stays_inside(values: dict[str, float | str]) -> None:
    score = news2(inputs(values), ADULT)
    complete = news2(inputs({name: value for name, value in HEALTHY.items() if name not in values} | values), ADULT)
    assert score.lowest <= score.total <= score.highest <= 20
    assert score.lowest <= complete.total <= score.highest
    assert not complete.missing
