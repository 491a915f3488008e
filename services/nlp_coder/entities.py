"""Entities of a note: what dictionary, names of drugs and model find, each once, with what is said of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import joining_kernels as joining
from services.nlp_coder.assertion import PLAIN, Reading
from services.nlp_coder.data_files import rows
from services.nlp_coder.document import Document, may_say_how_to_read
from services.nlp_coder.dosing import Dose
from services.nlp_coder.drugs import Drug, DrugMention, load_drugs
from services.nlp_coder.entity_model import MEANINGS, NOTE, LabelledSpans, LabelledWords, NoteEntities
from services.nlp_coder.entity_spans import edges
from services.nlp_coder.evidence import ReadMention
from services.nlp_coder.joining_kernels import (
    ANATOMY,
    DICTIONARY,
    END,
    FIRST,
    IS_ASKED,
    LAST,
    MEDICATION,
    MENTION,
    ORIGIN,
    RULES,
    SEVERE,
    SIDED,
    START,
    SYMPTOM,
    TYPE,
    UNTELLING,
    VALUE,
)
from services.nlp_coder.loose import untelling_words
from services.nlp_coder.numbered import by_number
from services.nlp_coder.phrases import PhraseTable, phrase_table
from services.nlp_coder.prescriptions import Attribute, parts_by_medication
from services.nlp_coder.reading import ReadNote
from services.nlp_coder.sections import ALLERGIES
from services.nlp_coder.tokens import words_of

# By their numbers in `joining_kernels`.
TYPES = ("medication", "sign_symptom", "disease", "procedure", "test", "anatomy")
ORIGINS = ("dictionary", "drug names", "model", "dictionary+model", "drug names+model")
# The label by whose rules the characters of a value are found.
_VALUE_LABEL = "Value"
# Codes of chapter 21 say in what state somebody is, beside what is named there.
_STATUSES = "Z"
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
_SIDES = {side: side for side in ("left", "right", "bilateral", "unilateral")} | dict.fromkeys(
    ("bilaterally", "both"), "bilateral"
)
# "4.5 g/dL", "<20 mg/dL", "98.6": the number and what it is counted in.
_VALUE = re.compile(
    r"[^\d]{0,3}(?P<number>\d+(?:[.,]\d+)?)\s*"
    r"(?P<unit>(?:[A-Za-z%\u00b5\u03bc\u00b0]|/(?=[A-Za-z]))[\w%\u00b5\u03bc/^.*-]{0,14})?"
)


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


@dataclass(slots=True)
class FoundEntities:
    """All entities of a note in the order of the text, as `joining_kernels` has them.

    rows: int64 [N, COLUMNS]. mentions: those of the dictionary, which rows name. readings: of each row. names: by row,
    (concept, name) of a symptom and ("", ingredients) of a medication. attributes: by row. rules: the corpus whose
    rules the model followed.
    """

    rows: NDArray[np.int64]
    mentions: Sequence[ReadMention]
    readings: Sequence[Reading]
    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    attributes: dict[int, list[Attribute]] = field(default_factory=dict)
    rules: str = ""

    def __len__(self) -> int:
        return len(self.rows)

    def listed(self) -> list[FoundEntity]:
        """Each as an object."""
        found = []
        for index, (row, reading) in enumerate(zip(self.rows.tolist(), self.readings, strict=True)):
            code = self.mentions[row[MENTION]].mention.code if row[MENTION] >= 0 else ""
            concept, name = self.names.get(index, ("", ""))
            rules, own = self.rules if row[RULES] else "", self.attributes.get(index, [])
            places = row[FIRST], row[LAST], row[START], row[END]
            found.append(
                FoundEntity(TYPES[row[TYPE]], *places, ORIGINS[row[ORIGIN]], reading, code, name, concept, rules, own)
            )
        return found


@dataclass(frozen=True, slots=True)
class EntityTables:
    """Names of drugs, and of symptoms: (concept, its name)."""

    drugs: PhraseTable[Drug]
    symptoms: PhraseTable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class EntityReader:
    """What marks entities beyond those of the code set's dictionary."""

    tables: EntityTables
    model: NoteEntities


