"""Patients as others see them: pages of the newest risks, and the whole state of one. Reads only."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from vigil.v1.risk_pb2 import PatientRisk, PatientState, RiskEstimate

from services.common.clock import Clock
from services.common.outcomes import Transient
from services.common.stateful import States
from services.fusion.state import PatientRecord
from services.fusion.vitals import MICROSECONDS, Inputs, Staleness

DEFAULT_PAGE = 100
MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """Some patients by key. next_token: empty on the last page."""

    records: Sequence[PatientRecord]
    next_token: str


@dataclass(frozen=True, slots=True)
class Patients:
    """What the servers answer from.

    recovered: False while the states are read back after a start. `page` and `find` raise Transient then: a part
    must not pass for the whole.
    """

    states: States[PatientRecord]
    staleness: Staleness
    clock: Clock
    recovered: Callable[[], bool]

    def page(self, size: int, token: str) -> Page:
        """Up to `size` patients (0: 100, at most 500) whose keys come after `token`."""
        self._check_recovered()
        wanted = min(size or DEFAULT_PAGE, MAX_PAGE)
        keys = [key for key in self.states if key > token][: wanted + 1]
        records = [record for key in keys[:wanted] if (record := self.states.get(key)) is not None]
        return Page(records, keys[wanted - 1] if len(keys) > wanted else "")

    def find(self, key: str) -> PatientRecord | None:
        """The patient of a key."""
        self._check_recovered()
        return self.states.get(key)

    def _check_recovered(self) -> None:
        if not self.recovered():
            raise Transient("the patients are being read back after a start; ask again in a few seconds")

    def as_state(self, record: PatientRecord) -> PatientState:
        """The whole record as a message."""
        return PatientState.FromString(record.SerializeToString())

    def as_json(self, record: PatientRecord) -> dict[str, Any]:
        """The whole record, with the age of every input in seconds: at the moment of judging, and by the clock.

        as_of_age_s: how long ago the patient was judged; it grows while nothing arrives. What only the models read of
        the day before yesterday is left out.
        """
        inputs = Inputs(record.measured(), record.as_of, self.staleness)
        ages = {name: age / MICROSECONDS for name, age in inputs.ages().items()}
        since = self.clock().timestamp() - record.as_of / MICROSECONDS
        now = {name: max(0.0, age + since) for name, age in ages.items()}
        state = self.as_state(record)
        del state.earlier[:]
        return as_dict(state) | {
            "input_ages_s": ages,
            "input_ages_now_s": now,
            "as_of_age_s": max(0.0, since),
        }


def as_dict(message: Message) -> dict[str, Any]:
    """Protobuf JSON mapping with the fields' own names, also those at their default."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def summary(record: PatientRecord) -> dict[str, Any]:
    """One line of the list."""
    risk = record.risk
    return {
        "patient_key": record.patient_key,
        "ward": risk.ward,
        "bed": risk.bed,
        "as_of": risk.as_of.ToJsonString(),
        **dict(_scores(risk)),
        "risks": {estimate.name: _risk(estimate) for estimate in risk.estimates},
        "syndromes": [syndrome.name for syndrome in risk.syndromes],
        "critical_findings": [finding.label for finding in risk.critical_findings],
        "revision": record.revision,
    }


def _scores(risk: PatientRisk) -> Iterator[tuple[str, Any]]:
    """Total of each score, None where it abstains, and the band and range of NEWS2."""
    for score in risk.scores:
        yield score.name, None if score.abstained else score.total
    for score in risk.scores[:1]:
        yield "band", score.band
        yield "partial", score.partial
        yield "range", [score.lowest, score.highest]
        yield "abstained", score.abstained


def _risk(estimate: RiskEstimate) -> dict[str, Any]:
    """As `vigil risk` puts it; without numbers where the model gave none, and with the reason."""
    if not estimate.HasField("probability"):
        return {"p": None, "low": None, "high": None, "alarm": False} | {
            name: reason
            for name, reason in (("abstained", estimate.abstained), ("degraded", estimate.degraded_reason))
            if reason
        }
    return {"p": estimate.probability, "low": estimate.low, "high": estimate.high, "alarm": estimate.alarm}
