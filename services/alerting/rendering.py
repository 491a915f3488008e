"""Alerts, patients and evidence as the JSON that the board and other clients read."""

from typing import Any

from vigil.v1.alerts_pb2 import Alert, AlertState, PatientAlerts, Severity
from vigil.v1.encounters_pb2 import EncounterStatus, Sex
from vigil.v1.fusion_service_pb2 import GetPatientResponse
from vigil.v1.images_pb2 import ImageFindings
from vigil.v1.meta_pb2 import Evidence
from vigil.v1.notes_pb2 import (
    Assertion,
    AuditVerdict,
    CodeAudit,
    Experiencer,
    NoteCode,
    NoteCoded,
    ReportFinding,
    Temporality,
)
from vigil.v1.risk_pb2 import PatientRisk, RiskEstimate, Score

from services.alerting.conditions import spoken_value
from services.alerting.entity_rendering import entity_json, span_json
from services.alerting.patient_alerts import standing_notes
from services.alerting.times import time_of

Json = dict[str, Any]


def state_name(state: AlertState.ValueType) -> str:
    """E.g. "firing"."""
    return AlertState.Name(state).removeprefix("ALERT_STATE_").lower()


def severity_name(severity: Severity.ValueType) -> str:
    """E.g. "critical"."""
    return Severity.Name(severity).removeprefix("SEVERITY_").lower()


def alert_json(alert: Alert) -> Json:
    """An alert as in `GET /alerts`."""
    shown: Json = {
        "id": alert.id,
        "patient_key": alert.patient_key,
        "ward": alert.ward,
        "bed": alert.bed,
        "rule": alert.rule,
        "severity": severity_name(alert.severity),
        "state": state_name(alert.state),
        "reason": alert.reason,
        "basis": alert.basis,
        "evidence": [evidence_json(item) for item in alert.evidence],
        "revision": alert.revision,
        "opened_at": time_of(alert.opened_at),
        "updated_at": time_of(alert.updated_at),
        "synthetic": alert.meta.synthetic,
    }
    if alert.HasField("acknowledged"):
        shown["acknowledged"] = {
            "by": alert.acknowledged.by,
            "at": time_of(alert.acknowledged.at),
            "reason": alert.acknowledged.reason,
            "comment": alert.acknowledged.comment,
        }
    if alert.HasField("resolved_at"):
        shown["resolved_at"] = time_of(alert.resolved_at)
    return shown


def evidence_json(evidence: Evidence) -> Json:
    """What a statement rests on; only the fields of its kind."""
    shown: Json = {
        "kind": evidence.kind,
        "message_id": evidence.message_id,
        "statement": evidence.statement,
        "event_time": time_of(evidence.event_time),
    }
    if evidence.kind == "note":
        shown["spans"] = [[span.start, span.end] for span in evidence.spans]
    if evidence.sop_instance_uid:
        shown["sop_instance_uid"] = evidence.sop_instance_uid
    if evidence.observation_id:
        shown["observation_id"] = evidence.observation_id
    return shown


def patient_json(state: PatientAlerts) -> Json:
    """A patient as the board shows one."""
    risk, encounter = state.risk, state.encounter
    status = encounter.status or risk.encounter_status
    return {
        "patient_key": state.patient_key,
        "ward": risk.ward or encounter.ward,
        "room": encounter.room,
        "bed": risk.bed or encounter.bed,
        "status": EncounterStatus.Name(status).removeprefix("ENCOUNTER_STATUS_").lower(),
        "age_years": encounter.age_years if encounter.HasField("age_years") else None,
        "sex": Sex.Name(encounter.sex).removeprefix("SEX_").lower(),
        "admitted_at": time_of(encounter.admitted_at),
        "synthetic": risk.meta.synthetic or encounter.meta.synthetic,
        **risk_json(risk),
        "news2_trend": [
            {"at": time_of(point.at), "total": point.total, "partial": point.partial} for point in state.news2_trend
        ],
        "alerts": [alert_json(record.alert) for record in state.records],
        "notes": [
            {
                "message_id": note.note_message_id,
                "kind": note.kind,
                "event_time": time_of(note.event_time),
                "revision": note.revision,
            }
            for note in reversed(standing_notes(state))
        ],
    }


