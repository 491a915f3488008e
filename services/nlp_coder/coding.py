"""Ranked codes of a note, each with the words it rests on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from services.nlp_coder import kernels
from services.nlp_coder.assertion import Reading
from services.nlp_coder.code_relations import as_published
from services.nlp_coder.code_set import CodeSet, category_of
from services.nlp_coder.dictionary import Dictionary
from services.nlp_coder.document import Document, word_range
from services.nlp_coder.evidence import ChronicConditions, ReadMention, is_current
from services.nlp_coder.features import Occurrences
from services.nlp_coder.guidelines import HistoryCode, Withheld, apply_guidelines
from services.nlp_coder.laterality import sided_codes
from services.nlp_coder.loose import LooseMention, untelling_words
from services.nlp_coder.models import Prediction, Scored
from services.nlp_coder.ranking import Candidates, Ranker, alone
from services.nlp_coder.reading import Reader, ReadNote
from services.nlp_coder.tokens import row_of

LONGEST_RANKING = 100
# Who proposes a code that no words of the note name.
MODEL = "model"
# Who adds history, family and status codes.
GUIDELINE = "guideline"
Span = tuple[int, int]
# Characters of words, ascending, and the words, normalised.
_Words = tuple[list[Span], list[str]]
# A label that the model gives this much is part of why a code of the dictionary is proposed; local.
_MODEL_AGREES = 0.02
# Reasons to withhold a code whose words are those of mentions that are not the patient's.
_SAID_OTHERWISE = frozenset({"denied", "family", "other", "hypothetical"})
# Illness, and death, of unknown cause: said in so many words or not at all.
NEVER_GUESSED = frozenset({"R69", "R99"})
# Where clinicians state diagnoses.
_DIAGNOSTIC_SECTIONS = frozenset({"assessment", "impression"})
# Words that a line may have beside the diagnosis that it states: "chronic", "stable", "to bone".
_MOST_BESIDE = 2
# No training note has as few words; local.
_SHORT_NOTE_WORDS = 30
# The longest of the terms that name no condition.
_STOP_TERM_WORDS = 5
# "Metastatic breast cancer" states the breast cancer as well (guideline I.C.2).
_SPREAD = "metastatic "
# Diseases that single words name, "infection" or "wound", beside which something more exact mostly stands.
_TOO_VAGUE = frozenset({"B99.9", "T14.8", "T14.90", "D49.9", "I51.9", "J98.4", "K76.9", "N28.9"})


@dataclass(slots=True)
class RankedCode:
    """A proposed code; not to be changed, though not frozen, which costs time for a hundred a note.

    `spans`: characters, ascending. `terms`: those words, normalised.
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


@dataclass(slots=True)
class _Proposed:
    """A code with its probability; its words are put together only when they are asked for.

    patients: its mentions that are the patient's. others: those that are not. scored: what the model makes of
    it; None without an answer.
    """

    code: str
    score: float
    selected: bool
    patients: Sequence[ReadMention]
    others: Sequence[ReadMention]
    loose: LooseMention | None
    scored: Scored | None
    places: _Places
    _words: _Words | None = field(init=False, default=None)

    @property
    def spans(self) -> list[Span]:
        """Characters that it rests on."""
        return self.words()[0]

    def words(self) -> _Words:
        """Those of its mentions, else the tightest that stand apart, else those that the model names."""
        if self._words is None:
            self._words = self._found_words()
        return self._words

    def _found_words(self) -> _Words:
        document = self.places.document
        if self.patients:
            spans = [document.span(read.mention.first, read.mention.last) for read in self.patients]
            return spans, _unique([read.phrase for read in self.patients])
        if self.loose is not None:
            span, term = _place(document, self.loose.mention.first, self.loose.mention.last)
            return [span], [term]
        return self.places.words(self.scored.positions if self.scored is not None else ())

    @property
    def guessed(self) -> bool:
        """Whether only the model proposes it: no words of the note are a name of it."""
        return not self.patients and self.loose is None

    @property
    def origin(self) -> str:
        """Who proposes it."""
        if self.guessed:
            return MODEL
        agrees = self.scored is not None and self.scored.support >= _MODEL_AGREES
        return "dictionary+model" if agrees else "dictionary"


