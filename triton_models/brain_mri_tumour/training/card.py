"""The tables of the model cards, from metrics.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from docs.tables import fill, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

POINTS = {
    "default": "default",
    "high_sensitivity": "high sensitivity (rule out, screening)",
    "high_specificity": "high specificity (confirm)",
}


def write_tables(folder: Path) -> None:
    """Put each table between its markers in the folder's MODEL_CARD.md; other text stays."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    for name in ("baseline", "plain", "by_picture"):
        if (folder / f"{name}.json").exists():
            metrics[name] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    path = folder / "MODEL_CARD.md"
    page = path.read_text(encoding="utf-8")
    fill(path, {name: make(metrics) for name, make in TABLES.items() if f"<!-- {name} -->" in page})


def interval(found: Mapping[str, float]) -> str:
    """As "0.881 (0.870 to 0.891)"."""
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def folds(metrics: Mapping[str, Any]) -> list[str]:
    """One row an official fold."""
    among, outlined = metrics["three_classes"]["by_fold_among_three"], metrics["outlines"]
    return table(
        (
            "official fold",
            "slices",
            "accuracy, four classes",
            "among three, tumour slices",
            "Dice",
            "Hausdorff 95, % of side",
        ),
        (
            (
                fold,
                sum(one["pictures"].values()),
                interval(one["accuracy"]),
                f"{among[fold]:.3f}",
                f"{outlined['by_fold'][fold]:.3f}",
                f"{outlined['hausdorff95_by_fold'][fold]:.1f}",
            )
            for fold, one in metrics["by_fold"].items()
        ),
    )


def classes(metrics: Mapping[str, Any]) -> list[str]:
    """One row a class."""
    whole, outlined = metrics["all"], metrics["outlines"]
    apart = whole["one_against_the_rest"]
    return table(
        ("class", "pictures", "recall", "AUROC against the rest", "AUPRC", "Dice", "Hausdorff 95, % of side"),
        (
            (
                name,
                whole["pictures"][name],
                f"{whole['recall'][name]:.3f}",
                interval(apart[name]["auroc"]) if name in apart else "too few",
                f"{apart[name]['auprc']:.3f}" if name in apart else "",
                f"{outlined['by_class'][name]:.3f}" if name in outlined["by_class"] else "",
                f"{outlined['hausdorff95_by_class'][name]:.1f}" if name in outlined["by_class"] else "",
            )
            for name in whole["recall"]
        ),
    )


def confusion(metrics: Mapping[str, Any]) -> list[str]:
    """What each class was called."""
    names = list(metrics["all"]["pictures"])
    rows = zip(names, metrics["all"]["confusion"], strict=True)
    return table(("is \\ called", *names), ((name, *counts) for name, counts in rows))


def points(metrics: Mapping[str, Any]) -> list[str]:
    """The operating points."""
    return table(
        (
            "label",
            "low",
            "high",
            "sensitivity at low",
            "at high",
            "specificity at high",
            "PPV in this mix",
            "cannot tell",
        ),
        (
            (
                label,
                *(one[name] for name in ("low", "high")),
                *(f"{one[name]:.3f}" for name in ("sensitivity_at_low", "sensitivity_at_high", "specificity_at_high")),
                *(f"{one[name]:.3f}" for name in ("ppv_at_high", "cannot_tell")),
            )
            for label, one in metrics["operating_points"].items()
        ),
    )


def questions(metrics: Mapping[str, Any]) -> list[str]:
    """The operating point of each question: one row a label that it moves, then what is asked for taken together."""
    found = metrics["questions"]
    figures = ("sensitivity", "specificity", "ppv", "own_called_negative", "others_called_negative", "cannot_tell")
    rows: list[tuple[object, ...]] = []

    def add(point: str, label: str, at: tuple[object, object], of: Mapping[str, float]) -> None:
        rows.append((POINTS[point], label, *at, *(f"{of[figure]:.3f}" for figure in figures)))

    for name, one in found.items():
        for i, (label, of) in enumerate(one["by_label"].items()):
            at = one["thresholds"][i], one["lows"][i]
            if name == "default" or at != (found["default"]["thresholds"][i], found["default"]["lows"][i]):
                add(name, label, at, of)
        if one["sought"] not in one["by_label"].values():
            add(name, "any that is asked for", ("", ""), one["sought"])
        if "sought_when_chosen_on_other_parts" in one:
            add(name, "the same, chosen on other parts", ("", ""), one["sought_when_chosen_on_other_parts"])
    head = ("point", "label", "positive from", "negative below", "sensitivity", "specificity", "PPV in this mix")
    return table((*head, "own called negative", "others called negative", "cannot tell"), rows)


def scope(metrics: Mapping[str, Any]) -> list[str]:
    """What is refused."""
    found = metrics["scope"]
    own = ", ".join(f"{name} {share:.3f}" for name, share in found["in_scope_by_class"].items())
    rows = ((k.replace("_", " "), f"{v['as_sent']:.3f}", f"{v['read']:.3f}") for k, v in found["kinds"].items())
    return [f"Accepted of its own: {found['in_scope']:.3f} ({own}).", "", *table(("kind", "as sent", "read"), rows)]


