"""A coma scale where only AVPU was written down. Pure.

Medians of 1,384 patients: alert 15, voice 13, pain 8, unresponsive 3 (Kelly, Upex and Bateman, Annals of Emergency
Medicine 2004;44:108). New confusion (ACVPU) is 14, as the scale itself has it for an adult who is only confused.
"""

from collections.abc import Mapping

GCS_OF_AVPU: Mapping[str, float] = {
    "alert": 15.0,
    "confusion": 14.0,
    "voice": 13.0,
    "pain": 8.0,
    "unresponsive": 3.0,
}


def gcs_of(word: str) -> float | None:
    """Points for a word of AVPU or ACVPU as the edge keeps it; None for any other word."""
    return GCS_OF_AVPU.get(word.strip().lower())
