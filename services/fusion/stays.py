"""A patient's record as the stay that the models read. Pure."""

from itertools import repeat
from math import isnan, nan

from vigil.v1.encounters_pb2 import Encounter, Sex

from services.fusion.deterioration.stay import Series, Stay
from services.fusion.deterioration.variables import unit_type
from services.fusion.earlier import usable
from services.fusion.state import PatientRecord, microseconds
from services.fusion.vitals import MICROSECONDS

MINUTE = 60 * MICROSECONDS
# What was measured in the emergency department belongs to the stay; what the last stay left behind does not.
BEFORE_ADMISSION = 6 * 60 * MINUTE
_SEXES = {Sex.SEX_MALE: 1.0, Sex.SEX_FEMALE: 0.0}

_Rows = list[tuple[float, float, str]]


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

    What claims a later time is not part of it: a wrong clock must not push out what was measured.
    """
    origin = began(record, known)
    rows: dict[str, _Rows] = {}
    for name, values in record.earlier.items():
        minutes = ((at - origin) / MINUTE for at in values.at)
        rows[name] = [row for row in zip(minutes, values.values, repeat("")) if not isnan(row[1])]
    for held in record.observations.values():
        taken = usable(held.measured)
        if taken is not None and not isnan(taken[1]):
            at = (held.measured.at - origin) / MINUTE
            rows.setdefault(taken[0], []).append((at, taken[1], held.measured.observation_id))
    last, first = (record.as_of - origin) / MINUTE, -BEFORE_ADMISSION / MINUTE
    series = {name: _series([row for row in of_name if first <= row[0] <= last]) for name, of_name in rows.items()}
    return Stay(
        age=float(known.age_years) if known.HasField("age_years") else nan,
        sex=_SEXES.get(known.sex, nan),
        unit=unit_type(known.ward),
        series=series,
        newest=max((one.minutes[-1] for one in series.values() if one.minutes), default=nan),
    )


def _series(rows: _Rows) -> Series:
    if not rows:
        return Series()
    minutes, values, ids = zip(*sorted(rows), strict=True)
    return Series(minutes, values, ids)
