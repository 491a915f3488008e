"""Messages and measurements for the tests of fusion."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from vigil.v1.encounters_pb2 import Encounter, EncounterStatus
from vigil.v1.images_pb2 import ImageFinding, ImageFindings, ImageIdentity, Scope
from vigil.v1.meta_pb2 import Meta, ModelVersion, Span
from vigil.v1.notes_pb2 import Assertion, Experiencer, NoteCode, NoteCoded, ReportFinding, Temporality
from vigil.v1.observations_pb2 import Observation, ObservationsReceived, ObservationStatus

from services.common.clock import to_timestamp
from services.fusion.vitals import MICROSECONDS, Inputs, Measured, Staleness

KEY = "0123456789abcdef0123456789abcdef"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW = int(NOON.timestamp()) * MICROSECONDS
MINUTE = 60 * MICROSECONDS
UNITS = {
    "resp_rate": "/min",
    "heart_rate": "/min",
    "spo2": "%",
    "sbp": "mm[Hg]",
    "temperature": "Cel",
    "gcs": "{score}",
    "fio2": "1",
}
HEALTHY = {
    "resp_rate": 16,
    "spo2": 98,
    "fio2": 0.21,
    "sbp": 124,
    "heart_rate": 72,
    "gcs": 15,
    "temperature": 36.8,
}
SEPTIC = {
    "resp_rate": 28,
    "spo2": 90,
    "fio2": 0.4,
    "sbp": 84,
    "heart_rate": 134,
    "gcs": 13,
    "temperature": 39.4,
}


def measured(name: str, value: float | str, minutes_ago: float = 0, **fields: Any) -> Measured:
    text = value if isinstance(value, str) else ""
    number = 0.0 if isinstance(value, str) else value
    at = NOW - round(minutes_ago * MINUTE)
    return Measured(name, number, at, UNITS.get(name, ""), text, f"{name}-{minutes_ago}", "m", **fields)


def inputs(values: Mapping[str, float | str], *others: Measured) -> Inputs:
    """Values measured now, and others."""
    all_of_them = [*(measured(name, value) for name, value in values.items()), *others]
    return Inputs(sorted(all_of_them, key=lambda one: one.at), NOW, Staleness())


def meta(name: str, minutes: float = 0, *, key: str = KEY, revision: int = 0, arrived: float | None = None) -> Meta:
    """minutes: event time after noon. arrived: minutes after noon; None: at the event time."""
    return Meta(
        message_id=name,
        patient_key=key,
        revision=revision,
        event_time=to_timestamp(NOON + timedelta(minutes=minutes)),
        ingest_time=to_timestamp(NOON + timedelta(minutes=minutes if arrived is None else arrived)),
        trace_parent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        schema_version=1,
    )


def observations(name: str, minutes: float, values: Mapping[str, float | str], **fields: Any) -> ObservationsReceived:
    group = ObservationsReceived(meta=meta(name, minutes, **fields))
    group.observations.extend(observation(f"{name}-{one}", one, value, minutes) for one, value in values.items())
    return group


def observation(
    observation_id: str,
    name: str,
    value: float | str,
    minutes: float,
    status: ObservationStatus.ValueType = ObservationStatus.OBSERVATION_STATUS_FINAL,
) -> Observation:
    return Observation(
        observation_id=observation_id,
        name=name,
        value=0 if isinstance(value, str) else value,
        text_value=value if isinstance(value, str) else "",
        unit=UNITS.get(name, ""),
        event_time=to_timestamp(NOON + timedelta(minutes=minutes)),
        status=status,
    )


def encounter(name: str, minutes: float, **fields: Any) -> Encounter:
    admitted: dict[str, Any] = {"status": EncounterStatus.ENCOUNTER_STATUS_IN_PROGRESS, "ward": "AMU", "bed": "01"}
    return Encounter(meta=meta(name, minutes), **(admitted | fields))


def code(value: str, display: str = "", **fields: Any) -> NoteCode:
    known: dict[str, Any] = {
        "selected": True,
        "assertion": Assertion.ASSERTION_PRESENT,
        "temporality": Temporality.TEMPORALITY_CURRENT,
        "experiencer": Experiencer.EXPERIENCER_PATIENT,
        "spans": [Span(start=3, end=12)],
    }
    return NoteCode(code=value, display=display, **(known | fields))


def note(
    name: str,
    minutes: float,
    codes: Iterable[NoteCode] = (),
    findings: Mapping[str, str] | None = None,
    *,
    replaces: str = "",
    **fields: Any,
) -> NoteCoded:
    return NoteCoded(
        meta=meta(name, minutes, **fields),
        document_id=f"document-{name.partition('/')[0]}",
        note_message_id=f"received-{name}",
        text="The whole text of the note.",
        replaces_document_id=replaces,
        codes=codes,
        findings=[ReportFinding(label=label, status=status) for label, status in (findings or {}).items()],
    )


def image(
    name: str, minutes: float, labels: Mapping[str, float], *, study: str = "", in_scope: bool = True
) -> ImageFindings:
    return ImageFindings(
        meta=meta(name, minutes),
        image=ImageIdentity(sop_instance_uid=f"1.2.{name}", study_instance_uid=study or f"1.{name}"),
        image_message_id=f"received-{name}",
        scope=Scope(in_scope=in_scope),
        findings=[ImageFinding(label=k, probability=p, positive=p >= 0.5, threshold=0.5) for k, p in labels.items()],
        model=ModelVersion(name="cxr_findings"),
    )
