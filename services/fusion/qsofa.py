"""Quick SOFA: Sepsis-3, Singer et al., JAMA 2016;315:801. For adults."""

from collections.abc import Callable

from services.fusion.scores import BedsideScore, Part, Person, consciousness, is_alert, total_of
from services.fusion.vitals import Inputs, Lack, Measured

NAME = "qsofa"
RESPIRATIONS_FROM = 22  # /min
SYSTOLIC_UP_TO = 100  # mm[Hg]
POSITIVE = 2


def qsofa(inputs: Inputs, person: Person) -> BedsideScore:
    """One point each for respirations of 22 or more, a systolic of 100 or less, and a GCS under 15 (or AVPU not alert).

    Its limits hold for the values as measured; only NEWS2 states a precision. Abstains where NEWS2 does.
    """
    abstained = person.out_of_scope()
    if abstained:
        return BedsideScore(NAME, abstained=abstained)
    parts = (
        _limit(inputs, "resp_rate", lambda value: value >= RESPIRATIONS_FROM),
        _limit(inputs, "sbp", lambda value: value <= SYSTOLIC_UP_TO),
        _consciousness(inputs),
    )
    total, highest = total_of(parts)
    return BedsideScore(NAME, total, total, highest, "positive" if total >= POSITIVE else "negative", parts)


def _limit(inputs: Inputs, name: str, abnormal: Callable[[float], bool]) -> Part:
    found = inputs.fresh(name)
    if isinstance(found, Lack):
        return Part(name, 0, 1, lack=found)
    return Part(name, int(abnormal(found.value)), 1, found)


def _consciousness(inputs: Inputs) -> Part:
    """The newer of GCS and AVPU; of two of one time GCS, which the criterion is defined by."""
    coma, newer = inputs.fresh("gcs"), consciousness(inputs)
    found = coma if isinstance(coma, Measured) and isinstance(newer, Measured) and coma.at >= newer.at else newer
    if isinstance(found, Lack):
        return Part("consciousness", 0, 1, lack=found)
    return Part("consciousness", int(not is_alert(found)), 1, found)
