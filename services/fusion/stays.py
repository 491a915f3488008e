"""A patient's record as the stay that the models read. Pure."""

from itertools import repeat, zip_longest
from math import isnan, nan

from vigil.v1.encounters_pb2 import Encounter, Sex

from services.fusion.deterioration.stay import Series, Stay
from services.fusion.deterioration.variables import unit_type
from services.fusion.earlier import CHARTED_HOURLY, HOUR, usable
from services.fusion.state import PatientRecord, microseconds
from services.fusion.vitals import MICROSECONDS

MINUTE = 60 * MICROSECONDS
# What was measured in the emergency department belongs to the stay; what the last stay left behind does not.
BEFORE_ADMISSION = 6 * 60 * MINUTE
_SEXES = {Sex.SEX_MALE: 1.0, Sex.SEX_FEMALE: 0.0}

_Rows = list[tuple[int, float, str]]  # event time, value, observation id


def began(record: PatientRecord, known: Encounter) -> int:
    """When the stay began, microseconds since 1970: its admission, else the first results of the patient."""
    if known.HasField("admitted_at"):
        return microseconds(known.admitted_at)
    return record.first_event or record.as_of


def minute_of(record: PatientRecord, known: Encounter) -> float:
    """Minutes from the beginning of the stay to the moment at which the patient is judged."""
    return (record.as_of - began(record, known)) / MINUTE


def stay_of(record: PatientRecord, known: Encounter) -> Stay:
    """The stay as it is known at `record.as_of`. known: what is known of the encounter.

    What claims a later time is not part of it: a wrong clock must not push out what was measured. Of what is charted
    hourly the last value of each hour counts.
    """
    origin = began(record, known)
    rows: dict[str, _Rows] = {}
    for name, values in record.earlier.items():
        rows[name] = [row for row in zip(values.at, values.values, repeat("")) if not isnan(row[1])]
    for held in record.observations.values():
        taken = usable(held.measured)
        if taken is not None and not isnan(taken[1]):
            row = held.measured.at, taken[1], held.measured.observation_id
            rows.setdefault(taken[0], []).append(row)
    series = {
        name: _series([row for row in of_name if origin - BEFORE_ADMISSION <= row[0] <= record.as_of], name, origin)
        for name, of_name in rows.items()
    }
    return Stay(
        age=float(known.age_years) if known.HasField("age_years") else nan,
        sex=_SEXES.get(known.sex, nan),
        unit=unit_type(known.ward),
        series=series,
        newest=max((one.minutes[-1] for one in series.values() if one.minutes), default=nan),
    )


def _series(rows: _Rows, name: str, origin: int) -> Series:
    if not rows:
        return Series()
    rows.sort()
    if name in CHARTED_HOURLY:
        rows = [row for row, after in zip_longest(rows, rows[1:]) if after is None or after[0] // HOUR > row[0] // HOUR]
    at, values, ids = zip(*rows, strict=True)
    return Series(tuple((one - origin) / MINUTE for one in at), values, ids)