class _Places(dict[int, tuple[Span, str]]):
    """Occurrences by their number; many codes rest on the same few."""

    def __init__(self, basis: Basis) -> None:
        super().__init__()
        self.document, self._words = basis.note.document, row_of(basis.occurrences.words)

    def __missing__(self, position: int) -> tuple[Span, str]:
        first, last = self._words[2 * position : 2 * position + 2]
        place = self[position] = _place(self.document, first, last)
        return place

    def words(self, positions: Sequence[int]) -> _Words:
        """Characters and words of occurrences."""
        found = [self[position] for position in positions]
        if len(found) == 1:
            return [found[0][0]], [found[0][1]]
        return _merged([span for span, _term in found]), _unique([term for _span, term in found])


def _place(document: Document, first: int, last: int) -> tuple[Span, str]:
    """Characters of words, and the words."""
    norms = document.words.norms
    return document.span(first, last), norms[first] if last == first + 1 else " ".join(norms[first:last])


def ranked_codes(basis: Basis, ranker: Ranker, reader: Reader, kind: str = "") -> list[RankedCode]:
    """The best 100 codes by score, as the coding guidelines allow. kind: of the note, as in NoteReceived."""
    note = basis.note
    threshold = ranker.threshold if basis.prediction else ranker.dictionary_alone.threshold
    proposed = {one.code: one for one in _proposed(basis, ranker, threshold, reader)}
    mentions = _on_their_side(proposed, note, reader, threshold)
    ruling = apply_guidelines(list(proposed.values()), mentions, note.document, reader.guidelines, kind)
    added = {one.code: one for one in ruling.added}
    scores = {code: one.score for code, one in proposed.items()}
    # No model decides what the guidelines add: it stands at the operating point.
    scores |= {code: max(threshold, scores.get(code, 0.0)) for code in added}
    ranking = sorted(sorted(scores), key=scores.__getitem__, reverse=True)[:LONGEST_RANKING]
    return [
        _added(added[code], scores[code], note.document, reader)
        if code in added
        else _ranked(proposed[code], ruling.withheld.get(code), reader)
        for code in ranking
    ]


def _on_their_side(
    proposed: dict[str, _Proposed], note: ReadNote, reader: Reader, threshold: float
) -> Sequence[ReadMention]:
    """Propose, beside a code that leaves the side open, the one for the side that the note tells; as likely as it.

    Returns the mentions, each with the code of its side.
    """
    sided = sided_codes(note.mentions, note.document, reader.code_set)
    for code, other in sided.items():
        own, already = proposed.get(code), proposed.get(other)
        if own is not None:
            score = max(own.score, already.score if already else 0.0)
            patients = [*own.patients, *(already.patients if already else ())]
            proposed[other] = replace(own, code=other, score=score, selected=score >= threshold, patients=patients)
    return [
        replace(read, mention=replace(read.mention, code=sided[read.mention.code])) if read.mention.code in sided
        else read for read in note.mentions
    ] if sided else note.mentions  # fmt: skip


def _proposed(basis: Basis, ranker: Ranker, threshold: float, reader: Reader) -> Iterator[_Proposed]:
    """Each considered code that rests on words; one without is a prior, not a reading."""
    evidence, places = basis.note.evidence, _Places(basis)
    loose = {found.mention.code: found for found in basis.note.loose}
    scored = basis.prediction.scored if basis.prediction is not None else {}
    for code, score in _values(basis, ranker):
        own, apart, by_model = evidence.get(code), loose.get(code), scored.get(code)
        patients: Sequence[ReadMention] = own.patients if own is not None else ()
        others: Sequence[ReadMention] = own.others if own is not None else ()
        is_read = by_model is not None and by_model.positions and code not in NEVER_GUESSED
        if patients or apart is not None or is_read:
            if score < threshold and any(_is_stated(read, basis.note.document, reader.chronic) for read in patients):
                score = threshold  # noqa: PLW2901 - the same code's score, raised
            one = _Proposed(code, score, score >= threshold, patients, others, apart, by_model, places)
            if not (one.selected and one.guessed and _is_silent(one, reader.dictionary)):
                yield one


def _is_silent(guess: _Proposed, dictionary: Dictionary) -> bool:
    """Whether what weighs most are words of a term that names no condition: the diabetes of a "diabetes nurse"."""
    if guess.scored is None:
        return False
    document, ignored = guess.places.document, untelling_words()
    place = word_range(document, *guess.places[guess.scored.positions[0]][0])
    words = [word for word in range(*(place or (0, 0))) if document.words.norms[word] not in ignored]
    return bool(words) and all(_in_stop_term(document, word, dictionary) for word in words)


