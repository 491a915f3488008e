import gzip
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.compare_coders import intervals, metrics, notes, page, predictions, results
from services.common.settings import REPOSITORY

# Two notes of fold 0 and two of fold 1; every figure below is worked out by hand from this table.
GOLDS = [frozenset({"A", "B"}), frozenset({"A"}), frozenset({"A", "C"}), frozenset({"D"})]
RANKINGS = [
    [("A", 0.9), ("X", 0.8), ("B", 0.3)],
    [("X", 0.7), ("A", 0.6)],
    [("A", 0.9), ("C", 0.2)],
    [("A", 0.5)],
]
FOLDS = np.array([0, 0, 1, 1])
ONCE = np.ones((1, 4))


@pytest.fixture
def judged() -> metrics.Judged:
    """Chosen from 0.5 on: A X, X A, A, A."""
    return metrics.judge(RANKINGS, GOLDS, FOLDS, metrics.picked(RANKINGS, FOLDS, {0: 0.5, 1: 0.5}))


@pytest.mark.parametrize(
    ("ranking", "gold", "expected"),
    [
        (["A", "B"], {"A", "B"}, 1.0),
        (["X", "A"], {"A"}, 1 / 2),
        (["A", "X", "B"], {"A", "B"}, (1 + 2 / 3) / 2),
        (["A"], {"A", "B", "C", "D"}, 1 / 4),
        ([], {"A"}, 0.0),
        (["A"], set(), 0.0),
        ([f"X{rank}" for rank in range(100)] + ["A"], {"A"}, 0.0),
    ],
)
def test_average_precision_counts_the_first_hundred_codes_over_all_gold_codes(
    ranking: list[str], gold: set[str], expected: float
) -> None:
    scored = [(code, 1.0) for code in ranking]
    assert metrics.average_precision(scored, frozenset(gold)) == pytest.approx(expected)


def test_codes_of_equal_score_count_in_the_order_they_come_in() -> None:
    gold = frozenset({"B"})
    assert metrics.average_precision([("A", 0.5), ("B", 0.5)], gold) == 0.5
    assert metrics.average_precision([("B", 0.5), ("A", 0.5)], gold) == 1.0


def test_an_empty_place_in_a_short_ranking_is_a_wrong_one() -> None:
    assert metrics.precision_at([("A", 0.9), ("X", 0.8)], frozenset({"A"}), 5) == pytest.approx(1 / 5)


def test_the_threshold_never_parts_codes_of_equal_score() -> None:
    # From 0.9: 1 right of 1, F1 2/3. From 0.5: 2 right of 12, F1 2/7. A cut after the second place is not to be had.
    scores, right = np.array([0.9, *[0.5] * 11]), np.array([True, True, *[False] * 10])
    assert metrics.best_threshold(scores, right, wanted=2) == 0.9


def test_the_threshold_weighs_gold_codes_that_no_ranking_has() -> None:
    # From 0.9: 1 right of 1, F1 2/7. From 0.5: 2 right of 4, F1 4/10. With both gold codes ranked, 0.9 would win.
    scores, right = np.array([0.5, 0.9, 0.5, 0.5]), np.array([True, True, False, False])
    assert metrics.best_threshold(scores, right, wanted=6) == 0.5


def test_nothing_is_chosen_when_nothing_is_ever_right() -> None:
    assert metrics.best_threshold(np.array([0.9]), np.array([False]), wanted=1) == float("inf")


def test_a_fold_does_not_choose_its_own_threshold() -> None:
    rankings = [[("A", 0.9)], [("A", 0.2)]]
    golds = [frozenset({"A"})] * 2
    assert metrics.held_out_thresholds(rankings, golds, np.array([0, 1])) == {0: 0.2, 1: 0.9}


def test_micro_figures_count_pairs_of_note_and_code(judged: metrics.Judged) -> None:
    # Right: A, A, A. Chosen: 2 + 2 + 1 + 1. Gold: 2 + 1 + 2 + 1.
    figures = metrics.micro_figures(judged.gold, judged.chosen, ONCE)
    assert figures["precision"] == pytest.approx(3 / 6)
    assert figures["recall"] == pytest.approx(3 / 6)
    assert figures["f1"] == pytest.approx(6 / 12)


