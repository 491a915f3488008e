"""What the dictionary found for each code, and whether it counts as the patient's current condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.nlp_coder.assertion import Reading
from services.nlp_coder.code_set import CATEGORY_CHARACTERS
from services.nlp_coder.data_files import rows
from services.nlp_coder.dictionary import Mention

# Chapter 18: symptoms, signs and abnormal findings.
SYMPTOMS = "R"
# Symptoms, with the pains of joints, back and limbs, and the factors of chapter 21: a past time does not end them.
TIMELESS = (SYMPTOMS, "M25.5", "M54", "M79.6", "Z")


@dataclass(slots=True)
class ReadMention:
    """A dictionary mention with how it reads; not to be changed. `phrase`: its normalised words."""

    mention: Mention
    reading: Reading
    phrase: str


@dataclass(slots=True)
class CodeEvidence:
    """All mentions of one code in a note: the patient's, and those that are not (negated, family, ...)."""

    patients: list[ReadMention] = field(default_factory=list)
    others: list[ReadMention] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChronicConditions:
    """Conditions that persist, so that a history of one is the condition itself; `"M10.9" in conditions` asks for one.

    `flags`: the longest beginning of a code that stands here decides.
    """

    flags: Mapping[str, bool]

    def __contains__(self, code: str) -> bool:
        for length in range(len(code), CATEGORY_CHARACTERS - 1, -1):
            flag = self.flags.get(code[:length])
            if flag is not None:
                return flag
        return False


def chronic_conditions() -> ChronicConditions:
    """The table `chronic_categories.tsv`."""
    return ChronicConditions({code: flag == "1" for code, flag, _source in rows("chronic_categories.tsv", 3)})


def is_patients(reading: Reading) -> bool:
    """True when the mention says that the patient has, may have or had it."""
    return reading.experiencer == "patient" and reading.status in ("present", "possible", "conditional")


def is_current(reading: Reading, code: str, chronic: ChronicConditions) -> bool:
    """True when the mention supports coding a current condition.

    A past symptom has no code of its own and mostly opens the present story ("a history of weight loss"): it stays.
    A status (chapter 21) holds however long ago it began.
    """
    return is_patients(reading) and (not reading.historical or code.startswith(TIMELESS) or code in chronic)


def hidden_words(mentions: Sequence[ReadMention], words: int) -> bytearray:
    """For each of a note's words, 1 where a mention that is not the patient's holds it."""
    hidden = bytearray(words)
    for read in mentions:
        if not is_patients(read.reading):
            first, last = read.mention.first, read.mention.last
            hidden[first:last] = b"\x01" * (last - first)
    return hidden


def gathered(mentions: Sequence[ReadMention]) -> dict[str, CodeEvidence]:
    """Mentions by code, in order of first appearance."""
    evidence: dict[str, CodeEvidence] = {}
    for read in mentions:
        entry = evidence.setdefault(read.mention.code, CodeEvidence())
        (entry.patients if is_patients(read.reading) else entry.others).append(read)
    return evidence
