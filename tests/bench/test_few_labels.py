import json
from itertools import pairwise

import numpy as np
import pytest

from bench.few_labels import page, results
from bench.few_labels.shares import SEEDS, SHARES, labelled, runs

# Sixty patients, every third of the second class, one to four pictures each.
PATIENTS = np.repeat(np.arange(60), np.tile([1, 2, 3, 4], 15))
GROUPS = np.array([f"patient {number}" for number in PATIENTS])
LABELS = (PATIENTS % 3 == 0).astype(np.int64)
POOL = np.flatnonzero(PATIENTS >= 15)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_smaller_share_of_labels_is_part_of_a_larger_one(seed: int) -> None:
    drawn = [set(labelled(LABELS, GROUPS, POOL, share, seed).tolist()) for share in SHARES]
    assert all(small < large for small, large in pairwise(drawn))
    assert drawn[-1] == set(POOL.tolist())


@pytest.mark.parametrize("share", SHARES)
def test_no_patient_is_labelled_in_part_or_drawn_from_outside_the_training_part(share: int) -> None:
    known = labelled(LABELS, GROUPS, POOL, share, 0)
    assert not set(GROUPS[known]) & set(GROUPS[np.setdiff1d(POOL, known)])
    assert set(GROUPS[known]) <= set(GROUPS[POOL])


def test_each_class_gives_its_share_of_patients() -> None:
    known = labelled(LABELS, GROUPS, POOL, 10, 0)
    # Of 45 training patients 15 are of the second class and 30 of the first; parts are rounded up.
    assert [len(set(GROUPS[known][LABELS[known] == kind])) for kind in (0, 1)] == [3, 2]


def test_a_seed_gives_one_draw_and_another_seed_another() -> None:
    draws = [labelled(LABELS, GROUPS, POOL, 10, seed).tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_a_patient_of_two_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="two classes"):
        labelled(np.array([0, 1]), np.array(["one", "one"]), np.array([0, 1]), 50, 0)


def test_neighbouring_slices_that_look_alike_are_one_run_within_class_and_fold() -> None:
    head, other = np.array([1.0, 0, 0, 2]), np.array([0.0, 2, 1, 0])
    names = ["glioma/3", "glioma/1", "glioma/2", "glioma/9", "meningioma/4", "glioma/4"]
    found = runs(names, np.array([2, 2, 2, 2, 2, 3]), np.array([other, head, head, head, head, other]))
    # 1 and 2 are alike; 3 looks otherwise; 4 is of another fold; 9 is too far; the meningioma is another class.
    assert found[1] == found[2]
    assert len(set(found.tolist())) == 5


def test_area_under_the_curve_counts_ties_half_and_pictures_by_their_weight() -> None:
    score, positive = np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, True, False, True])
    weights = np.array([[1.0, 1, 1, 1], [1, 2, 0, 1]])
    assert results.auroc(score, positive, weights) == pytest.approx([3.5 / 4, 1.0])


def test_all_pictures_of_a_patient_are_drawn_together() -> None:
    weights = results.by_patient(np.array([0, 0, 1, 2, 2]))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[0] == 1).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()


def test_the_committed_answers_are_one_of_a_cell_and_of_the_shares_that_they_name() -> None:
    _, lines = results.read()
    seeds: dict[tuple[str, str, int], list[int]] = {}
    for line in lines:
        seeds.setdefault((line["task"], line["method"], line["share"]), []).append(line["seed"])
    assert all(len(found) == len(set(found)) and set(found) <= set(SEEDS) for found in seeds.values())
    supervised = [line for line in lines if line["method"] == "supervised"]
    plain = {(line["task"], line["seed"], line["share"]): line["groups"] for line in supervised}
    for (task, seed, share), groups in plain.items():
        assert groups == pytest.approx(plain[task, seed, 100] * share / 100, abs=3)
    assert set(json.loads(results.CHOICE.read_text())["steps"]) == {"supervised", "transfer"}


def test_the_tables_of_the_page_are_those_of_the_committed_answers() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_tables(text, page.tables(results.points(*results.read()))) == text
