"""How senders name ICD-10-CM, and how they write its codes."""

import re

# HL7 table 0396, FHIR's URIs, the OIDs of HL7's registry, and how hospitals name it; letters and digits, upper case.
# A sender that names plain ICD-10 in a US feed means the clinical modification.
_NAMES = frozenset({
    "I10", "I10C", "I10CM", "ICD10", "ICD10CM", "HTTPHL7ORGFHIRSIDICD10CM", "HTTPHL7ORGFHIRSIDICD10",
    "HTTPHL7ORGFHIRSIDICD10US",
})  # fmt: skip
_OID = re.compile(r"^(?:urn:oid:)?2\.16\.840\.1\.113883\.6\.(?:90|3)$", re.IGNORECASE)
_SHAPE = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?", re.IGNORECASE)
_CATEGORY = 3


def is_icd10cm(code: str, system: str) -> bool:
    """Whether a code as sent is ICD-10-CM: by its system, or by its shape where no system is named."""
    stated = system.strip()
    if not stated:
        return _SHAPE.fullmatch("".join(code.split())) is not None
    return _OID.match(stated) is not None or "".join(c for c in stated.upper() if c.isalnum()) in _NAMES


def written(code: str) -> str:
    """Upper case, without blanks, with its dot: "j189" is "J18.9". A code of another shape only in upper case."""
    plain = "".join(code.split()).upper()
    if "." in plain or len(plain) <= _CATEGORY or not _SHAPE.fullmatch(plain):
        return plain
    return f"{plain[:_CATEGORY]}.{plain[_CATEGORY:]}"