def risk_json(risk: PatientRisk) -> Json:
    """Scores and what was concluded, with the time that each rests on."""
    return {
        "as_of": time_of(risk.as_of),
        "judged_at": time_of(risk.meta.produced_time),
        "revision": risk.meta.revision,
        "scores": {score.name: score_json(score) for score in risk.scores},
        "syndromes": [
            {"name": item.name, "sentence": item.sentence, "sources": list(item.sources), "basis": item.basis}
            for item in risk.syndromes
        ],
        "critical_findings": [{"label": f.label, "sentence": f.sentence} for f in risk.critical_findings],
        "risks": [estimate_json(estimate) for estimate in risk.estimates],
    }


def estimate_json(estimate: RiskEstimate) -> Json:
    """What a model says; without numbers where it gives none, and with the reason."""
    is_known = estimate.HasField("probability")
    return {
        "name": estimate.name,
        "as_of": time_of(estimate.as_of),
        "p": estimate.probability if is_known else None,
        "low": estimate.low if is_known else None,
        "high": estimate.high if is_known else None,
        "alarm": estimate.alarm,
        "operating_point": estimate.operating_point,
        "abstained": estimate.abstained,
        "degraded_reason": estimate.degraded_reason,
        "trend": [{"at": time_of(point.at), "p": point.probability} for point in estimate.trend],
        "drivers": [
            {"name": driver.name, "weight": driver.weight, "text": driver.sentence, **_measurement(driver.evidence)}
            for driver in estimate.drivers
        ],
        "missing": list(estimate.missing),
        "model": {"name": estimate.model.name, "version": estimate.model.version, "sha256": estimate.model.sha256},
    }


def _measurement(evidence: Evidence) -> Json:
    return {"evidence": evidence_json(evidence)} if evidence.kind else {}


def score_json(score: Score) -> Json:
    """A bedside score with its parameters."""
    return {
        "total": score.total,
        "lowest": score.lowest,
        "highest": score.highest,
        "partial": score.partial,
        "band": score.band,
        "abstained": score.abstained,
        "components": [
            {
                "name": part.name,
                "points": part.points,
                "missing": part.missing,
                "missing_reason": part.missing_reason,
                "value": spoken_value(part.value),
                "measured_at": time_of(part.measured_at),
            }
            for part in score.components
        ],
    }


def history_json(answer: GetPatientResponse) -> Json:
    """A patient's measurements by name, oldest first, and the images that were read."""
    patient = answer.patient
    series: dict[str, Json] = {}
    for stored in patient.observations:
        seen = stored.observation
        if seen.text_value:
            continue
        entry = series.setdefault(seen.name, {"name": seen.name, "unit": seen.unit, "points": []})
        entry["points"].append({"at": time_of(seen.event_time), "value": seen.value, "out_of_range": seen.out_of_range})
    return {
        "patient_key": patient.patient_key,
        "as_of": time_of(patient.as_of),
        "series": list(series.values()),
        "images": [image_json(image) for image in reversed(patient.images)],
    }


def image_json(image: ImageFindings) -> Json:
    """What was read in an image, and which pictures of it there are."""
    return {
        "message_id": image.image_message_id,
        "event_time": time_of(image.meta.event_time),
        "modality": image.image.modality,
        "body_part": image.image.body_part,
        "view_position": image.image.view_position,
        "sop_instance_uid": image.image.sop_instance_uid,
        "in_scope": image.scope.in_scope,
        "scope_reason": image.scope.reason,
        "degraded_reason": image.degraded_reason,
        "findings": [
            {
                "label": finding.label,
                "probability": finding.probability,
                "low": finding.low if finding.HasField("low") else None,
                "high": finding.high if finding.HasField("high") else None,
                "positive": finding.positive,
                "threshold": finding.threshold,
                "verdict": finding.verdict,
            }
            for finding in sorted(image.findings, key=lambda finding: -finding.probability)
        ],
        "regions": [
            {
                "label": region.label,
                "box": [region.x0, region.y0, region.x1, region.y1],
                "position": region.position,
                "length_mm": region.length_mm if region.HasField("length_mm") else None,
                "width_mm": region.width_mm if region.HasField("width_mm") else None,
                "area_mm2": region.area_mm2 if region.HasField("area_mm2") else None,
            }
            for region in image.regions
        ],
        "report": [sentence.text for sentence in image.report],
        "model": {"name": image.model.name, "version": image.model.version, "sha256": image.model.sha256},
        "operating_point": image.operating_point,
        "operating_point_reason": image.operating_point_reason,
        "has_preview": image.HasField("preview"),
        "has_heatmap": image.HasField("heatmap"),
    }


