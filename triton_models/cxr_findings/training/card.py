"""The tables of the model card, from metrics.json, shortcuts.json and intervals.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from docs.tables import fill, table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GROUPS = {
    "adult": "adults (NIH)",
    "child": "children (Kermany)",
    "nih_age_0_to_17": "NIH age 0 to 17",
    "nih_age_18_to_39": "NIH age 18 to 39",
    "nih_age_40_to_64": "NIH age 40 to 64",
    "nih_age_65_to_119": "NIH age 65 to 119",
    "nih_sex_F": "NIH sex F",
    "nih_sex_M": "NIH sex M",
    "nih_view_PA": "NIH view PA",
    "nih_view_AP": "NIH view AP",
}
COVERED = {
    "as_it_is": "as it is",
    "marks_covered": "burnt-in letters and arrows covered",
    "corners_covered": "the four corners covered, 20 % of either side",
    "frame_covered": "the outermost 10 % on all sides covered",
    "surroundings_covered": "everything but the thorax covered",
    "frame_alone": "only the outermost 10 % left",
    "learned_from_whole_films": "another model: learned from whole films and shown whole films",
    "learned_from_the_frame_alone": "another model: learned from the outermost 10 % alone and shown that",
}
PARTS = {
    "outermost_10%_on_all_sides": "outermost tenth of the film",
    "corners_of_20%": "corners",
    "outside_the_thorax": "outside the part that the model sees",
    "marks": "burnt-in marks",
    "background": "dark background",
}
POINTS = {
    "default": "default",
    "high_sensitivity": "high sensitivity (rule out, screening)",
    "high_specificity": "high specificity (confirm)",
}


def write_tables(folder: Path) -> None:
    """Put each table between its markers in the folder's MODEL_CARD.md; other text stays."""
    found = {
        name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("metrics", "shortcuts", "intervals")
    }
    fill(folder / "MODEL_CARD.md", {name: make(found) for name, make in TABLES.items()})


def interval(found: Mapping[str, float], sign: str = "") -> str:
    """As "0.881 (0.870 to 0.891)"."""
    return f"{found['value']:{sign}.3f} ({found['low']:{sign}.3f} to {found['high']:{sign}.3f})"


def groups(found: Mapping[str, Any]) -> list[str]:
    """One row a group."""
    metrics = found["metrics"]
    of = {GROUPS[name]: one for name, one in metrics["cross_validation"].items()}
    of["last look: Kermany test part"] = metrics["last_look_kermany_test"]
    figures = ("auroc", "auprc", "ece", "brier", "sensitivity", "specificity")
    rows = []
    for name, one in of.items():
        counts = f"{one['films']} / {one['patients']} / {one['pneumonia']}"
        if "note" in one:
            rows.append((name, counts, one["note"], *[""] * (len(figures) - 1)))
            continue
        short = {"ece", "brier"}
        values = [f"{one[f]['value']:.3f}" if f in short else interval(one[f]) for f in figures]
        rows.append((name, counts, *values))
    head = ("group", "films / patients / pneumonia", "AUROC", "AUPRC", "ECE", "Brier", "sensitivity", "specificity")
    return table(head, rows)


def covered(found: Mapping[str, Any]) -> list[str]:
    """One row a kind of covered film."""
    rows = []
    for name, words in COVERED.items():
        one = found["shortcuts"][name]
        own = name == "as_it_is"
        rows.append((words, interval(one if own else one["auroc"]), "" if own else interval(one["change"], "+")))
    return table(("test film", "AUROC", "change"), rows)


