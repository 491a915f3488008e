"""Whether the patients of today are still those of training: bins of the newest live rows, as metrics."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from services.fusion import metrics
from services.fusion.deterioration.drift import Bins, stability
from services.fusion.models import Floats, RiskModel

ROWS_KEPT = 2000
FEWEST_ROWS = 200  # an index of fewer is chance


@dataclass(slots=True)
class _Window:
    """Counts in bins over the newest rows. edges: [columns, most edges], padded with infinity."""

    bins: Sequence[Bins]
    edges: NDArray[np.float64] = field(init=False)
    missing: NDArray[np.intp] = field(init=False)
    counts: NDArray[np.int64] = field(init=False)
    rows: deque[NDArray[np.uint8]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        most = max(len(one.edges) for one in self.bins)
        self.edges = np.full((len(self.bins), most), np.inf)
        for row, one in zip(self.edges, self.bins, strict=True):
            row[: len(one.edges)] = one.edges
        self.missing = np.array([len(one.edges) + 1 for one in self.bins])
        self.counts = np.zeros((len(self.bins), most + 2), np.int64)

    def take(self, values: Floats) -> None:
        """values: [columns]."""
        bins = np.where(np.isnan(values), self.missing, (self.edges < values[:, None]).sum(axis=1)).astype(np.uint8)
        self.counts[np.arange(len(bins)), bins] += 1
        self.rows.append(bins)
        if len(self.rows) > ROWS_KEPT:
            self.counts[np.arange(len(bins)), self.rows.popleft()] -= 1

    def stability(self, column: int) -> float:
        """PSI of a column; NaN while there are too few rows."""
        if len(self.rows) < FEWEST_ROWS:
            return float("nan")
        shares = self.bins[column].shares
        return stability(shares, self.counts[column, : len(shares)])


class Drift:
    """Of one model. Each patient counts as often as it is scored: it watches a ward, not a cohort."""

    def __init__(self, model: RiskModel) -> None:
        self._columns = [model.features.index(name) for name in model.bins]
        self._places = {name: place for place, name in enumerate(model.bins)}
        self._features = _Window(list(model.bins.values()))
        self._score = _Window([model.score_bins])

    def take(self, row: Floats, probability: float) -> None:
        """row: [features]."""
        self._features.take(row[self._columns])
        self._score.take(np.array([probability], np.float32))

    def score(self) -> float:
        """PSI of the probability; NaN while there are too few rows."""
        return self._score.stability(0)

    def feature(self, name: str) -> float:
        """PSI of a feature, e.g. "lactate.last"; NaN while there are too few rows."""
        return self._features.stability(self._places[name])


def watched(models: Sequence[RiskModel]) -> list[Drift]:
    """A monitor a model, which the metrics read when they are asked for."""
    monitors = [Drift(model) for model in models]
    for model, drift in zip(models, monitors, strict=True):
        metrics.SCORE_STABILITY.labels(model.name).set_function(drift.score)
        for name in model.bins:
            metrics.FEATURE_STABILITY.labels(model.name, name).set_function(partial(drift.feature, name))
    return monitors