def load_entity_tables() -> EntityTables:
    """Read the tables."""
    symptoms = phrase_table(
        (words_of(written).norms, (concept, display))
        for name, concept, display in rows("symptom_names.tsv", 3)
        # "Headaches" has another singular than "headache".
        for written in (name, f"{name}s")
    )
    return EntityTables(load_drugs(), symptoms)


def entities_of(
    note: ReadNote, drugs: Sequence[DrugMention], spans: Sequence[LabelledWords], kind: str, tables: EntityTables
) -> list[FoundEntity]:
    """`found_entities`, each as an object."""
    labelled = LabelledSpans(
        spans[0].corpus if spans else "",
        _table([(one.first, one.last, MEANINGS[one.corpus, one.label]) for one in spans], 3),
    )
    return found_entities(note, drugs, labelled, kind, tables).listed()


def found_entities(
    note: ReadNote, drugs: Sequence[DrugMention], spans: LabelledSpans, kind: str, tables: EntityTables
) -> FoundEntities:
    """All entities in the order of the text. spans: what the model found; none when it did not answer.

    In notes the dictionary's mentions stand as they are and the model adds what it does not know. Other kinds of text
    are marked by the rules of their corpus: there the model's span stands and has the code of the mention in it.
    """
    document, columns = note.document, note.document.columns
    named, is_measured = _named(drugs, document)
    sections = document.sections
    is_told = [document.has_question or may_say_how_to_read(one.name) for one in sections]
    speaking = np.zeros(len(document.sentence_starts), dtype=np.bool_)
    speaking[list(document.triggers.speaking)] = True
    found, inside, said = joining.joined(
        columns.characters, columns.layout(), np.array([one.body for one in sections], dtype=np.int64),
        _classes_of_words(), np.array(is_told, dtype=np.bool_), speaking, tables.symptoms.trie, tables.drugs.trie,
        _of_mentions(note.mentions), named, is_measured, spans.rows, kind == NOTE or not len(spans.rows),
    )  # fmt: skip
    entities = FoundEntities(found, note.mentions, [], rules=spans.corpus)
    entities.readings = _readings(found.tolist(), note)
    entities.names = names_of(found, inside, tables)
    entities.attributes = _attributes(found, document)
    _attach(entities, said, document)
    _attach_spans(entities, spans, document)
    return entities


def of_dictionary(note: ReadNote) -> FoundEntities:
    """The mentions of the code set's dictionary alone, which do not overlap, in order."""
    columns = note.document.columns
    found = _of_mentions(note.mentions)
    alone = np.full((len(found), joining.COLUMNS), -1, dtype=np.int64)
    alone[:, TYPE], alone[:, FIRST], alone[:, LAST] = found[:, 2], found[:, 0], found[:, 1]
    alone[:, START], alone[:, END] = columns.starts[found[:, 0]], columns.ends[found[:, 1] - 1]
    alone[:, ORIGIN], alone[:, RULES], alone[:, MENTION] = DICTIONARY, 0, np.arange(len(found))
    return FoundEntities(alone, note.mentions, [one.reading for one in note.mentions])


def _table(found: Sequence[Sequence[int]], columns: int) -> NDArray[np.int64]:
    return np.array(found, dtype=np.int64).reshape(-1, columns)


def _of_mentions(mentions: Sequence[ReadMention]) -> NDArray[np.int64]:
    """For `joined`."""
    each = [one.mention for one in mentions]
    return _table([(one.first, one.last, _KINDS[one.kind], one.code[0] == _STATUSES) for one in each], 4)


_KINDS = {name: number for number, name in enumerate(TYPES)}