def comparisons_json(risk: PatientRisk, image: ImageFindings) -> list[Json]:
    """What the report of an image's study says beside what the model says of this image; disagreements first."""
    order = ("disagree", "cannot_tell", "agree")
    own = [one for one in risk.report_comparisons if one.image_message_id == image.image_message_id]
    return [
        {
            "label": one.label,
            "verdict": one.verdict,
            "reason": one.reason,
            "report_status": one.report_status,
            "spans": [[span.start, span.end] for span in one.spans],
            "report_regions": list(one.report_regions),
            "note_message_id": one.note_message_id,
            "image_verdict": one.image_verdict,
            "image_regions": list(one.image_regions),
        }
        for one in sorted(own, key=lambda one: (order.index(one.verdict), not one.image_verdict, one.label))
    ]


def note_json(note: NoteCoded) -> Json:
    """A note's text with what was read in it."""
    return {
        "message_id": note.note_message_id,
        "kind": note.kind,
        "event_time": time_of(note.meta.event_time),
        "text": note.text,
        "degraded_reason": note.degraded_reason,
        "truncated": note.truncated,
        "abstained": note.abstained,
        "code_set_version": note.code_set_version,
        "codes": [code_json(code) for code in note.codes if code.selected or code.withheld],
        "audit": [audit_json(result) for result in note.audit],
        "findings": [finding_json(note.text, finding) for finding in note.findings],
        "entities": [entity_json(entity) for entity in note.entities],
        "entity_rules": note.entity_rules,
    }


def finding_json(text: str, finding: ReportFinding) -> Json:
    """What a radiology report says of a label, with every mention and what is said of it."""
    return {
        "label": finding.label,
        "status": finding.status,
        "spans": [[span.start, span.end] for span in finding.spans],
        "mentions": [
            {
                "status": mention.status,
                "span": [mention.span.start, mention.span.end],
                "details": [
                    {
                        "name": detail.name,
                        "value": detail.value,
                        "text": text[detail.span.start : detail.span.end],
                        "span": span_json(detail.span),
                    }
                    for detail in mention.details
                ],
            }
            for mention in finding.mentions
        ],
    }


def code_json(code: NoteCode) -> Json:
    """A proposed code, or one that the note names and the guidelines keep from being coded."""
    return {
        "code": code.code,
        "display": code.display,
        "score": code.score,
        "selected": code.selected,
        "spans": [[span.start, span.end] for span in code.spans],
        "rationale": code.rationale,
        "assertion": Assertion.Name(code.assertion).removeprefix("ASSERTION_").lower(),
        "temporality": Temporality.Name(code.temporality).removeprefix("TEMPORALITY_").lower(),
        "experiencer": Experiencer.Name(code.experiencer).removeprefix("EXPERIENCER_").lower(),
        "billable": code.billable,
        "withheld": code.withheld,
        "excluded_by": code.excluded_by,
    }


def audit_json(result: CodeAudit) -> Json:
    """A code that somebody assigned, held against the note, or one that nobody did."""
    return {
        "code": result.code,
        "display": result.display,
        "verdict": AuditVerdict.Name(result.verdict).removeprefix("AUDIT_VERDICT_").lower(),
        "spans": [[span.start, span.end] for span in result.spans],
        "suggested": result.suggested,
        "suggested_display": result.suggested_display,
    }
