"""Entities of a note: what dictionary, names of drugs and model find, each once, with what is said of it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.assertion import PLAIN, Reading
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document
from services.nlp_coder.dosing import Dose
from services.nlp_coder.drugs import Drug, DrugMention, load_drugs
from services.nlp_coder.entity_model import NOTE, LabelledWords, NoteEntities
from services.nlp_coder.entity_spans import edges
from services.nlp_coder.evidence import ReadMention
from services.nlp_coder.loose import untelling_words
from services.nlp_coder.phrases import PhraseTable
from services.nlp_coder.prescriptions import Attribute, parts_by_medication
from services.nlp_coder.reading import ReadNote
from services.nlp_coder.sections import ALLERGIES, OTHER
from services.nlp_coder.tokens import words_of

# What the labels of each corpus are here. BC5CDR, NCBI Disease and Chia mark symptoms as diseases or conditions.
TYPES: Mapping[tuple[str, str], str] = {
    ("maccrobat", "Medication"): "medication",
    ("maccrobat", "Sign_symptom"): "sign_symptom",
    ("maccrobat", "Disease_disorder"): "disease",
    ("maccrobat", "Therapeutic_procedure"): "procedure",
    ("maccrobat", "Diagnostic_procedure"): "test",
    ("maccrobat", "Biological_structure"): "anatomy",
    ("bc5cdr", "Chemical"): "medication",
    ("bc5cdr", "Disease"): "disease",
    ("ncbi_disease", "Disease"): "disease",
    ("chia", "Condition"): "disease",
    ("chia", "Drug"): "medication",
    ("chia", "Procedure"): "procedure",
    ("chia", "Measurement"): "test",
}
_VALUES = frozenset({("maccrobat", "Lab_value"), ("chia", "Value")})
_SEVERITIES = frozenset({("maccrobat", "Severity")})
# Codes of chapter 21 say in what state somebody is, beside what is named there.
_STATUSES = "Z"
# All that is made of what the model finds; its other labels are not asked for.
LABELS = frozenset({*TYPES, *_VALUES, *_SEVERITIES})
_CONDITIONS = frozenset({"disease", "sign_symptom"})
# Words before a condition that say how severe it is, and of a place on which side it is.
_SEVERE = frozenset(
    [
        "mild",
        "moderate",
        "severe",
        "marked",
        "massive",
        "profound",
        "slight",
        "minimal",
        "significant",
        "extensive",
        "intense",
    ]
)
_SIDES = frozenset({"left", "right", "bilateral", "bilaterally", "unilateral", "both"})
# "4.5 g/dL", "<20 mg/dL", "98.6": the number and what it is counted in.
_VALUE = re.compile(
    r"[^\d]{0,3}(?P<number>\d+(?:[.,]\d+)?)\s*"
    r"(?P<unit>(?:[A-Za-z%\u00b5\u03bc\u00b0]|/(?=[A-Za-z]))[\w%\u00b5\u03bc/^.*-]{0,14})?"
)
MOST_WORDS_OF_A_NAME = 6


@dataclass(slots=True)
class FoundEntity:
    """An entity: words `first` up to but not including `last`, their characters, and what is known of it."""

    type: str
    first: int
    last: int
    start: int
    end: int
    origin: str
    reading: Reading = PLAIN
    code: str = ""
    name: str = ""
    concept: str = ""
    rules: str = ""
    attributes: list[Attribute] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EntityTables:
    """Names of drugs, and symptoms by their normalised words: (concept, its name)."""

    drugs: PhraseTable[Drug]
    symptoms: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class EntityReader:
    """What marks entities beyond those of the code set's dictionary."""

    tables: EntityTables
    model: NoteEntities


def load_entity_tables() -> EntityTables:
    """Read the tables."""
    symptoms: dict[str, tuple[str, str]] = {}
    for name, concept, display in rows("symptom_names.tsv", 3):
        # "Headaches" has another singular than "headache".
        for written in (name, f"{name}s"):
            symptoms.setdefault(" ".join(words_of(written).norms), (concept, display))
    return EntityTables(load_drugs(), symptoms)