@cache
def _classes_of_words() -> NDArray[np.int16]:
    """Classes of words by number, as `joining_kernels` has them."""
    classes: dict[str, int] = {}
    plain = {1 << _KINDS[type_]: words.split() for type_, words, _source in rows("entity_plain_words.tsv", 3)}
    for bit, words in {**plain, UNTELLING: untelling_words(), SEVERE: _SEVERE, SIDED: _SIDES}.items():
        for word in words:
            classes[word] = classes.get(word, 0) | bit
    return by_number(classes, np.int16)


def _named(drugs: Sequence[DrugMention], document: Document) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Names of drugs that are medications, for `joined`; and of each word whether a laboratory measures it."""
    named, is_measured = [], np.zeros(len(document.words), dtype=np.bool_)
    for one in drugs:
        measured = _is_measured(one, document)
        if measured:
            is_measured[one.first : one.last] = True
        if _is_medication(one, document, is_measured=measured):
            named.append((one.first, one.last, MEDICATION, 0))
    return _table(named, 4), is_measured


def _readings(found: Sequence[Sequence[int]], note: ReadNote) -> list[Reading]:
    """How each entity reads; most stand in a sentence, and a section, that says nothing of what is in it."""
    asked = [row for row in found if row[IS_ASKED]]
    answers = iter(note.document.readings([(row[FIRST], row[LAST]) for row in asked], is_asked=True))
    return [
        note.mentions[row[MENTION]].reading
        if row[ORIGIN] == DICTIONARY
        else _reading(row, next(answers), note.document)
        if row[IS_ASKED]
        else PLAIN
        for row in found
    ]


# Medications "as needed" are taken.
_NEEDED = frozenset({"as needed", "if needed", "when needed"})


def _reading(row: Sequence[int], reading: Reading, document: Document) -> Reading:
    """The same of a medication, of which a trigger may say something else."""
    if row[TYPE] != MEDICATION or reading.trigger is None:
        return reading
    first, last = reading.trigger
    words = document.words.norms[first:last]
    is_needed = reading.status == "hypothetical" and (words[-1:] == ["prn"] or " ".join(words[-2:]) in _NEEDED)
    # "Tylenol No. 3" denies nothing.
    if is_needed or row[FIRST] <= first < row[LAST]:
        return replace(reading, status="present", trigger=None)
    return reading


_UNITS = r"(?:mg|mcg|g|gm|ml|cc|units?|meq|tabs?|tablets?|caps?|capsules?)(?![A-Za-z])"
_DOSED = re.compile(rf"\s*\(?\d[\d.,]*\s*-?(?:{_UNITS}|%)", re.IGNORECASE)
_DOSE_OF = re.compile(rf"(?:\d\s*-?{_UNITS}|\bdoses?)\s+(?:of\s+)?$", re.IGNORECASE)
_DOSE_REACH = 24
_RESULT = re.compile(r"[\s:=]*(?:(?:was|is|of)\s+)?[<>]?\d")
_LISTS = frozenset({"medications", ALLERGIES})
_LEVELS = frozenset({"level", "concentration", "assay", "screen"})


def _is_medication(one: DrugMention, document: Document, *, is_measured: bool) -> bool:
    """What a laboratory measures is none; an everyday word is one only in a list of medications or beside a dose."""
    if document.in_header(one.first):
        return False
    is_listed = document.section_name(one.first) in _LISTS
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


def names_of(found: NDArray[np.int64], inside: NDArray[np.int64], tables: EntityTables) -> dict[int, tuple[str, str]]:
    """By row the concept and name of a symptom, and the ingredients of a medication: of the names inside it."""
    symptoms = tables.symptoms.values
    names = {row: symptoms[value] for row, value in enumerate(found[:, SYMPTOM].tolist()) if value >= 0}
    ingredients: dict[int, list[str]] = {}
    for row, phrase in inside.tolist():
        ingredients.setdefault(row, []).append(tables.drugs.values[phrase].ingredients)
    # Names may stand side by side ("lisinopril/hydrochlorothiazide").
    names.update((row, ("", " + ".join(dict.fromkeys(each)))) for row, each in ingredients.items())
    return names


def _attributes(found: NDArray[np.int64], document: Document) -> dict[int, list[Attribute]]:
    """By row what is said of each medication."""
    medications = np.flatnonzero(found[:, TYPE] == MEDICATION).tolist()
    if not medications:
        return {}
    places = list(map(tuple, found[medications, START : END + 1].tolist()))
    own = parts_by_medication(document, places)
    return {row: parts for row, parts in zip(medications, own, strict=True) if parts}


def _attach(entities: FoundEntities, said_before: NDArray[np.int64], document: Document) -> None:
    """Degrees to their conditions, sides to places and conditions."""
    norms = document.words.norms
    for row, kind, word in said_before.tolist():
        said, (start, end) = norms[word], document.span(word, word + 1)
        name, value = ("severity", said) if kind == SEVERE else ("laterality", _SIDES[said])
        entities.attributes.setdefault(row, []).append(Attribute(name, start, end, value))


def _attach_spans(entities: FoundEntities, spans: LabelledSpans, document: Document) -> None:
    """Values to their tests, and degrees that the model found to their conditions."""
    others = spans.rows[spans.rows[:, 2] > ANATOMY].tolist()
    for row, (first, last, kind) in zip(_owners(entities.rows, others, document), others, strict=True):
        start, end = document.span(first, last)
        if row < 0 or (kind == VALUE and _is_date(start, end, document.text)):
            continue
        own = entities.attributes.setdefault(row, [])
        if kind == VALUE:
            own += _value(first, last, document)
        elif not any(one.start == start and one.name == "severity" for one in own):
            own.append(Attribute("severity", start, end, document.text[start:end].lower()))


def attach_values(
    found: Sequence[FoundEntity], values: Sequence[LabelledWords], document: Document
) -> list[FoundEntity | None]:
    """Of each result the test that it belongs to: of a number the one before it in its clause, else the closest.

    found: in order of the text.
    """
    entities = np.zeros((len(found), joining.COLUMNS), dtype=np.int64)
    for row, one in enumerate(found):
        entities[row, [TYPE, FIRST, LAST, START]] = _KINDS[one.type], one.first, one.last, one.start
    rows_of = _owners(entities, [(one.first, one.last, VALUE) for one in values], document)
    return [found[row] if row >= 0 else None for row in rows_of]


def _owners(entities: NDArray[np.int64], spans: Sequence[Sequence[int]], document: Document) -> list[int]:
    """Of each value or degree (words, and which of the two it is) the row of what it belongs to, or -1."""
    if not spans:
        return []
    norms = document.words.norms
    # A number follows its test; "normal" may stand before it.
    has_number = [any(norm[:1].isdigit() for norm in norms[first:last]) for first, last, _kind in spans]
    found = joining.owners(entities, _table(spans, 3), np.array(has_number, dtype=np.bool_), document.columns.layout())
    return found.tolist()  # type: ignore[no-any-return]


_DATE = re.compile(r"\W*\d{1,2}([/-])\d{1,2}\1(?:\d{4}|\d{2})\W*")


def _is_date(start: int, end: int, text: str) -> bool:
    """A date is when, not what."""
    return _DATE.fullmatch(text, start, end) is not None


def _value(first: int, last: int, document: Document) -> Iterator[Attribute]:
    start, end = edges(document, first, last, _VALUE_LABEL)
    text = document.text[start:end]
    value = _VALUE.fullmatch(text.strip())
    dose = Dose(float(value["number"].replace(",", ".")), None, value["unit"] or "") if value else None
    yield Attribute("value", start, end, text, dose)
    if value and value["unit"]:
        at = start + text.index(value["unit"], value.start("unit"))
        yield Attribute("unit", at, at + len(value["unit"]), value["unit"])
