"""Whom an HL7 v2 message is about: PID, PV1, MRG."""

from services.common.icd10cm import is_icd10cm
from services.note_ingest.drafts import About, Code, Identity, Sex, Subject
from services.note_ingest.hl7v2.er7 import Message, Segment
from services.note_ingest.hl7v2.times import parse_date
from services.note_ingest.refusals import MISSING, Refused

# Which of several identifiers names the patient to a hospital's systems (HL7 table 0203), best first.
IDENTIFIER_TYPES = ("MR", "MRN", "PI", "PT")
NOT_A_PATIENT_NUMBER = {"SS", "DL", "PPN", "AN", "VN"}
SEXES = {"F": Sex.FEMALE, "M": Sex.MALE, "O": Sex.OTHER, "A": Sex.OTHER, "N": Sex.OTHER}
URNS = {"ISO": "urn:oid:", "UUID": "urn:uuid:", "GUID": "urn:uuid:"}  # by table 0301
PREGNANT = "B6"  # PV1-15, table 0009
DELETED = "D"  # DG1-21, table 0206


def subject_of(message: Message) -> Subject:
    """Patient and visit. Raises Refused without a patient identifier."""
    pid = message.first("PID")
    if pid is None:
        raise Refused(MISSING, "PID is missing: the message names no patient", "PID^1")
    patient = identifier(pid, 3) or identifier(pid, 2) or identifier(pid, 4)
    if patient is None:
        raise Refused(MISSING, "PID-3 holds no patient identifier", "PID^1^3")
    pv1 = message.first("PV1")
    return Subject(patient, identifier(pv1, 19) if pv1 is not None else None)


def about_patient(message: Message) -> About:
    """Birth date, sex, assigned location and pregnancy, as far as PID and PV1 state them."""
    person, visit = message.first("PID"), message.first("PV1")
    return About(
        ward=visit.text(3, 1) if visit is not None else "",
        room=visit.text(3, 2) if visit is not None else "",
        bed=visit.text(3, 3) if visit is not None else "",
        born=parse_date(person.text(7)) if person is not None else None,
        sex=SEXES.get(person.text(8).upper(), Sex.UNSTATED) if person is not None else Sex.UNSTATED,
        pregnant=visit is not None and visit.text(15).upper() == PREGNANT,
    )


def identifier(segment: Segment, field: int) -> Identity | None:
    """The best identifier of a CX field; None when it holds none."""
    found = [repetition for repetition in segment.repetitions(field) if segment.part(repetition)]
    if not found:
        return None
    best = min(found, key=lambda repetition: _rank(segment.part(repetition, 5)))
    return Identity(_authority(segment, best), segment.part(best))


def assigned_codes(message: Message) -> tuple[Code, ...]:
    """Diagnoses of the DG1 segments, in their order, without those that DG1-21 deletes."""
    codes = (_diagnosis(dg1) for dg1 in message.all("DG1") if dg1.text(21).upper() != DELETED)
    return tuple(dict.fromkeys(code for code in codes if code.code))


def _diagnosis(dg1: Segment) -> Code:
    """DG1-3: the coding that is ICD-10-CM where the second one is and the first is not."""
    first = Code(dg1.text(3), dg1.text(3, 3) or dg1.text(2))
    second = Code(dg1.text(3, 4), dg1.text(3, 6))
    if second.code and second.system and is_icd10cm(second.code, second.system):
        return first if is_icd10cm(first.code, first.system) else second
    return first


def _rank(kind: str) -> int:
    if kind in IDENTIFIER_TYPES:
        return IDENTIFIER_TYPES.index(kind)
    return len(IDENTIFIER_TYPES) + (kind in NOT_A_PATIENT_NUMBER)  # of equals the first one


def _authority(segment: Segment, repetition: str) -> str:
    """Assigning authority (CX-4), else assigning facility (CX-6): the namespace, else the universal id as in FHIR."""
    for component in (4, 6):
        namespace, universal, kind = (segment.part(repetition, component, part) for part in (1, 2, 3))
        if namespace:
            return namespace
        if universal:
            return URNS.get(kind.upper(), "") + universal
    return ""