def views(found: Mapping[str, Any]) -> list[str]:
    """What the view and the frame tell, of this model and of one that saw whole films."""
    shortcuts = found["shortcuts"]
    rows = []
    for name, words, by_view in (
        ("this_model", "this model", shortcuts["by_view"]),
        ("learned_from_whole_films", "learned from whole films", shortcuts["learned_from_whole_films"]["by_view"]),
    ):
        shared = shortcuts["rank_correlation_with_the_frame"][name]
        rows.append(
            (
                words,
                f"{by_view['PA']:.3f}",
                f"{by_view['AP']:.3f}",
                f"{by_view['tells_view_of_pneumonia']:.2f} / {by_view['tells_view_of_no_finding']:.2f}",
                f"{shared['PA_pneumonia']:.2f} / {shared['PA_no_finding']:.2f}",
                f"{shared['AP_pneumonia']:.2f} / {shared['AP_no_finding']:.2f}",
            )
        )
    head = (
        "model",
        "AUROC within PA",
        "within AP",
        "tells PA from AP, among ill / well",
        "rank correlation with the frame's model, PA: ill / well",
        "AP: ill / well",
    )
    return table(head, rows)


def heat(found: Mapping[str, Any]) -> list[str]:
    """One row a part of the film."""
    of = found["shortcuts"]["heat_of_rightly_positive"]
    rows = (
        (words, of[name]["films"], f"{of[name]['share_of_heat']:.1%}", f"{of[name]['share_of_film']:.1%}")
        for name, words in PARTS.items()
    )
    return table(("part", "films that have it", "share of the heat", "share of the film"), rows)


def points(found: Mapping[str, Any]) -> list[str]:
    """One row an operating point."""
    metrics = found["metrics"]
    parameters = metrics["parameters"]
    rows = []
    for name, words in POINTS.items():
        kind = "" if name == "default" else f"_{name}"
        at = metrics["operating_points"][name]
        told = [
            f"{one['sensitivity']:.3f} / {one['specificity']:.3f} / {one['cannot_tell']:.0%}"
            for one in (at["adult"], at["child"])
        ]
        firsts = [parameters[f"{which}{kind}"].split(",")[0] for which in ("thresholds", "lows")]
        rows.append((words, *firsts, *told))
    head = ("point", "pneumonia from", "negative below", "adults: sensitivity / specificity / cannot tell", "children")
    return table(head, rows)


def widths(found: Mapping[str, Any]) -> list[str]:
    """One row a population."""
    rows = []
    for name, words in (("adult", "adults"), ("child", "children")):
        one = found["intervals"][name]
        fifths = ", ".join(f"{share:.0%}" for share in one["one_width"]["covered_by_fifths_of_logit"])
        width = f"{one['half_width_logit']} (models from quarters: {one['half_width_logit_of_quarters']})"
        rows.append((words, width, f"{one['one_width']['covered']:.1%}", fifths))
    return table(("", "half-width", "covered", "by fifths of the probability, lowest first"), rows)


def scope(found: Mapping[str, Any]) -> list[str]:
    """Shares accepted and refused."""
    metrics = found["metrics"]
    held = metrics["scope_held_out"]
    rows = [
        ("adults' films", "accepted", f"{held['accepted_adult']:.1%}"),
        ("children's films", "accepted", f"{held['accepted_child']:.1%}"),
        ("Kermany test part", "accepted", f"{metrics['scope_accepted_kermany_test']:.1%}"),
        ("adults' films, black and white exchanged", "refused", f"{held['inverted_rejected_adult']:.1%}"),
        ("children's films, black and white exchanged", "refused", f"{held['inverted_rejected_child']:.1%}"),
        ("parts cut out of adults' films", "refused", f"{held['cropped_rejected_adult']:.1%}"),
        ("parts cut out of children's films", "refused", f"{held['cropped_rejected_child']:.1%}"),
    ]
    return table(("pictures that the check never saw", "", "share"), rows)


def kinds(found: Mapping[str, Any]) -> list[str]:
    """One row a kind of picture: share in scope as sent, and after the service tried to put it right."""
    rows = found["metrics"]["scope_kinds"].items()
    return table(
        ("kind", "as sent", "read"), ((k.replace("_", " "), f"{v['as_sent']:.3f}", f"{v['read']:.3f}") for k, v in rows)
    )


TABLES = {
    "groups": groups,
    "covered": covered,
    "views": views,
    "heat": heat,
    "points": points,
    "widths": widths,
    "scope": scope,
    "kinds": kinds,
}
