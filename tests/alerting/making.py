"""Messages for tests of alerting."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from vigil.v1.alerts_pb2 import AlertCommand, AlertCommandKind, PatientAlerts
from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.meta_pb2 import Evidence, Meta, Span
from vigil.v1.risk_pb2 import CriticalFinding, PatientRisk, Score, ScoreComponent, Syndrome

from services.alerting.patient_alerts import after_risk_of
from services.alerting.policy import DEFAULT_POLICY
from services.common.clock import to_timestamp

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "a" * 32
STAY = "b" * 32
SHOWN = {
    "resp_rate": "29 /min",
    "spo2": "90 %",
    "oxygen": "fio2 40 %",
    "sbp": "88 mm[Hg]",
    "heart_rate": "120 /min",
    "consciousness": "gcs 12",
    "temperature": "39.4 Cel",
}
HIGH = {"resp_rate": 3, "spo2": 3, "heart_rate": 2}
RED = {"consciousness": 3}
Step = Callable[[PatientAlerts], PatientAlerts]


def meta(message_id: str, minute: float = 0, *, revision: int = 0, stay: str = STAY, key: str = KEY) -> Meta:
    return Meta(
        message_id=message_id,
        event_time=to_timestamp(NOON + timedelta(minutes=minute)),
        ingest_time=to_timestamp(NOON + timedelta(minutes=minute)),
        source="hl7v2:TEST",
        patient_key=key,
        encounter_key=stay,
        revision=revision,
        schema_version=1,
        trace_parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        synthetic=True,
    )


def news2(points: dict[str, int], missing: Sequence[str] = (), abstained: str = "") -> Score:
    """A score in which the named parameters score and all others are normal."""
    parts = [
        ScoreComponent(
            name=name,
            points=0 if name in missing else points.get(name, 0),
            missing=name in missing,
            missing_reason="stale" if name in missing else "",
            value="" if name in missing else value,
            observation_id=f"observation-{name}",
        )
        for name, value in SHOWN.items()
    ]
    total = sum(part.points for part in parts)
    return Score(name="news2", total=total, components=parts, partial=bool(missing), abstained=abstained)


def risk(
    revision: int,
    points: dict[str, int] | None = None,
    *,
    missing: Sequence[str] = (),
    findings: Sequence[CriticalFinding] = (),
    syndromes: Sequence[Syndrome] = (),
    status: EncounterStatus.ValueType = EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS,
    stay: str = STAY,
    key: str = KEY,
    abstained: str = "",
) -> PatientRisk:
    """The risk of revision n, at n minutes past noon."""
    return PatientRisk(
        meta=meta(f"risk-{revision}", revision, revision=revision, stay=stay, key=key),
        as_of=to_timestamp(NOON + timedelta(minutes=revision)),
        scores=[news2(points or {}, missing, abstained)],
        critical_findings=findings,
        syndromes=syndromes,
        ward="ICU",
        bed="04",
        encounter_status=status,
    )


def pneumothorax(note: str = "note-1", minute: float = 0) -> CriticalFinding:
    evidence = Evidence(
        kind="note",
        message_id=note,
        spans=[Span(start=3, end=15)],
        event_time=to_timestamp(NOON + timedelta(minutes=minute)),
        statement="pneumothorax",
    )
    return CriticalFinding(label="pneumothorax", sentence="Pneumothorax in the notes.", evidence=[evidence])


def sepsis(sources: Sequence[str] = ("text", "physiology")) -> Syndrome:
    return Syndrome(name="suspected_sepsis", sentence="Suspected sepsis.", sources=sources, basis="Sepsis-3")


def encounter(
    minute: float,
    status: EncounterStatus.ValueType = EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS,
    stay: str = STAY,
) -> Encounter:
    return Encounter(meta=meta(f"encounter-{minute}", minute, stay=stay), status=status, ward="ICU", bed="04")


def command(
    alert_id: str, kind: AlertCommandKind.ValueType, command_id: str = "command-1", minute: float = 30
) -> AlertCommand:
    return AlertCommand(meta=meta(command_id, minute), alert_id=alert_id, kind=kind, by="RN", reason="seen_at_bedside")


def after(state: PatientAlerts, *risks: PatientRisk) -> PatientAlerts:
    """The state after risks in their order."""
    for one in risks:
        state = after_risk_of(state, one, DEFAULT_POLICY)
    return state


def fresh() -> PatientAlerts:
    return PatientAlerts(patient_key=KEY)
