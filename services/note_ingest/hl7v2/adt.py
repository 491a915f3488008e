"""ADT: where a patient is, and what is known of the stay."""

from datetime import datetime

from services.note_ingest.drafts import Identity, Stay, StayStatus
from services.note_ingest.hl7v2.context import Reading
from services.note_ingest.hl7v2.er7 import Segment
from services.note_ingest.hl7v2.subject import about_patient, assigned_codes, identifier, subject_of
from services.note_ingest.hl7v2.times import first_time
from services.note_ingest.refusals import MISSING, Refused

P, I, D, C, U = (  # noqa: E741 - one letter a column of the table below
    StayStatus.PLANNED,
    StayStatus.IN_PROGRESS,
    StayStatus.DISCHARGED,
    StayStatus.CANCELLED,
    StayStatus.UNSTATED,
)
# What a trigger says of the stay (HL7 v2.8 chapter 3.3).
STATUS = {
    "A01": I,  # admit
    "A02": I,  # transfer
    "A03": D,  # discharge
    "A04": I,  # register
    "A05": P,  # pre-admit
    "A06": I,  # outpatient becomes inpatient
    "A07": I,  # inpatient becomes outpatient
    "A08": U,  # update, as likely after the discharge as before; discharged when PV1-45 says so
    "A09": I,  # departing
    "A10": I,  # arriving
    "A11": C,  # cancel admit
    "A12": I,  # cancel transfer: PV1-3 is where the patient still is
    "A13": I,  # cancel discharge
    "A14": P,  # pending admit
    "A15": I,  # pending transfer
    "A16": I,  # pending discharge
    "A21": I,  # leave of absence
    "A22": I,  # back from leave
    "A23": C,  # delete the visit
    "A25": I,  # cancel pending discharge
    "A26": I,  # cancel pending transfer
    "A27": C,  # cancel pending admit
    "A28": U,  # add a person
    "A31": U,  # update a person
    "A38": C,  # cancel pre-admit
    "A40": U,  # merge patient identifiers
    "A47": U,  # change a patient identifier
}
MERGES = {"A40", "A47"}
UPDATES = {"A08"}


def read_adt(read: Reading) -> tuple[Stay, ...]:
    """The stay after the event. Raises Refused without a patient, or without MRG-1 in a merge."""
    message = read.message
    event, visit, about = message.first("EVN"), message.first("PV1"), about_patient(message)
    admitted = _time(read, visit, 44)
    discharged = _time(read, visit, 45)
    status = STATUS[read.trigger]
    if read.trigger in UPDATES and discharged is not None:
        status = StayStatus.DISCHARGED
    return (
        Stay(
            subject=subject_of(message),
            event_time=read.event_time((event, 6), (event, 2)),
            trigger=read.trigger,
            status=status,
            ward=about.ward,
            room=about.room,
            bed=about.bed,
            admitted_at=admitted,
            discharged_at=discharged if status is StayStatus.DISCHARGED else None,
            born=about.born,
            sex=about.sex,
            pregnant=about.pregnant,
            merged=_merged(read) if read.trigger in MERGES else None,
            assigned_codes=assigned_codes(message),
        ),
    )


def _time(read: Reading, visit: Segment | None, field: int) -> datetime | None:
    return first_time(read.zone, (visit, field))


def _merged(read: Reading) -> Identity:
    merge = read.required("MRG")
    prior = identifier(merge, 1)
    if prior is None:
        raise Refused(MISSING, "MRG-1 holds no identifier to merge from", merge.at(1))
    return prior
