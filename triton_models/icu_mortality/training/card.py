"""The tables of MODEL_CARD.md, from metrics.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docs.tables import fill, table

Metrics = Mapping[str, Any]


def write_tables(folder: Path) -> None:
    """Put each table between its markers in the card."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    path = folder / "MODEL_CARD.md"
    card = path.read_text(encoding="utf-8")
    fill(path, {name: make(metrics) for name, make in TABLES.items() if f"<!-- {name} -->" in card})


def with_interval(found: Metrics, name: str) -> str:
    """As "0.881 (0.870 to 0.891)"; a dash where there were too few."""
    if name not in found:
        return "-"
    low, high = found[f"{name}_95"]
    return f"{found[name]:.3f} ({low:.3f} to {high:.3f})"


def by_hour(metrics: Metrics) -> list[str]:
    header = ("hour", "AUROC (95 %)", "AUPRC (95 %)", "Score 1", "ECE", "ECE of chance, 95 %", "Brier", "no answer")
    return table(
        header,
        (
            (
                hour,
                with_interval(one, "auroc"),
                with_interval(one, "auprc"),
                f"{one['score1']:.3f}",
                f"{one['ece']:.4f}",
                f"{one['ece_of_chance_95']:.4f}",
                f"{one['brier']:.4f}",
                f"{100 * metrics['abstained'][hour]:.1f} %",
            )
            for hour, one in metrics["by_hour"].items()
        ),
    )


def groups(key: str) -> Callable[[Metrics], list[str]]:
    def make(metrics: Metrics) -> list[str]:
        header = ("group", "rows", "events", "AUROC (95 %)", "AUPRC (95 %)", "ECE", "ECE of chance, 95 %")
        return table(
            header,
            (
                (name, one["rows"], one["events"], with_interval(one, "auroc"), with_interval(one, "auprc"),
                 f"{one['ece']:.4f}", f"{one['ece_of_chance_95']:.4f}")
                for name, one in metrics[key].items()
            ),
        )  # fmt: skip

    return make


def classics(metrics: Metrics) -> list[str]:
    found = metrics["classics"]
    names = list(dict.fromkeys(name for hour in found.values() for name in hour))
    header = ("", *(f"AUROC, {hour} h" if hour.isdigit() else hour for hour in found), "AUPRC, last column's rows")
    last = list(found.values())[-1]
    return table(
        header,
        (
            (name, *(with_interval(hour.get(name, {}), "auroc") for hour in found.values()),
             with_interval(last.get(name, {}), "auprc"))
            for name in names
        ),
    )  # fmt: skip


def alarms(metrics: Metrics) -> list[str]:
    found = metrics["alarms_at_equal_sensitivity"]
    extra = [key for key in next(iter(found.values())) if key.startswith("median")]
    header = ("", "threshold", "patients caught", "alerts for 100 patient-days", "share of time in alarm",
              *(key.replace("_", " ") for key in extra))  # fmt: skip
    return table(
        header,
        (
            (name, one["threshold"], one["sensitivity_of_patients"], one["alerts_per_100_patient_days"],
             one["hours_in_alarm_share"], *(one[key] for key in extra))
            for name, one in found.items()
        ),
    )  # fmt: skip


def decisions(metrics: Metrics) -> list[str]:
    key = next(name for name in metrics if name.startswith("decision_curve"))
    lines = metrics[key]
    header = [name for name in lines[0] if name != "at"]
    return table(("threshold", *header), ((line["at"], *(line[name] for name in header)) for line in lines))


def parts(metrics: Metrics) -> list[str]:
    key = next(name for name in metrics if name.startswith("parts"))
    lines = metrics[key]
    header = list(next(iter(lines.values())))
    return table(("weight", *header), ((name, *one.values()) for name, one in lines.items()))


def reliability(metrics: Metrics) -> list[str]:
    key = next(iter(reversed(metrics["by_hour"])))
    lines = metrics["by_hour"][key]["reliability"]
    return table(("rows", "said", "true"), ((one["rows"], one["said"], one["true"]) for one in lines))


def beside(metrics: Metrics) -> list[str]:
    """Of sepsis_onset: discrimination and utility of the model, its variant without the clock, and the classics."""
    found = {**metrics["beside"]}
    own = found.pop("sepsis_onset")
    lines = {"sepsis_onset": own, "without the clock": metrics["without_the_clock"], **found}
    header = ("", "AUROC (95 %)", "AUPRC", "utility (95 %)")
    return table(
        header,
        (
            (name, with_interval(one, "auroc"), f"{one['auprc']:.3f}", with_interval(one, "utility"))
            for name, one in lines.items()
        ),
    )


def overall(metrics: Metrics) -> list[str]:
    found = metrics["calibration"]
    return [
        f"Over all hours: ECE {found['ece']:.4f}, where a perfectly calibrated model stays under",
        f"{found['ece_of_chance_95']:.4f} in 95 of 100 samples of these hours; Brier {found['brier']:.4f}.",
        f"Mean probability {found['mean_said']:.4f}, share of labelled hours {found['mean_true']:.4f}.",
    ]


def interval(metrics: Metrics) -> list[str]:
    """Measured coverage, and the operating point."""
    found = metrics["interval"]
    header = (
        "rows",
        "mean half width, log-odds",
        "within the adapted interval",
        "within one of the same width for all",
    )
    lines = table(
        header,
        (
            (name, one["half_width"], f"{100 * one['adapted']:.1f} %", f"{100 * one['one_for_all']:.1f} %")
            for name, one in found["covered"].items()
        ),
    )
    point = metrics["operating_points"][0]
    rates = {name: one for name, one in point.items() if isinstance(one, dict)}
    said = "; ".join(f"{name.replace('_', ' ')}: {_rates(one)}" for name, one in rates.items())
    return [
        f"Coverage asked {100 * found['asked']:.0f} %. Measured between two models from disjoint halves of the other",
        "patients, on patients that the width was not chosen on:",
        "",
        *lines,
        "",
        f"`alarm` from probability {point['probability']}: {point['reason']}. {said}.",
    ]


def _rates(one: Metrics) -> str:
    named = {"sensitivity": "sensitivity", "specificity": "specificity", "PPV": "ppv"}
    return ", ".join(f"{name} {one[key]:.3f}" for name, key in named.items())


TABLES = {
    "beside": beside,
    "overall": overall,
    "interval": interval,
    "by_hour": by_hour,
    "groups": groups("groups_at_48_h"),
    "groups_sepsis": groups("groups"),
    "classics": classics,
    "alarms": alarms,
    "decisions": decisions,
    "parts": parts,
    "reliability": reliability,
}