def outline(metrics: Mapping[str, Any]) -> list[str]:
    """Figures of the outline, in words and as a table."""
    one = metrics["outlines"]
    far = {**one["hausdorff95_by_class"], **{f"fold {fold}": v for fold, v in one["hausdorff95_by_fold"].items()}}
    rows = {**one["by_class"], **{f"fold {fold}": value for fold, value in one["by_fold"].items()}}
    thirds = {f"{name} third by area": value for name, value in one["by_size_third"].items()}
    tried = ", ".join(f"{threshold}: {value:.3f}" for threshold, value in one["tried"].items())
    said = (
        f"Dice **{interval(one['dice'])}** on {one['pictures']} pictures, median {one['dice_median']:.3f}, under one"
        f" half on {percent(one['dice_below_half'])}, nothing found on {percent(one['nothing_found'])}; Hausdorff 95"
        f" {one['hausdorff95_percent_of_side']:.1f} % of the side. With the mirrored picture averaged in: Dice"
        f" {one['mirrored_too']:.3f}. By threshold, chosen on the same pictures: {tried}. Something is outlined on"
        f" {percent(one['found_where_there_is_none'])} of pictures without lesion, before the classifier's say."
    )
    shown = {**rows, **thirds}.items()
    lines = ((name, f"{value:.3f}", f"{far[name]:.1f}" if name in far else "") for name, value in shown)
    return [said, "", *table(("", "Dice", "Hausdorff 95, % of side"), lines)]


def percent(share: float) -> str:
    """As "12.3 %"."""
    return f"{100 * share:.1f} %"


def whole(metrics: Mapping[str, Any]) -> list[str]:
    """Accuracy, calibration and the heat map in words."""
    one, heat, three = metrics["all"], metrics["heat"], metrics.get("three_classes")
    among = (
        f"Slices with a tumour: accuracy among the three kinds **{three['accuracy_among_three']:.3f}**, with"
        f' "no tumour" counted as wrong {three["accuracy_none_counts_as_wrong"]:.3f}. All: accuracy'
        if three
        else "Accuracy"
    )
    said = (
        f"{among} {interval(one['accuracy'])}, ECE {one['ece']:.3f}, Brier {one['brier']:.3f} (sum over classes);"
        f" with the mirrored picture averaged in, accuracy {metrics['mirrored_too']['accuracy']:.3f}. The peak of the"
        f" heat lies in the drawn outline on {percent(heat['peak_in_mask'])} and in its box on"
        f" {percent(heat['peak_in_box'])} of pictures with a lesion; {percent(heat['heat_in_mask'])} of the positive"
        " heat lies inside."
    )
    return [said]


def leakage(metrics: Mapping[str, Any]) -> list[str]:
    """Accuracy among the three kinds, split by patient and split by picture."""
    base = metrics["baseline"]
    kinds = {
        "five grey statistics, logistic regression": "grey_statistics",
        "frozen EfficientNet-Lite0, logistic regression, 160 pixels (four folds)": "frozen_network",
    }
    rows = [
        (said, *(f"{base[f'{kind}_{split}']['accuracy_among_lesions']:.3f}" for split in ("by_group", "by_picture")))
        for said, kind in kinds.items()
    ]
    if "plain" in metrics:
        plain = metrics["plain"]
        said = f"plain 22-layer CNN, {plain['side']} pixels, {plain['epochs']} epochs (one fold, one random quarter)"
        rows.append((said, *(f"{plain[split]['accuracy']['value']:.3f}" for split in ("by_patient", "by_picture"))))
    among, leaked = metrics["three_classes"]["accuracy_among_three"], metrics["by_picture"]["accuracy_among_three"]
    rows += [
        ("plain 22-layer CNN as published (Badža and Barjaktarović 2020)", "0.885", "0.966"),
        (
            f"this network ({len(metrics['by_fold'])} of the folds, one random quarter)",
            f"{among:.3f}",
            f"{leaked['value']:.3f}",
        ),
    ]
    return table(("", "by patient", "by picture"), rows)


def groups(metrics: Mapping[str, Any]) -> list[str]:
    """Malignant against benign and Dice, by subgroup."""
    dice = metrics["outlines"]["by_group"]
    return table(
        ("group", "AUROC", "Dice"),
        (
            (name, interval(one), f"{dice[name]:.3f}" if name in dice else "")
            for name, one in metrics["malignant_against_benign"].items()
        ),
    )


def across(metrics: Mapping[str, Any]) -> list[str]:
    """Trained on one set, tested on the other."""
    return table(
        ("trained on", "tested on", "AUROC malignant", "Dice"),
        (
            (*name.split("_to_"), interval(one["auroc"]), f"{one['dice']:.3f}")
            for name, one in metrics["across_sets"].items()
        ),
    )


def trust(metrics: Mapping[str, Any]) -> list[str]:
    """The interval and what it covered."""
    one = metrics["interval"]
    classes = ", ".join(f"{name} {percent(share)}" for name, share in one["covered_by_class"].items())
    fifths = ", ".join(percent(share) for share in one["covered_by_fifths_of_probability"])
    said = (
        f"{one['half_width_logit']:.2f} to either side in log-odds. Covered {percent(one['covered'])} of"
        f" {percent(one['meant_to_cover'])}; {classes}; by fifths of the probability, lowest first: {fifths}."
    )
    return [said]


MADE = (folds, classes, confusion, points, questions, scope, outline, whole, leakage, groups, across, trust)
TABLES = {make.__name__: make for make in MADE}
