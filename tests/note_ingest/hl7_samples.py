"""HL7 v2 messages of the tests, all made up."""


def message(*segments: str, end: str = "\r") -> bytes:
    return "".join(segment + end for segment in segments).encode()


def msh(event: str = "ORU^R01", control: str = "C1", processing: str = "P", at: str = "20261123115500+0000") -> str:
    return rf"MSH|^~\&|MONITOR|ICU|VIGIL|HOSP|{at}||{event}|{control}|{processing}|2.5.1"


PID = "PID|1||MRN-77^^^WARD^MR~999^^^SSA^SS||Quixote^Dulcinea||19500315|F"
PV1 = "PV1|1|I|ICU^R2^B4||||||||||||||||V-9^^^WARD^VN"


def obx(number: int, code: str, value: str, unit: str = "", *, kind: str = "NM", status: str = "F") -> str:
    return f"OBX|{number}|{kind}|{code}||{value}|{unit}|||||{status}"


def vitals(control: str = "C1", pulse: str = "88") -> bytes:
    return message(
        msh(control=control),
        PID,
        PV1,
        "OBR|1||F1|85353-1^Vital signs^LN|||20261123115500",
        obx(1, "8867-4^Heart rate^LN", pulse, "/min"),
        obx(2, "8310-5^Temperature^LN", "98.6", "[degF]"),
        obx(3, "67775-7^AVPU^LN", "A^Alert^L", kind="CWE"),
    )


def document(text: str = "Short of breath.", document_id: str = "DOC-1", trigger: str = "T02", **parts: str) -> bytes:
    return message(
        msh(f"MDM^{trigger}"),
        PID,
        PV1,
        f"TXA|1|{parts.get('kind', 'CN')}||{parts.get('at', '20261123100000')}||||{parts.get('edited', '')}||||"
        f"{document_id}|{parts.get('parent', '')}",
        f"OBX|1|TX|||{text}||||||F",
    )