def _in_stop_term(document: Document, word: int, dictionary: Dictionary) -> bool:
    columns = document.columns
    return bool(
        kernels.in_other_phrase(
            *dictionary.trie, dictionary.has_code, columns.numbers, columns.stops, word, _STOP_TERM_WORDS
        )
    )


def warm_up_codes(note: ReadNote, reader: Reader) -> None:
    """Have the loops compiled that ranking asks. note: of any words, one of its mentions a past one."""
    _in_stop_term(note.document, 0, reader.dictionary)
    apply_guidelines([], note.mentions, note.document, reader.guidelines)


def _is_stated(read: ReadMention, document: Document, chronic: ChronicConditions) -> bool:
    """Whether a clinician names a disease as the diagnosis: it is coded on that statement (guideline I.A.19).

    Training notes have no such sections and no lists of problems, and are no single sentences, so the model knows
    nothing of them.
    """
    mention = read.mention
    return (
        mention.kind == "disease"
        and mention.code not in _TOO_VAGUE
        and read.reading.status == "present"
        and is_current(read.reading, mention.code, chronic)
        and (
            document.section_name(mention.first) in _DIAGNOSTIC_SECTIONS
            or read.phrase.startswith(_SPREAD)
            or len(document.words) <= _SHORT_NOTE_WORDS
            or _is_all_said(read, document)
        )
    )


def _is_all_said(read: ReadMention, document: Document) -> bool:
    """Whether it is a whole line or sentence, but for a word or two: an entry of a problem list."""
    first, last, sentence = read.mention.first, read.mention.last, document.sentence
    own = sentence[first]
    before = first - bisect_left(sentence, own, 0, first)
    after = bisect_right(sentence, own, last) - last
    return before + after <= _MOST_BESIDE


def _values(basis: Basis, ranker: Ranker) -> Iterable[tuple[str, float]]:
    """Each considered code with its probability."""
    if basis.prediction is not None:
        return [(code, scored.probability) for code, scored in basis.prediction.scored.items()]
    return zip(basis.candidates.codes, alone(ranker.dictionary_alone, basis.candidates).tolist(), strict=True)


def _ranked(one: _Proposed, withheld: Withheld | None, reader: Reader) -> RankedCode:
    """What the guidelines withhold keeps its score, which says what coders do, and is not selected."""
    code, reading = one.code, None
    if one.patients:
        readings = [read.reading for read in one.patients]
        reading = min(readings, key=lambda each: _doubt(each, code, reader)) if len(readings) > 1 else readings[0]
    spans, terms = one.words()
    if withheld is not None and withheld.reason in _SAID_OTHERWISE and one.others:
        # What denies it, or tells it of somebody else, is why; not what the model saw beside it.
        document = one.places.document
        spans = [document.span(read.mention.first, read.mention.last) for read in one.others]
        terms = _unique([read.phrase for read in one.others])
    display, billable = published(code, reader.code_set)
    is_selected = one.selected and withheld is None
    return RankedCode(code, display, one.score, is_selected, spans, terms, one.origin, reading, billable, withheld)


def _added(added: HistoryCode, score: float, document: Document, reader: Reader) -> RankedCode:
    """A history, family or status code."""
    display, billable = published(added.code, reader.code_set)
    places = [_place(document, first, last) for first, last in added.words]
    return RankedCode(
        code=added.code,
        display=display,
        score=score,
        selected=True,
        spans=_merged([span for span, _term in places]),
        terms=_unique([term for _span, term in places]),
        origin=GUIDELINE,
        reading=added.reading,
        billable=billable,
    )


def published(code: str, code_set: CodeSet) -> tuple[str, bool]:
    """Name of a code, and whether it is complete; a code of another release has its category's name."""
    known = code_set.codes.get(code)
    if known is not None:
        return known.display, known.billable
    above = code_set.codes.get(as_published(code, code_set) or category_of(code))
    return (above.display if above else ""), False


def _doubt(reading: Reading, code: str, reader: Reader) -> tuple[bool, bool, bool]:
    """Smaller is the firmer statement of a current condition."""
    return not is_current(reading, code, reader.chronic), reading.status != "present", reading.historical


def _merged(spans: list[Span]) -> list[Span]:
    """Ascending spans without overlaps."""
    if len(spans) == 1:
        return spans
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _unique(terms: list[str]) -> list[str]:
    return terms if len(terms) == 1 else list(dict.fromkeys(terms))
