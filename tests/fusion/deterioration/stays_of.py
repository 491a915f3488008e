"""Small stays for the tests, made up or from the public data beside the checkout."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import isnan
from pathlib import Path
from random import Random

import pyarrow.parquet

from services.fusion.deterioration.stay import Observed, Stay, with_observation, with_observations

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
NO_DATA = f"the public data are not at {DATA}"
STATIC_2019 = frozenset({"Age", "Gender", "Unit1", "Unit2", "HospAdmTime"})  # said of every hour, and the same


def observed(rows: Sequence[tuple[float, str, float]]) -> list[Observed]:
    """Observations with ids of their own, in the order given."""
    return [Observed(name, minute, value, f"o{at}") for at, (minute, name, value) in enumerate(rows)]


def stay_of(*rows: tuple[float, str, float], age: float = 70) -> Stay:
    return with_observations(Stay(age=age), observed(rows))


def made_up(seed: int, hours: int = 48) -> list[Observed]:
    """A day or more of an adult's vital signs and laboratory values, some of them impossible, some at one minute."""
    random = Random(seed)  # noqa: S311 - seeded, not secret
    ranges = {
        "heart_rate": (60, 130), "sbp": (80, 160), "dbp": (40, 90), "resp_rate": (10, 35), "temperature": (35, 40),
        "spo2": (85, 100), "gcs": (3, 15), "lactate": (0.5, 9), "creatinine": (0.4, 5), "bun": (5, 90),
        "platelets": (20, 400), "fio2": (0.21, 1), "pao2": (55, 300), "urine_output": (0, 300), "wbc": (1, 30),
        "mech_vent": (0, 1), "map": (-10, 120), "SysABP": (0, 200), "Mg": (1, 3),
    }  # fmt: skip
    rows: list[tuple[float, str, float]] = [(0, "Age", 71), (0, "Gender", 1), (0, "Weight", 80), (0, "Height", 172)]
    for name, (low, high) in ranges.items():
        rows += [
            (random.randint(0, 60 * hours), name, round(random.uniform(low, high), 2))
            for _ in range(random.randint(0, 30))
        ]
    return observed(rows)


def shuffled(stay: Sequence[Observed], seed: int) -> Iterator[Observed]:
    again = list(stay)
    Random(seed).shuffle(again)  # noqa: S311 - seeded, not secret
    yield from again


@lru_cache
def real_stays(count: int) -> Mapping[int, list[Observed]]:
    """Stays of the 2012 challenge drawn at random, by record."""
    table = pyarrow.parquet.read_table(DATA / "icu2012" / "set_a.parquet").to_pydict()
    drawn = set(Random(20261128).sample(sorted(set(table["record_id"])), count))  # noqa: S311 - seeded, not secret
    stays: dict[int, list[Observed]] = {record: [] for record in sorted(drawn)}
    columns = (table[name] for name in ("record_id", "minute", "parameter", "value"))
    for at, (record, minute, name, value) in enumerate(zip(*columns, strict=True)):
        if record in drawn:
            stays[record].append(Observed(name, minute, value, f"o{at}"))
    return stays


@lru_cache
def real_stays_2019(count: int) -> Mapping[int, list[Observed]]:
    """Stays of the 2019 challenge drawn at random, by patient; an hour's values stand at its end, as in training."""
    table = pyarrow.parquet.read_table(DATA / "sepsis2019" / "train.parquet").to_pydict()
    drawn = set(Random(20261128).sample(sorted(set(table["patient"])), count))  # noqa: S311 - seeded, not secret
    stays: dict[int, list[Observed]] = {int(patient.lstrip("p")): [] for patient in sorted(drawn)}
    columns = [name for name in table if name not in {"patient", "hour", "ICULOS", "SepsisLabel"}]
    for at, (patient, hour) in enumerate(zip(table["patient"], table["ICULOS"], strict=True)):
        if patient in drawn:
            stay = stays[int(patient.lstrip("p"))]
            read = ((name, table[name][at]) for name in columns if not stay or name not in STATIC_2019)
            stay += [
                Observed(name, 60 * hour, value, f"{name}.{hour}")
                for name, value in read
                if value is not None and not isnan(value)
            ]
    return stays


def streamed(observations: list[Observed], seed: int) -> Stay:
    """A stay that is given its observations one at a time, in some order."""
    stay = Stay()
    for one in shuffled(observations, seed):
        stay = with_observation(stay, one)
    return stay
