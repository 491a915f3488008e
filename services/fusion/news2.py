"""National Early Warning Score 2: Royal College of Physicians, 2017."""

from math import inf

from services.fusion.scores import (
    Bands,
    BedsideScore,
    Part,
    Person,
    banded,
    breathes_oxygen,
    consciousness,
    is_alert,
    oxygen,
    points,
    rounded,
    total_of,
)
from services.fusion.vitals import Inputs, Lack, Measured

NAME = "news2"

RESPIRATIONS: Bands = ((8, 3), (11, 1), (20, 0), (24, 2), (inf, 3))
SPO2_SCALE_1: Bands = ((91, 3), (93, 2), (95, 1), (inf, 0))
# Scale 2: hypercapnic respiratory failure with a prescribed target of 88 to 92 %.
SPO2_SCALE_2_ON_AIR: Bands = ((83, 3), (85, 2), (87, 1), (inf, 0))
SPO2_SCALE_2_ON_OXYGEN: Bands = ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (inf, 3))
SYSTOLIC: Bands = ((90, 3), (100, 2), (110, 1), (219, 0), (inf, 3))
PULSE: Bands = ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (inf, 3))
TEMPERATURE: Bands = ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (inf, 2))
ON_OXYGEN = 2
NOT_ALERT = 3
SCALE_2 = 2

HIGH = 7
MEDIUM = 5
RED = 3  # in a single parameter: urgent ward review


def news2(inputs: Inputs, person: Person) -> BedsideScore:
    """NEWS2 of the newest measurements that are not stale. Abstains under 16 years and in pregnancy."""
    abstained = person.out_of_scope()
    if abstained:
        return BedsideScore(NAME, abstained=abstained)
    breathing = oxygen(inputs)
    parts = (
        banded(inputs, "resp_rate", RESPIRATIONS),
        _saturation(inputs, breathing),
        _oxygen(breathing),
        banded(inputs, "sbp", SYSTOLIC),
        banded(inputs, "heart_rate", PULSE),
        _consciousness(inputs),
        banded(inputs, "temperature", TEMPERATURE, decimals=1),
    )
    total, highest = total_of(parts)
    return BedsideScore(NAME, total, total, highest + _hidden_by_oxygen(inputs, breathing), _band(total, parts), parts)


def uses_scale_2(inputs: Inputs) -> bool:
    """Whether the low target saturation is prescribed. A prescription stands until another replaces it."""
    prescribed = inputs.newest("spo2_scale")
    return prescribed is not None and prescribed.value == SCALE_2


def _saturation(inputs: Inputs, breathing: Measured | Lack) -> Part:
    if not uses_scale_2(inputs):
        return banded(inputs, "spo2", SPO2_SCALE_1)
    on_oxygen = isinstance(breathing, Measured) and breathes_oxygen(breathing)
    return banded(inputs, "spo2", SPO2_SCALE_2_ON_OXYGEN if on_oxygen else SPO2_SCALE_2_ON_AIR)


def _hidden_by_oxygen(inputs: Inputs, breathing: Measured | Lack) -> int:
    """On scale 2 a high saturation scores only on oxygen: the points it may have when nobody says which."""
    saturation = inputs.fresh("spo2")
    if isinstance(breathing, Measured) or isinstance(saturation, Lack) or not uses_scale_2(inputs):
        return 0
    value = rounded(saturation.value)
    return points(value, SPO2_SCALE_2_ON_OXYGEN) - points(value, SPO2_SCALE_2_ON_AIR)


def _oxygen(breathing: Measured | Lack) -> Part:
    if isinstance(breathing, Lack):
        return Part("oxygen", 0, ON_OXYGEN, lack=breathing)
    return Part("oxygen", ON_OXYGEN if breathes_oxygen(breathing) else 0, ON_OXYGEN, breathing)


def _consciousness(inputs: Inputs) -> Part:
    found = consciousness(inputs)
    if isinstance(found, Lack):
        return Part("consciousness", 0, NOT_ALERT, lack=found)
    return Part("consciousness", 0 if is_alert(found) else NOT_ALERT, NOT_ALERT, found)


def _band(total: int, parts: tuple[Part, ...]) -> str:
    if total >= HIGH:
        return "high"
    if total >= MEDIUM:
        return "medium"
    return "low_medium" if any(part.points >= RED for part in parts) else "low"