def entities_of(
    note: ReadNote, drugs: Sequence[DrugMention], spans: Sequence[LabelledWords], kind: str, tables: EntityTables
) -> list[FoundEntity]:
    """All entities in the order of the text. spans: what the model found; none when it did not answer.

    In notes the dictionary's mentions stand as they are and the model adds what it does not know. Other kinds of text
    are marked by the rules of their corpus: there the model's span stands and has the code of the mention in it.
    """
    document = note.document
    named = [_of_name(one, document) for one in drugs if _is_medication(one, document)]
    if kind == NOTE or not spans:
        measured = {word for one in drugs if _is_measured(one, document) for word in range(one.first, one.last)}
        model = [one for one in _of_model(spans, document) if not _is_plain(one, document, measured)]
        ranked = [_outside_names(of_dictionary(note), named), named, model]
    else:
        ranked = [_of_model(spans, document), of_dictionary(note), named]
    found = _once_each(ranked)
    for one in found:
        if one.origin != _DICTIONARY and one.type != "anatomy":
            one.reading = _reading(one, document)
        _name(one, note, tables)
    medications = [one for one in found if one.type == "medication"]
    places = [(one.start, one.end) for one in medications]
    for one, own in zip(medications, parts_by_medication(document, places), strict=True):
        one.attributes += own
    _attach(found, spans, document)
    return found


def _of_model(spans: Sequence[LabelledWords], document: Document) -> list[FoundEntity]:
    """Spans that have a type here, are no header and no function word, and end in their own sentence."""
    text, norms, sentence, ignored = document.text, document.words.norms, document.sentence, untelling_words()
    found = []
    for span in spans:
        type_, first, last = TYPES.get((span.corpus, span.label)), span.first, span.last
        if type_ is None or (last - first == 1 and norms[first] in ignored) or document.in_header(first):
            continue
        if sentence[first] != sentence[last - 1]:
            continue
        start, end = edges(document, first, last, span.label)
        # "Respiratory: no cough" has a header, though none of a section.
        if text[end : end + 1] != ":" or (first and sentence[first - 1] == sentence[first]):
            found.append(FoundEntity(type_, first, last, start, end, "model", rules=span.corpus))
    return found


@cache
def _plain_words() -> Mapping[str, frozenset[str]]:
    return {type_: frozenset(words.split()) for type_, words, _source in rows("entity_plain_words.tsv", 3)}


def _is_plain(one: FoundEntity, document: Document, measured: set[int]) -> bool:
    """Whether it has only words that name nothing ("medications", "alert"), or is a medication that is measured."""
    if one.type == "medication" and measured.issuperset(range(one.first, one.last)):
        return True
    plain = _plain_words().get(one.type)
    return plain is not None and plain.issuperset(document.words.norms[one.first : one.last])


def _outside_names(dictionary: list[FoundEntity], named: Sequence[FoundEntity]) -> list[FoundEntity]:
    """Without what is part of a longer name: "AF" of "Lotrimin AF" is no fibrillation."""
    long = {
        word: one.last - one.first for one in named if one.last - one.first > 1 for word in range(one.first, one.last)
    }
    if not long:
        return dictionary
    return [
        one
        for one in dictionary
        if one.code.startswith(_STATUSES)
        or one.last - one.first >= min(long.get(word, 0) for word in range(one.first, one.last))
    ]


def of_dictionary(note: ReadNote) -> list[FoundEntity]:
    """The mentions of the code set's dictionary, which do not overlap, in order."""
    return [_of_dictionary(read, note.document) for read in note.mentions]


def _of_dictionary(read: ReadMention, document: Document) -> FoundEntity:
    mention = read.mention
    start, end = document.span(mention.first, mention.last)
    return FoundEntity(mention.kind, mention.first, mention.last, start, end, _DICTIONARY, read.reading, mention.code)


def _of_name(one: DrugMention, document: Document) -> FoundEntity:
    start, end = document.span(one.first, one.last)
    return FoundEntity("medication", one.first, one.last, start, end, "drug names")


_DICTIONARY = "dictionary"
# Medications "as needed" are taken.
_NEEDED = frozenset({"as needed", "if needed", "when needed"})


def _reading(one: FoundEntity, document: Document) -> Reading:
    """How an entity reads; most stand in a sentence, and a section, that says nothing of what is in it."""
    if (
        not document.has_question
        and document.sentence[one.first] not in document.triggers.speaking
        and document.section_name(one.first) == OTHER
    ):
        return PLAIN
    reading = document.reading(one.first, one.last, is_asked=True)
    if one.type != "medication" or reading.trigger is None:
        return reading
    first, last = reading.trigger
    words = document.words.norms[first:last]
    is_needed = reading.status == "hypothetical" and (words[-1:] == ["prn"] or " ".join(words[-2:]) in _NEEDED)
    # "Tylenol No. 3" denies nothing.
    if is_needed or one.first <= first < one.last:
        return replace(reading, status="present", trigger=None)
    return reading


