"""One message in, the patient's new state and risk out; and once a batch what the models say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.observations_pb2 import ObservationsReceived
from vigil.v1.risk_pb2 import PatientRisk, RiskEstimate

from services.common.bus import Publish, Received
from services.common.clock import Clock, utc_now
from services.common.meta import derived_meta
from services.common.metrics import observe_stage
from services.common.outcomes import Invalid
from services.common.stateful import States
from services.common.topics import Topic
from services.fusion import metrics
from services.fusion.estimates import with_evidence, with_trend, without_number
from services.fusion.risk import Judging, judge, of_measurement
from services.fusion.scoring import Scorer
from services.fusion.state import Input, Limits, PatientRecord, present_stay, stay, take_in
from services.fusion.stays import began, minute_of, stay_of
from services.fusion.turns import Turns

ENDED = frozenset({EncounterStatus.ENCOUNTER_STATUS_DISCHARGED, EncounterStatus.ENCOUNTER_STATUS_CANCELLED})


@dataclass(frozen=True, slots=True)
class Fusion:
    """What handling needs besides the message and the states.

    scorer: None where no models are. turns: who is scored when there are more patients than time. due: keys of the
    patients of this batch whose measurements or stay changed.
    """

    limits: Limits = field(default_factory=Limits)
    judging: Judging = field(default_factory=Judging)
    clock: Clock = utc_now
    scorer: Scorer | None = None
    turns: Turns = field(default_factory=Turns)
    due: set[str] = field(default_factory=set)

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
        if isinstance(message, ObservationsReceived | Encounter):
            self.due.add(key)
        _count(received.topic, risk)
        observe_stage("fused", risk.meta, self.clock)
        return [Publish(to=Topic.PATIENT_RISK, key=key, message=risk)]

    async def complete(self, outputs: Sequence[Publish], states: States[PatientRecord]) -> Sequence[Publish]:
        """Ask the models about the patients of a batch whose measurements changed, all at once; see `Stateful`.

        The newest risk of each gets the answers. Those before it, which it replaces at once, keep what was said before;
        so do the risks of patients who have no turn.
        """
        due = self.turns.of(self.due)
        self.due.clear()
        if self.scorer is None or not due:
            return outputs
        with self.turns.taken(due):
            return await self._scored(due, self.scorer, outputs, states)

    async def _scored(
        self, due: Sequence[str], scorer: Scorer, outputs: Sequence[Publish], states: States[PatientRecord]
    ) -> Sequence[Publish]:
        records = [record for key in due if (record := states.get(key)) is not None]
        known = [present_stay(record) for record in records]
        stays = [(stay_of(*of), minute_of(*of)) for of in zip(records, known, strict=True)]
        newest = {}
        for record, of, made in zip(records, known, await scorer.estimates(stays), strict=True):
            risk = _with_estimates(record, began(record, of), made)
            states.put(record.patient_key, record.with_risk(risk))
            newest[risk.meta.message_id] = risk
        return [_replaced(output, newest) for output in outputs]


def _with_estimates(record: PatientRecord, since: int, made: Sequence[RiskEstimate]) -> PatientRisk:
    """since: when the stay began; nothing of the one before is part of a trend."""
    before = {estimate.name: estimate.trend for estimate in record.risk.estimates}
    measured = {one.observation_id: one for one in record.measured()}
    risk = PatientRisk()
    risk.CopyFrom(record.risk)
    del risk.estimates[:]
    for estimate in made:
        shown = without_number(estimate) if estimate.abstained else estimate
        with_evidence(shown, lambda name: of_measurement(measured[name]) if name in measured else None)
        risk.estimates.append(with_trend(shown, record.as_of, since, before.get(estimate.name, ())))
    return risk


def _replaced(output: Publish, newest: Mapping[str, PatientRisk]) -> Publish:
    if output.to is not Topic.PATIENT_RISK:
        return output
    risk = newest.get(output.message.meta.message_id)  # type: ignore[attr-defined]
    return output if risk is None else replace(output, message=risk)


def fused(before: PatientRecord, message: Input, fusion: Fusion) -> tuple[PatientRecord, PatientRisk | None]:
    """The record after `message` with the risk that follows; None and the same record for a repeat."""
    after = take_in(before, message, fusion.limits)
    if after is before:
        return before, None
    meta = derived_meta(message.meta, "risk", fusion.clock, revision=after.revision)
    meta.encounter_key = meta.encounter_key or _known_stay(after)
    risk = judge(after, meta, message.meta.message_id, fusion.judging)
    risk.estimates.extend(before.risk.estimates)
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