def test_macro_figures_are_the_mean_over_gold_codes_and_leave_others_out(judged: metrics.Judged) -> None:
    # A: 3 right of 4 chosen, of 3 gold. B, C, D: gold once, never chosen. X is never gold, so it is no part.
    figures = metrics.macro_figures(judged.gold, judged.chosen, ONCE)
    assert figures["precision"] == pytest.approx((3 / 4 + 0 + 0 + 0) / 4)
    assert figures["recall"] == pytest.approx((1 + 0 + 0 + 0) / 4)
    assert figures["f1"] == pytest.approx((6 / 7) / 4)
    assert figures["accuracy"] == pytest.approx(3 / 4)  # each of the four codes is wrong in one note of four


def test_a_resample_weighs_each_note_by_how_often_it_was_drawn(judged: metrics.Judged) -> None:
    only_third = np.array([[0.0, 0.0, 4.0, 0.0]])
    assert metrics.micro_figures(judged.gold, judged.chosen, only_third)["recall"] == pytest.approx(1 / 2)
    assert metrics.macro_figures(judged.gold, judged.chosen, only_third)["recall"] == pytest.approx(1 / 2)
    assert metrics.ranking_figures(judged, only_third)["map"] == pytest.approx(1.0)


def test_frequency_is_counted_in_the_other_folds_only(judged: metrics.Judged) -> None:
    codes = sorted(frozenset({"A", "B", "C", "D", "X"}))
    seen = dict(zip(codes, judged.seen[0].tolist(), strict=True))
    assert seen == {"A": 1, "B": 0, "C": 1, "D": 1, "X": 0}


def test_resamples_begin_with_every_note_once_and_draw_as_many_notes() -> None:
    weights = intervals.resamples(7)
    assert weights.shape == (1 + intervals.RESAMPLES, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()


def test_an_interval_is_centred_on_its_figure() -> None:
    values = np.array([0.5, *np.linspace(0.55, 0.65, 1001)])
    found = intervals.estimate(values)
    assert found.value == 0.5
    assert (found.low, found.high) == pytest.approx((0.4525, 0.5475))


def test_rankings_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl.gz"
    predictions.write(path, {"two": [("B", 0.25)], "one": [("A", 0.123456), ("C", 0.0)]})
    assert predictions.read(path) == {"one": [("A", 0.1235), ("C", 0.0)], "two": [("B", 0.25)]}


def test_the_same_rankings_give_the_same_bytes(tmp_path: Path) -> None:
    rankings = {"two": [("B", 0.25)], "one": [("A", 0.5)]}
    predictions.write(tmp_path / "first.jsonl.gz", rankings)
    predictions.write(tmp_path / "again.jsonl.gz", dict(reversed(rankings.items())))
    assert (tmp_path / "first.jsonl.gz").read_bytes() == (tmp_path / "again.jsonl.gz").read_bytes()


def test_a_line_that_is_no_note_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ours.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"threshold": 0.3}\n{"id": "one", "ranking": [["A", 1]]}\n'))
    assert predictions.read(path) == {"one": [("A", 1.0)]}


def test_the_folds_are_those_of_the_coders_training(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location(
        "training_corpus", REPOSITORY / "triton_models" / "icd_coder" / "training" / "corpus.py"
    )
    assert spec is not None
    assert spec.loader is not None
    corpus = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, corpus)
    spec.loader.exec_module(corpus)
    assert (notes.folds_of(500) == corpus.folds_of(500)).all()


@pytest.mark.skipif(not notes.NOTES.exists(), reason="the gold codes are not here: VIGIL_TRAINING_DATA")
def test_the_tables_in_the_docs_are_what_the_committed_predictions_give() -> None:
    made = page.tables(results.compared(notes.load()), predictions.times())
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.with_tables(text, made), "run make compare-coders"