_UNITS = r"(?:mg|mcg|g|gm|ml|cc|units?|meq|tabs?|tablets?|caps?|capsules?)(?![A-Za-z])"
_DOSED = re.compile(rf"\s*\(?\d[\d.,]*\s*-?(?:{_UNITS}|%)", re.IGNORECASE)
_DOSE_OF = re.compile(rf"(?:\d\s*-?{_UNITS}|\bdoses?)\s+(?:of\s+)?$", re.IGNORECASE)
_DOSE_REACH = 24
_RESULT = re.compile(r"[\s:=]*(?:(?:was|is|of)\s+)?[<>]?\d")
_LISTS = frozenset({"medications", ALLERGIES})
_LEVELS = frozenset({"level", "concentration", "assay", "screen"})


def _is_medication(one: DrugMention, document: Document) -> bool:
    """What a laboratory measures is none; an everyday word is one only in a list of medications or beside a dose."""
    if document.in_header(one.first):
        return False
    is_listed = document.section_name(one.first) in _LISTS
    is_measured = _is_measured(one, document)
    return (not is_measured and (is_listed or not one.drug.is_everyday)) or _is_dosed(one, document)


def _is_measured(one: DrugMention, document: Document) -> bool:
    """Whether it is a level ("digoxin level"), or stands among results with a number and no unit."""
    if not _LEVELS.isdisjoint(document.words.norms[one.last : one.last + 1]):
        return True
    end = document.words.ends[one.last - 1]
    return (
        document.section_name(one.first) == "laboratory"
        and _RESULT.match(document.text, end) is not None
        and not _is_dosed(one, document)
    )


def _is_dosed(one: DrugMention, document: Document) -> bool:
    start, end = document.span(one.first, one.last)
    before = _DOSE_OF.search(document.text, max(0, start - _DOSE_REACH), start)
    return before is not None or _DOSED.match(document.text, end) is not None


def _once_each(ranked: Sequence[Sequence[FoundEntity]]) -> list[FoundEntity]:
    """Of entities over one another those that stand earlier in `ranked`.

    Statuses are apart from the rest: "Aspirin 81" is also a long-term use of aspirin. Places of the body do not keep
    others away, and are left out inside them.
    """
    kept: list[FoundEntity] = []
    taken: dict[int, FoundEntity] = {}
    for entities in ranked:
        for one in entities:
            if one.code.startswith(_STATUSES):
                kept.append(one)
                continue
            over = {id(taken[word]): taken[word] for word in range(one.first, one.last) if word in taken}
            if one.type == "anatomy":
                # "chest" of "chest pain" is told with it.
                if not over:
                    kept.append(one)
            elif not over:
                kept.append(one)
                for word in range(one.first, one.last):
                    taken[word] = one
            elif len(over) == 1:
                [other] = over.values()
                _agree(other, one)
    return sorted(kept, key=attrgetter("start", "end"))


def _agree(kept: FoundEntity, other: FoundEntity) -> None:
    """What stands over a kept entity lends it its code, and its rules where they say the same."""
    if other.code and not kept.code and kept.type in _CONDITIONS:
        kept.code, kept.origin = other.code, "dictionary+model"
    elif other.rules and kept.type == other.type and (kept.first, kept.last) == (other.first, other.last):
        kept.rules, kept.origin = other.rules, f"{kept.origin}+model"


def _name(one: FoundEntity, note: ReadNote, tables: EntityTables) -> None:
    """Ingredients of a medication, concept of a symptom."""
    norms = note.document.words.norms
    if one.type == "medication":
        one.name = _ingredients(note.document.columns.numbers[one.first : one.last], tables.drugs)
    elif one.type in _CONDITIONS and one.last - one.first <= MOST_WORDS_OF_A_NAME:
        concept = tables.symptoms.get(" ".join(norms[one.first : one.last]))
        if concept is not None:
            one.concept, one.name = concept


def _ingredients(numbers: NDArray[np.int64], drugs: PhraseTable[Drug]) -> str:
    """Of the longest name among the words; names may stand side by side ("lisinopril/hydrochlorothiazide")."""
    found, start = [], 0
    while start < len(numbers):
        longest = drugs.longest_from(numbers, start, len(numbers))
        if longest is None:
            start += 1
        else:
            start = longest[0]
            found.append(longest[1].ingredients)
    return " + ".join(dict.fromkeys(found))


