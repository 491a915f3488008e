"""Ranked codes of a note, each with the words it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.nlp_coder.assertion import Reading
from services.nlp_coder.document import Document
from services.nlp_coder.evidence import CodeEvidence, gathered, is_current
from services.nlp_coder.features import Occurrences
from services.nlp_coder.guidelines import HistoryCode, Withheld, apply_guidelines
from services.nlp_coder.loose import LooseMention
from services.nlp_coder.models import Prediction
from services.nlp_coder.ranking import Candidates, Ranker, alone
from services.nlp_coder.reading import Reader, ReadNote

LONGEST_RANKING = 100
Span = tuple[int, int]
# Characters of an occurrence, and its words.
_Place = tuple[Span, str]
# A label that the model gives this much is part of why a code of the dictionary is proposed; local.
_MODEL_AGREES = 0.02
# Illness, and death, of unknown cause: said in so many words or not at all.
_NEVER_GUESSED = frozenset({"R69", "R99"})


@dataclass(frozen=True, slots=True)
class RankedCode:
    """A proposed code. `spans`: characters, ascending. `terms`: those words, normalised.

    `reading`: how the mentions read; None when only the model proposes the code, since nobody asserted it.
    `withheld`: why the guidelines keep it from being selected.
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
    withheld: Withheld | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What codes are proposed from. prediction: None when the dictionary has to answer alone."""

    note: ReadNote
    candidates: Candidates
    occurrences: Occurrences
    prediction: Prediction | None


def ranked_codes(basis: Basis, ranker: Ranker, reader: Reader, kind: str = "") -> list[RankedCode]:
    """The best 100 codes by score, as the coding guidelines allow. kind: of the note, as in NoteReceived."""
    evidence = gathered(basis.note.mentions)
    loose = {found.mention.code: found for found in basis.note.loose}
    threshold = ranker.threshold if basis.prediction else ranker.dictionary_alone.threshold
    places: dict[int, _Place] = {}
    rated = [
        _rated((code, score, score >= threshold), words, evidence.get(code), reader)
        for code, score in _values(basis, ranker)
        if (words := _words(code, evidence.get(code), loose.get(code), basis, places)) is not None
    ]
    ruling = apply_guidelines(rated, basis.note.mentions, basis.note.document, reader.guidelines, kind)
    by_code = {one.code: _ruled(one, ruling.withheld.get(one.code)) for one in rated}
    by_code |= {
        one.code: _added(one, by_code.get(one.code), basis.note.document, reader, threshold) for one in ruling.added
    }
    return sorted(by_code.values(), key=lambda one: (-one.score, one.code))[:LONGEST_RANKING]


def _ruled(code: RankedCode, withheld: Withheld | None) -> RankedCode:
    """What the guidelines withhold keeps its score, which says what coders do, and is not selected."""
    return code if withheld is None else replace(code, selected=False, withheld=withheld)


def _added(
    added: HistoryCode, known: RankedCode | None, document: Document, reader: Reader, threshold: float
) -> RankedCode:
    """A history, family or status code. The guidelines decide it and no model: it stands at the operating point."""
    display, billable = _published(added.code, reader)
    return RankedCode(
        code=added.code,
        display=display,
        score=max(threshold, known.score if known else 0.0),
        selected=True,
        spans=_merged(document.span(first, last) for first, last in added.words),
        terms=_unique(" ".join(document.words.norms[first:last]) for first, last in added.words),
        origin="guideline",
        reading=added.reading,
        billable=billable,
    )


def _values(basis: Basis, ranker: Ranker) -> Iterable[tuple[str, float]]:
    """Each considered code with its probability."""
    if basis.prediction is not None:
        return ((code, scored.probability) for code, scored in basis.prediction.scored.items())
    return zip(basis.candidates.codes, alone(ranker.dictionary_alone, basis.candidates).tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class _Words:
    """What a code rests on."""

    origin: str
    spans: list[tuple[int, int]]
    terms: list[str]


def _words(
    code: str, evidence: CodeEvidence | None, loose: LooseMention | None, basis: Basis, places: dict[int, _Place]
) -> _Words | None:
    """The words of a code; None for one without: that is a prior, not a reading."""
    document = basis.note.document
    scored = basis.prediction.scored.get(code) if basis.prediction else None
    agrees = scored is not None and scored.support >= _MODEL_AGREES
    origin = "dictionary+model" if agrees else "dictionary"
    if evidence is not None and evidence.patients:
        spans = [document.span(read.mention.first, read.mention.last) for read in evidence.patients]
        return _Words(origin, spans, _unique(read.phrase for read in evidence.patients))
    if loose is not None:
        first, last = loose.mention.first, loose.mention.last
        return _Words(origin, [document.span(first, last)], [" ".join(document.words.norms[first:last])])
    if scored is not None and scored.positions and code not in _NEVER_GUESSED:
        return _Words("model", *_attributed(basis, scored.positions, places))
    return None


def _rated(valued: tuple[str, float, bool], words: _Words, evidence: CodeEvidence | None, reader: Reader) -> RankedCode:
    code, score, selected = valued
    reading: Reading | None = None
    if evidence is not None and evidence.patients:
        reading = min((read.reading for read in evidence.patients), key=lambda one: _doubt(one, code, reader))
    display, billable = _published(code, reader)
    return RankedCode(
        code=code,
        display=display,
        score=score,
        selected=selected,
        spans=words.spans,
        terms=words.terms,
        origin=words.origin,
        reading=reading,
        billable=billable,
    )


def _published(code: str, reader: Reader) -> tuple[str, bool]:
    """Name of a code, and whether it is complete; codes of another release have neither."""
    known = reader.code_set.codes.get(code)
    return (known.display, known.billable) if known else ("", False)


def _doubt(reading: Reading, code: str, reader: Reader) -> tuple[bool, bool, bool]:
    """Smaller is the firmer statement of a current condition."""
    return not is_current(reading, code, reader.chronic), reading.status != "present", reading.historical


def _attributed(basis: Basis, positions: Sequence[int], places: dict[int, _Place]) -> tuple[list[Span], list[str]]:
    """Spans and words of occurrences. places: those of the note that other codes have asked for already."""
    found = []
    for position in positions:
        place = places.get(position)
        if place is None:
            document = basis.note.document
            first, last = basis.occurrences.words[position]
            place = places[position] = document.span(first, last), " ".join(document.words.norms[first:last])
        found.append(place)
    if len(found) == 1:
        return [found[0][0]], [found[0][1]]
    return _merged([span for span, _term in found]), _unique([term for _span, term in found])


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
