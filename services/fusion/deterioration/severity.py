"""Points of bedside scores from what is known, as inputs of the models: nothing missing is assumed, it gives no points.

These are not the scores that are shown to people (`services/fusion/news2.py` and its neighbours judge staleness and say
what is missing); the models read them because they say in one number what trees would need many splits for. Sources:
NEWS2, Royal College of Physicians 2017; qSOFA and SOFA, Singer et al., JAMA 2016;315:801; SIRS, Bone et al., Chest
1992;101:1644; SAPS, Le Gall et al., Crit Care Med 1984;12:975.
"""

from bisect import bisect_right
from collections.abc import Mapping
from math import isnan

# Rising lower limits, and the points below the first, from the first on, from the second on ...
Steps = tuple[tuple[float, ...], tuple[int, ...]]

NEWS2: Mapping[str, Steps] = {
    "resp_rate": ((8.5, 11.5, 20.5, 24.5), (3, 1, 0, 2, 3)),
    "spo2": ((91.5, 93.5, 95.5), (3, 2, 1, 0)),
    "sbp": ((90.5, 100.5, 110.5, 219.5), (3, 2, 1, 0, 3)),
    "heart_rate": ((40.5, 50.5, 90.5, 110.5, 130.5), (3, 1, 0, 1, 2, 3)),
    "temperature": ((35.05, 36.05, 38.05, 39.05), (3, 1, 0, 1, 2)),
    "gcs": ((14.5,), (3, 0)),
    "fio2": ((0.215,), (0, 2)),
}
QSOFA: Mapping[str, Steps] = {
    "resp_rate": ((22,), (0, 1)),
    "sbp": ((100.001,), (1, 0)),
    "gcs": ((14.5,), (1, 0)),
}
SIRS: Mapping[str, Steps] = {
    "temperature": ((36, 38.001), (1, 0, 1)),
    "heart_rate": ((90.001,), (0, 1)),
    "resp_rate": ((20.001,), (0, 1)),
    "wbc": ((4, 12.001), (1, 0, 1)),
}
SOFA: Mapping[str, Steps] = {
    "platelets": ((20, 50, 100, 150), (4, 3, 2, 1, 0)),
    "bilirubin": ((1.2, 2.0, 6.0, 12.0), (0, 1, 2, 3, 4)),
    "map": ((70,), (1, 0)),
    "gcs": ((6, 10, 13, 15), (4, 3, 2, 1, 0)),
    "creatinine": ((1.2, 2.0, 3.5, 5.0), (0, 1, 2, 3, 4)),
    "pao2_fio2": ((100, 200, 300, 400), (4, 3, 2, 1, 0)),
}
SAPS: Mapping[str, Steps] = {
    "age": ((46, 56, 66, 76), (0, 1, 2, 3, 4)),
    "heart_rate": ((40, 55, 70, 110, 140, 180), (4, 3, 2, 0, 2, 3, 4)),
    "sbp": ((55, 80, 150, 190), (4, 2, 0, 2, 4)),
    "temperature": ((30, 32, 34, 36, 38.5, 39, 41), (4, 3, 2, 1, 0, 1, 3, 4)),
    "resp_rate": ((6, 10, 12, 25, 35, 50), (4, 2, 1, 0, 1, 3, 4)),
    "urine": ((200, 500, 700, 3500, 5000), (4, 3, 2, 0, 1, 2)),
    "bun": ((10, 21, 81, 101, 154), (1, 0, 1, 2, 3, 4)),
    "haematocrit": ((20, 30, 46, 50, 60), (4, 2, 0, 1, 2, 4)),
    "wbc": ((1, 3, 15, 20, 40), (4, 2, 0, 1, 2, 4)),
    "glucose": ((29, 50, 70, 252, 500, 800), (4, 3, 2, 0, 1, 3, 4)),
    "potassium": ((2.5, 3.0, 3.5, 5.5, 6.0, 7.0), (4, 2, 1, 0, 1, 3, 4)),
    "sodium": ((110, 120, 130, 151, 156, 161, 180), (4, 3, 2, 0, 1, 2, 3, 4)),
    "bicarbonate": ((5, 10, 20, 30, 40), (4, 3, 1, 0, 1, 3)),
    "gcs": ((4, 7, 10, 13), (4, 3, 2, 1, 0)),
}

Bounds = Mapping[str, tuple[float, float]]


def points(value: float, steps: Steps) -> int:
    """Points of one value; 0 for NaN."""
    return 0 if isnan(value) else steps[1][bisect_right(steps[0], value)]


def total(tables: Mapping[str, Steps], bounds: Bounds) -> float:
    """Sum over the tables of the worse of each pair of lowest and highest value; names not in `bounds` give nothing."""
    worse = 0
    for name, steps in tables.items():
        pair = bounds.get(name)
        if pair is not None:
            low, high = pair
            worse += points(low, steps) if low == high else max(points(low, steps), points(high, steps))
    return float(worse)
