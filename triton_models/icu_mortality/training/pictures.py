"""Plot 40 stays to look at: vital signs, laboratory values, both risks and the bedside scores, hour by hour.

Ten of each kind of right and wrong, half of them judged for dying (2012, out of fold at the reported hours), half for
sepsis (2019, out of fold). The other model's risk is that of the model as shipped, which saw none of these patients.
Writes sheets of five stays to var/risk/stays. Run by `make look-at-stays` after both models are trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import onnxruntime
import pandas as pd
import rows
from numpy.typing import NDArray

from services.fusion.deterioration.features import FEATURES_MORTALITY, vector_mortality, vector_sepsis
from services.fusion.deterioration.scope import SCOPES
from services.fusion.deterioration.stay import EMPTY, Stay, with_observations

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

MODELS = rows.REPOSITORY / "triton_models"
OUT = rows.CACHE / "stays"
EACH = 5
KINDS = ("caught", "false alarm", "missed", "rightly quiet")
VITALS = {"heart_rate": "C3", "sbp": "C0", "map": "C9", "resp_rate": "C2", "spo2": "C4"}
LABORATORY = {"lactate": "C3", "creatinine": "C1", "wbc": "C2", "bilirubin": "C8", "temperature": "C5", "gcs": "C7"}
SCORES = {"news2.last": "C0", "sofa.worst24": "C1", "qsofa.last": "C2"}
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """A stay to plot. own: minutes and out-of-fold risk of the model it is judged by. event: minute of onset or NaN."""

    title: str
    stay: Stay
    last: int
    own: tuple[Floats, Floats]
    event: float
    model: str


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for model, chosen in (("icu_mortality", _of_mortality()), ("sepsis_onset", _of_sepsis())):
        sheets: dict[str, list[Seen]] = {kind: [] for kind in KINDS}
        for kind, seen in chosen:
            sheets[kind].append(seen)
        for kind, stays in sheets.items():
            _sheet(OUT / f"{model}-{kind.replace(' ', '-')}.png", stays)
    print(OUT)


def _drawn(kinds: NDArray[np.int64]) -> dict[int, int]:
    """Position to kind, EACH of every kind, at random."""
    rng = np.random.default_rng(rows.SEED)
    return {int(at): kind for kind in range(4) for at in rng.permutation(np.flatnonzero(kinds == kind))[:EACH]}


def _training(model: str) -> Any:
    """The module that trains it; both are called train."""
    spec = spec_from_file_location(f"train_{model}", MODELS / model / "training" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _of_mortality() -> Iterator[tuple[str, Seen]]:
    train = _training("icu_mortality")
    held = rows.mortality()
    found = train.out_of_fold("mortality", train.task_of(held), train.RECIPE, train.HALVES)
    said = train.calibrated(held, found, found.whole.blended(train.RECIPE.trees_part))
    threshold = train.operating_points(held, said)[0]["log_odds"]
    last = train.at_hour(held, 48)
    alarm, died = said[last] >= threshold, held.label[last] > 0
    kinds = np.select([alarm & died, alarm & ~died, ~alarm & died], [0, 1, 2], 3)
    wanted = {int(held.patient[last][at]): kind for at, kind in _drawn(kinds).items()}
    for record, stay in rows.stays_2012():
        if record in wanted:
            mine = np.flatnonzero(held.patient == record)
            mine = mine[np.argsort(held.minute[mine], kind="stable")]
            own = held.minute[mine].astype(float), 1 / (1 + np.exp(-said[mine]))
            title = f"{record}: {'died' if held.label[mine[0]] else 'survived'}"
            yield KINDS[wanted[record]], Seen(title, stay, 2880, own, float("nan"), "icu_mortality")


def _of_sepsis() -> Iterator[tuple[str, Seen]]:
    train = _training("sepsis_onset")
    held = rows.sepsis()
    worth = train.utility.table(held.patient, held.label)
    found = train.out_of_fold("sepsis", train.task_of(held), train.RECIPE, train.RECIPE)
    said = train.calibrated(held, found, found.whole.trees)
    alarm = train.cross_threshold(said, worth, found.fold)
    patients, starts = np.unique(held.patient, return_index=True)
    septic = np.maximum.reduceat(held.label, starts) > 0
    any_alarm = np.maximum.reduceat(alarm, starts)
    in_time = np.maximum.reduceat(alarm & (worth[0] > worth[1]), starts)
    kinds = np.select([septic & in_time, ~septic & any_alarm, septic & ~in_time], [0, 1, 2], 3)
    wanted = {int(patients[at]): kind for at, kind in _drawn(kinds).items()}
    onset = dict(zip(patients.tolist(), train.onsets(held).tolist(), strict=True))
    for patient, hour, stay in _stays_2019(set(wanted)):
        mine = held.patient == patient
        own = held.minute[mine].astype(float), 1 / (1 + np.exp(-said[mine]))
        title = f"p{patient}: {'sepsis' if onset[patient] == onset[patient] else 'no sepsis'}"
        yield KINDS[wanted[patient]], Seen(title, stay, 60 * hour, own, onset[patient], "sepsis_onset")


def _stays_2019(wanted: set[int]) -> Iterator[tuple[int, int, Stay]]:
    """Patient, last hour, and the stay as it was known then."""
    table = pd.read_parquet(rows.DATA / "sepsis2019" / "train.parquet")
    number = table.patient.str.lstrip("p").astype(int)
    for patient, group in table[number.isin(wanted)].groupby(number, sort=True):
        hours, values = group.ICULOS.astype(int).tolist(), group[rows.COLUMNS_2019].to_numpy(np.float64)
        observed = (one for at, hour in enumerate(hours) for one in rows._hour(values[at], hour, first=at == 0))  # noqa: SLF001
        yield int(patient), hours[-1], with_observations(Stay(), observed)


def _sheet(path: Path, stays: list[Seen]) -> None:
    figure, axes = plt.subplots(4, len(stays), figsize=(4.2 * len(stays), 10), squeeze=False)
    for at, seen in enumerate(stays):
        _column(axes[:, at], seen)
    figure.suptitle(path.stem.replace("-", " "))
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    plt.close(figure)


def _column(axes: NDArray[np.object_], seen: Seen) -> None:
    _measured(axes[0], seen, VITALS)
    _measured(axes[1], seen, LABORATORY)
    axes[0].set_title(f"{seen.title}; {_person(seen.stay)}", fontsize=9)
    axes[1].set_yscale("symlog", linthresh=1)
    hours = np.arange(1, seen.last // 60 + 1)
    first = max(hours[-1] - 72, 0)
    hours = hours[hours > first]
    _risks(axes[2], seen, hours)
    rows_ = np.stack([vector_mortality(seen.stay, 60.0 * hour) for hour in hours])
    for name, colour in SCORES.items():
        axes[3].step(hours, rows_[:, FEATURES_MORTALITY.index(name)], color=colour, where="post", label=name)
    axes[3].axhline(7, color="C0", linewidth=0.5, linestyle=":")
    for axis in axes:
        axis.set_xlim(first, hours[-1] + 1)
        axis.axvline(seen.event / 60, color="black", linestyle="--")
        axis.legend(fontsize=5, loc="best", framealpha=0.3)


def _person(stay: Stay) -> str:
    named = {name: stay.series.get(name, EMPTY) for name in ("age", "sex", "icu_type")}
    return ", ".join(f"{name} {one.values[-1]:.0f}" for name, one in named.items() if one.ids)  # noqa: PD011


def _measured(axis: Axes, seen: Seen, names: Mapping[str, str]) -> None:
    for name, colour in names.items():
        series = seen.stay.series.get(name, EMPTY)
        axis.plot(
            np.array(series.minutes) / 60, series.values, ".-", color=colour, linewidth=0.7, markersize=2, label=name
        )


def _risks(axis: Axes, seen: Seen, hours: NDArray[np.int64]) -> None:
    """Log scale. The model that the stay is judged by out of fold, the other one as shipped."""
    colours = {"icu_mortality": "C3", "sepsis_onset": "C0"}
    axis.plot(seen.own[0] / 60, seen.own[1], ".-", color=colours[seen.model], label=f"{seen.model}, out of fold")
    other = "sepsis_onset" if seen.model == "icu_mortality" else "icu_mortality"
    vector = vector_sepsis if other == "sepsis_onset" else vector_mortality
    within = hours[60 * hours <= SCOPES[other].last]
    if len(within):
        x = np.stack([vector(seen.stay, 60.0 * hour) for hour in within])
        session = onnxruntime.InferenceSession(str(MODELS / other / "1" / "model.onnx"))
        said, low, high = (out[:, 0] for out in session.run(None, {"features": x}))
        axis.plot(within, said, color=colours[other], label=other)
        axis.fill_between(within, low, high, color=colours[other], alpha=0.2)
    axis.set_yscale("log")
    axis.set_ylim(0.002, 1)


if __name__ == "__main__":
    main()
