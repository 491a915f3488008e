"""Values that senders give otherwise than one by one: "120/80", and the Glasgow coma scale by its parts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from services.note_ingest.catalogue import quantity_of
from services.note_ingest.drafts import Code, Measurement, MeasurementStatus

# Panels of both pressures. LOINC discourages one text for two numbers; older interfaces send it all the same.
PRESSURE_PAIRS = {
    "85354-9",
    "55284-4",
    "35094-2",
    "bp",
    "nibp",
    "abp",
    "blood_pressure",
    "mdc_press_bld_noninv",
    "150020",
}
PRESSURES = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*/\s*(\d{1,3}(?:\.\d+)?)(?:\s*mm\s?\[?hg\]?)?", re.IGNORECASE)
SBP, DBP, GCS = Code("8480-6", "LN"), Code("8462-4", "LN"), Code("9269-2", "LN")
GCS_PARTS = ("gcs_eye", "gcs_verbal", "gcs_motor")  # Teasdale and Jennett 1974
SUMMED = "sum"  # keeps the sum's id apart from that of a total which the sender gives later


def one_by_one(sent: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """The measurements with pairs of pressures split, and the total of each complete set of coma scale parts."""
    split = [part for measurement in sent for part in _pressures(measurement)]
    return (*split, *_totals(split))


def _pressures(sent: Measurement) -> tuple[Measurement, ...]:
    if not any(code.code.lower().replace(" ", "_") in PRESSURE_PAIRS for code in sent.codes):
        return (sent,)
    if sent.status is MeasurementStatus.WITHDRAWN:
        return replace(sent, codes=(SBP,)), replace(sent, codes=(DBP,))
    found = PRESSURES.fullmatch(sent.text.strip())
    if sent.value is not None or found is None:
        return (sent,)
    pair = zip((SBP, DBP), found.groups(), strict=True)
    return tuple(replace(sent, codes=(code,), value=float(number), text="") for code, number in pair)


def _totals(sent: Sequence[Measurement]) -> Iterator[Measurement]:
    """One for each moment with all parts and no total; withdrawn with any of its parts."""
    by_moment: dict[datetime, dict[str, Measurement]] = {}
    for measurement in sent:
        quantity = quantity_of(measurement.codes)
        if quantity is not None and quantity.name in {"gcs", *GCS_PARTS}:
            by_moment.setdefault(measurement.event_time, {}).setdefault(quantity.name, measurement)
    for scored in by_moment.values():
        parts = [scored[name] for name in GCS_PARTS if name in scored]
        if "gcs" not in scored and parts:
            yield from _total(parts)


def _total(parts: Sequence[Measurement]) -> Iterator[Measurement]:
    statuses = {part.status for part in parts}
    total = replace(parts[0], codes=(GCS,), value=None, text="", instance_id="", sub_id=SUMMED)
    if MeasurementStatus.WITHDRAWN in statuses:
        yield replace(total, status=MeasurementStatus.WITHDRAWN)
    elif len(parts) == len(GCS_PARTS) and all(_possible(part) for part in parts):
        corrected = MeasurementStatus.CORRECTED
        status = corrected if corrected in statuses else MeasurementStatus.FINAL
        yield replace(total, value=sum(part.value or 0.0 for part in parts), status=status)


def _possible(part: Measurement) -> bool:
    quantity = quantity_of(part.codes)
    if quantity is None or part.value is None or part.comparator:
        return False
    return quantity.low <= part.value <= quantity.high
