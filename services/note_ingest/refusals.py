"""Why something is refused, in words that each protocol can give to its sender."""

from dataclasses import dataclass

from services.common.outcomes import Invalid


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of refusal.

    hl7: code and text of HL7 table 0357. fhir: code of FHIR's issue-type value set. http: status.
    rejected: AR (this receiver does not take such messages) instead of AE (this one cannot be processed).
    """

    hl7: str
    hl7_text: str
    fhir: str
    http: int
    rejected: bool = False


MALFORMED = Fault("100", "Segment sequence error", "structure", 400)
MISSING = Fault("101", "Required field missing", "required", 422)
BAD_VALUE = Fault("102", "Data type error", "value", 422)
BAD_CODE = Fault("103", "Table value not found", "code-invalid", 422)
NOT_READ = Fault("207", "Application error", "not-supported", 422)
WRONG_TYPE = Fault("200", "Unsupported message type", "not-supported", 422, rejected=True)
WRONG_EVENT = Fault("201", "Unsupported event code", "not-supported", 422, rejected=True)
WRONG_PROCESSING = Fault("202", "Unsupported processing id", "not-supported", 422, rejected=True)
WRONG_VERSION = Fault("203", "Unsupported version id", "not-supported", 422, rejected=True)
BUG = Fault("207", "Application error", "exception", 500)
TOO_LARGE = Fault("207", "Application error", "too-long", 413, rejected=True)


LONGEST_REASON = 300  # characters


class Refused(Invalid):
    """The sender is told `reason`, one sentence of ours that never quotes the message; cut at `LONGEST_REASON`.

    location: where, in the protocol's own terms: "PID^1^3" (HL7 ERR-2) or "Bundle.entry[0].resource" (FHIRPath).
    stack: where in the code, only of faults of ours.
    """

    def __init__(self, fault: Fault, reason: str, location: str = "") -> None:
        super().__init__(reason[:LONGEST_REASON])
        self.fault = fault
        self.location = location
        self.stack = ""
