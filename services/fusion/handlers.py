"""One message in, the patient's new state and risk out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from vigil.v1.encounters_pb2 import EncounterStatus
from vigil.v1.risk_pb2 import PatientRisk

from services.common.bus import Publish, Received
from services.common.clock import Clock, utc_now
from services.common.meta import derived_meta
from services.common.metrics import observe_stage
from services.common.outcomes import Invalid
from services.common.stateful import States
from services.common.topics import Topic
from services.fusion import metrics
from services.fusion.risk import Judging, judge
from services.fusion.state import Input, Limits, PatientRecord, stay, take_in

ENDED = frozenset({EncounterStatus.ENCOUNTER_STATUS_DISCHARGED, EncounterStatus.ENCOUNTER_STATUS_CANCELLED})


@dataclass(frozen=True, slots=True)
class Fusion:
    """What handling needs besides the message and the states."""

    limits: Limits = field(default_factory=Limits)
    judging: Judging = field(default_factory=Judging)
    clock: Clock = utc_now

    async def handle(self, received: Received, states: States[PatientRecord]) -> Sequence[Publish]:
        """Take one input in and publish the patient's risk; nothing for one that was taken in before.

        Raises Invalid for a message without id or patient key.
        """
        message: Input = received.message
        key = message.meta.patient_key
        if not key or not message.meta.message_id:
            raise Invalid("the message has no id or no patient key")
        before = states.get(key) or PatientRecord(key)
        after, risk = fused(before, message, self)
        if risk is None:
            metrics.INPUTS.labels(received.topic, "repeated").inc()
            return []
        states.put(key, after)
        _count(received.topic, risk)
        observe_stage("fused", risk.meta, self.clock)
        return [Publish(to=Topic.PATIENT_RISK, key=key, message=risk)]


def fused(before: PatientRecord, message: Input, fusion: Fusion) -> tuple[PatientRecord, PatientRisk | None]:
    """The record after `message` with the risk that follows; None and the same record for a repeat."""
    after = take_in(before, message, fusion.limits)
    if after is before:
        return before, None
    meta = derived_meta(message.meta, "risk", fusion.clock, revision=after.revision)
    meta.encounter_key = meta.encounter_key or _known_stay(after)
    risk = judge(after, meta, message.meta.message_id, fusion.judging)
    return after.with_risk(risk), risk


def _known_stay(record: PatientRecord) -> str:
    """Key of the stay that movements tell of; where they name none, of the one that the last risk was about.

    Many messages name no visit (results without PV1-19, images without AdmissionID): they are about the same stay,
    unless it ended.
    """
    known = stay(record.movements)
    if known is not None and known.meta.encounter_key:
        return known.meta.encounter_key
    return "" if record.risk.encounter_status in ENDED else record.risk.meta.encounter_key


def _count(topic: Topic, risk: PatientRisk) -> None:
    metrics.INPUTS.labels(topic, "taken").inc()
    for score in risk.scores:
        if score.partial:
            metrics.PARTIAL.labels(score.name).inc()
    metrics.RISKS.labels(risk.scores[0].band or "abstained").inc()
    for syndrome in risk.syndromes:
        metrics.SYNDROMES.labels(syndrome.name).inc()
    for finding in risk.critical_findings:
        metrics.CRITICAL_FINDINGS.labels(finding.label).inc()
