"""Ranked codes of a note, each with the words it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.nlp_coder.assertion import Reading
from services.nlp_coder.candidates import candidates_of
from services.nlp_coder.evidence import (
    CATEGORY_CHARACTERS,
    CodeEvidence,
    contradicted_categories,
    gathered,
    is_current,
)
from services.nlp_coder.features import Occurrences
from services.nlp_coder.models import Prediction
from services.nlp_coder.ranking import NO_MODEL, Ranker, features_of, scores
from services.nlp_coder.reading import Reader, ReadNote

LONGEST_RANKING = 100
# A label that the model gives this much is part of why a code of the dictionary is proposed; local.
_MODEL_AGREES = 0.02


@dataclass(frozen=True, slots=True)
class RankedCode:
    """A proposed code. `spans`: characters, ascending. `terms`: those words, normalised.

    `reading`: how the mentions read; None when only the model proposes the code, since nobody asserted it.
    """

    code: str
    display: str
    score: float
    selected: bool
    spans: list[tuple[int, int]]
    terms: list[str]
    origin: str
    reading: Reading | None
    billable: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """What codes are proposed from. prediction: None when the dictionary has to answer alone."""

    note: ReadNote
    occurrences: Occurrences
    prediction: Prediction | None


def ranked_codes(basis: Basis, ranker: Ranker, reader: Reader) -> list[RankedCode]:
    """The best 100 codes by score."""
    evidence = gathered(basis.note.mentions)
    view = basis.prediction.view if basis.prediction else NO_MODEL
    stacker = ranker.with_model if basis.prediction else ranker.dictionary_alone
    codes = [code for code in candidates_of(evidence, view) if _has_words(code, evidence, basis.prediction)]
    if not codes:
        return []
    values = scores(stacker, features_of(codes, evidence, view, ranker.hits, len(basis.note.document.words)))
    contradicted = contradicted_categories(basis.note.mentions, reader.chronic)
    rated = []
    for value, code in zip(values.tolist(), codes, strict=True):
        is_denied = code[:CATEGORY_CHARACTERS] in contradicted
        # Below the operating point whatever the value, and still in order.
        score = value * stacker.threshold if is_denied else value
        rated.append((score, code, score >= stacker.threshold))
    rated.sort(key=lambda entry: (-entry[0], entry[1]))
    return [
        _ranked(code, score, evidence.get(code), basis, reader, selected=selected)
        for score, code, selected in rated[:LONGEST_RANKING]
    ]


def _has_words(code: str, evidence: Mapping[str, CodeEvidence], prediction: Prediction | None) -> bool:
    """A code without a word to show is a prior, not a reading."""
    if code in evidence and evidence[code].patients:
        return True
    return prediction is not None and bool(prediction.positions.get(code))


def _ranked(
    code: str, score: float, evidence: CodeEvidence | None, basis: Basis, reader: Reader, *, selected: bool
) -> RankedCode:
    mentions = evidence.patients if evidence else []
    prediction = basis.prediction
    if mentions:
        spans = [basis.note.document.span(read.mention.first, read.mention.last) for read in mentions]
        terms = _unique(read.phrase for read in mentions)
        agrees = prediction is not None and prediction.view.codes.get(code, 0.0) >= _MODEL_AGREES
        origin = "dictionary+model" if agrees else "dictionary"
        reading: Reading | None = min((read.reading for read in mentions), key=lambda one: _doubt(one, code, reader))
    else:
        spans, terms = _attributed(basis, prediction.positions[code] if prediction else ())
        origin, reading = "model", None
    known = reader.code_set.codes.get(code)
    return RankedCode(
        code=code,
        display=known.display if known else "",
        score=score,
        selected=selected,
        spans=spans,
        terms=terms,
        origin=origin,
        reading=reading,
        billable=known is not None and known.billable,
    )


def _doubt(reading: Reading, code: str, reader: Reader) -> tuple[bool, bool, bool]:
    """Smaller is the firmer statement of a current condition."""
    return not is_current(reading, code, reader.chronic), reading.status != "present", reading.historical


def _attributed(basis: Basis, positions: Sequence[int]) -> tuple[list[tuple[int, int]], list[str]]:
    document = basis.note.document
    ranges = [basis.occurrences.words[position] for position in positions]
    terms = _unique(" ".join(document.words.norms[first:last]) for first, last in ranges)
    return _merged(document.span(first, last) for first, last in ranges), terms


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ascending spans without overlaps."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _unique(terms: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(terms))