def _attach(found: list[FoundEntity], spans: Sequence[LabelledWords], document: Document) -> None:
    """Values to their tests, degrees to their conditions, sides to places and conditions."""
    norms = document.words.norms
    is_severe, is_sided = not _SEVERE.isdisjoint(norms), not _SIDES.isdisjoint(norms)
    for one in found if is_severe or is_sided else ():
        if is_severe and one.type in _CONDITIONS:
            one.attributes += _degrees(one, document)
        if is_sided and (one.type in _CONDITIONS or one.type == "anatomy"):
            one.attributes += _sides(one, document)
    others = [span for span in spans if (span.corpus, span.label) not in TYPES]
    values = [span for span in others if (span.corpus, span.label) in _VALUES and not _is_date(span, document)]
    for span, test in zip(values, attach_values(found, values, document), strict=True):
        if test is not None:
            test.attributes += _value(span, document)
    for span in others:
        if (span.corpus, span.label) in _SEVERITIES:
            _attach_severity(span, found, document)


def _degrees(one: FoundEntity, document: Document) -> Iterator[Attribute]:
    before = one.first - 1
    if before >= 0 and document.words.norms[before] in _SEVERE and document.stops[before] > one.first:
        start, end = document.span(before, one.first)
        yield Attribute("severity", start, end, document.words.norms[before])


def _sides(one: FoundEntity, document: Document) -> Iterator[Attribute]:
    norms = document.words.norms
    before = one.first - 1 if one.first and document.stops[one.first - 1] > one.first else one.first
    for word in range(before, one.last):
        if norms[word] in _SIDES:
            start, end = document.span(word, word + 1)
            side = norms[word]
            yield Attribute("laterality", start, end, "bilateral" if side in ("bilaterally", "both") else side)
            return


def _nearest(
    span: LabelledWords, found: Sequence[FoundEntity], document: Document, types: frozenset[str], *, follows: bool
) -> FoundEntity | None:
    """The closest entity of some types in the sentence of a span; of two as close the one before it.

    follows: one before it that no comma parts from it goes before all others ("pressure is 152/80, pulse 80").
    """
    sentence, clauses = document.sentence[span.first], document.clauses
    best: tuple[tuple[bool, int, bool], FoundEntity] | None = None
    index = bisect_right(found, document.words.starts[span.first], key=attrgetter("start"))
    for one in found[max(0, index - _AROUND) : index + _AROUND]:
        if one.type in types and document.sentence[one.first] == sentence:
            is_before = one.last <= span.first
            distance = span.first - one.last if is_before else one.first - span.last
            is_same = clauses[one.last - 1] == clauses[span.first]
            # "Pulse is 80, temperature 98": the 80 is never the temperature's.
            if follows and not is_before and not is_same:
                continue
            is_parted = not (follows and is_before and is_same)
            place = is_parted, distance, not is_before
            if distance >= 0 and (best is None or place < best[0]):
                best = place, one
    return best[1] if best else None


_AROUND = 8
_TESTS = frozenset({"test"})


def attach_values(
    found: Sequence[FoundEntity], values: Sequence[LabelledWords], document: Document
) -> list[FoundEntity | None]:
    """Of each result the test that it belongs to: of a number the one before it in its clause, else the closest."""
    return [_nearest(span, found, document, _TESTS, follows=_has_number(span, document)) for span in values]


_DATE = re.compile(r"\W*\d{1,2}([/-])\d{1,2}\1(?:\d{4}|\d{2})\W*")


def _is_date(span: LabelledWords, document: Document) -> bool:
    """A date is when, not what."""
    return _DATE.fullmatch(document.text, *document.span(span.first, span.last)) is not None


def _has_number(span: LabelledWords, document: Document) -> bool:
    """A number follows its test; "normal" may stand before it."""
    return any(norm[:1].isdigit() for norm in document.words.norms[span.first : span.last])


def _value(span: LabelledWords, document: Document) -> Iterator[Attribute]:
    start, end = edges(document, span.first, span.last, span.label)
    text = document.text[start:end]
    value = _VALUE.fullmatch(text.strip())
    dose = Dose(float(value["number"].replace(",", ".")), None, value["unit"] or "") if value else None
    yield Attribute("value", start, end, text, dose)
    if value and value["unit"]:
        at = start + text.index(value["unit"], value.start("unit"))
        yield Attribute("unit", at, at + len(value["unit"]), value["unit"])


def _attach_severity(span: LabelledWords, found: Sequence[FoundEntity], document: Document) -> None:
    one = _nearest(span, found, document, _CONDITIONS, follows=False)
    start, end = document.span(span.first, span.last)
    if one is not None and not any(own.start == start and own.name == "severity" for own in one.attributes):
        one.attributes.append(Attribute("severity", start, end, document.text[start:end].lower()))
