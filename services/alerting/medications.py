"""What a patient's notes say of each medication over time, and where they do not agree. Pure.

Notes speak, nobody decides: a statement is what one note says once, with its words and how sure it is. Statements are
put in order and held against one another; none is dropped in favour of another. Nothing is known here of what was
ordered or given.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from vigil.v1.alerts_pb2 import NotePlace, PatientAlerts
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import Assertion, Entity, Experiencer, NoteCoded, Temporality

from services.alerting.patient_alerts import standing_notes
from services.alerting.prescription_words import spoken

MEDICATION = "medication"
KEPT_OF_A_NOTE = 60  # mentions; a discharge letter with two lists has about 40
ATTRIBUTES = frozenset({"dose", "route", "frequency", "duration", "status"})

ALLERGY = "allergy"
PRESENT = frozenset({Assertion.ASSERTION_PRESENT, Assertion.ASSERTION_UNSPECIFIED})
STATED = PRESENT | {Assertion.ASSERTION_CONDITIONAL}
STOPPED = frozenset({"stopped", "held"})
GOES_ON = frozenset({"continued", "changed"})
TAKEN = GOES_ON | {"started"}
OF_THE_PATIENT = frozenset({Experiencer.EXPERIENCER_PATIENT, Experiencer.EXPERIENCER_UNSPECIFIED})
# A statement with one of these says itself why it differs from the one before.
NEW_COURSE = frozenset({"started", "changed", *STOPPED})
COMPARED = ("dose", "route", "frequency")


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """What a note says once of a medication.

    at: event time of the note, nanoseconds since 1970. values: normalised, by attribute, e.g. {"dose": ["40 mg"]}.
    """

    note: NotePlace
    entity: Entity
    at: int
    values: Mapping[str, Sequence[str]]

    @property
    def status(self) -> str:
        """What happens to it, e.g. "started", or "allergy"; empty for a bare mention."""
        return self.values["status"][0] if "status" in self.values else ""

    @property
    def holds(self) -> bool:
        """Whether it is said of this patient, as present, and now; what one is allergic to reads as conditional."""
        entity = self.entity
        return (
            entity.assertion in (STATED if self.status == ALLERGY else PRESENT)
            and entity.temporality != Temporality.TEMPORALITY_HISTORICAL
            and entity.experiencer in OF_THE_PATIENT
        )

    @property
    def is_denied(self) -> bool:
        """Whether it is said of this patient, and denied."""
        return self.entity.assertion == Assertion.ASSERTION_ABSENT and self.entity.experiencer in OF_THE_PATIENT

    @property
    def is_taken(self) -> bool:
        """Whether it says that the patient takes it; a bare name does not say so ("after furosemide")."""
        return (self.status in TAKEN or (not self.status and "dose" in self.values)) and self.holds

    @property
    def place(self) -> tuple[int, str, int, int]:
        """Order: by event time of the note, then by place in it."""
        span = self.entity.span
        return self.at, self.note.note_message_id, span.start, span.end


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Statements that do not go together.

    kind: "allergy", "allergy_denied", "status", "after_stop", "denied"; or "dose", "route", "frequency" for what
    differs without anybody saying that it was changed. sentence: for a clinician.
    """

    kind: str
    sentence: str
    statements: tuple[Statement, ...]


@dataclass(slots=True)
class Row:
    """One ingredient: statements by time, and where they disagree."""

    name: str
    statements: list[Statement] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that the standing notes say. allergies, medications: by ingredient, in alphabetical order.

    unnamed: words read as a medication whose ingredient nobody knows. notes: the notes that count, oldest first.
    """

    allergies: Sequence[Row]
    medications: Sequence[Row]
    unnamed: Sequence[Statement]
    notes: Sequence[NotePlace]


def medications_of(note: NoteCoded) -> list[Entity]:
    """The note's medications as they are kept: names, normalised values and spans, the first of very many."""
    found = [entity for entity in note.entities if entity.type == MEDICATION]
    return [_slim(entity) for entity in found[:KEPT_OF_A_NOTE]]


def how_read(note: NoteCoded) -> str:
    """`NotePlace.medications_read` of a note."""
    if note.abstained:
        return "nothing"
    if note.truncated or sum(entity.type == MEDICATION for entity in note.entities) > KEPT_OF_A_NOTE:
        return "part"
    return "names" if note.text and not note.entity_rules else "whole"


def _slim(entity: Entity) -> Entity:
    return Entity(
        name=entity.name,
        span=Span(start=entity.span.start, end=entity.span.end),
        assertion=entity.assertion,
        temporality=entity.temporality,
        experiencer=entity.experiencer,
        attributes=[one for one in entity.attributes if one.name in ATTRIBUTES],
    )


def timeline_of(state: PatientAlerts) -> Timeline:
    """The timeline of a patient. Notes that were taken back, corrected or replaced do not count."""
    notes = standing_notes(state)
    statements = sorted((one for note in notes for one in _statements(note)), key=lambda one: one.place)
    by_ingredient: dict[str, list[Statement]] = {}
    for one in statements:
        for ingredient in dict.fromkeys(filter(None, one.entity.name.split(" + "))):
            by_ingredient.setdefault(ingredient, []).append(one)
    allergies, medications = [], []
    for name, said in sorted(by_ingredient.items()):
        of_allergy = [one for one in said if one.status == ALLERGY]
        others = [one for one in said if one.status != ALLERGY]
        against = _allergy_and_taken(name, of_allergy, others)
        if of_allergy:
            allergies.append(Row(name, of_allergy, [*against, *_allergy_denied(name, of_allergy)]))
        if others:
            medications.append(Row(name, others, [*against, *_disagreements(name, others)]))
    return Timeline(allergies, medications, [one for one in statements if not one.entity.name], notes)


def _statements(note: NotePlace) -> Iterator[Statement]:
    at = note.event_time.ToNanoseconds()
    for entity in note.medications:
        values: dict[str, list[str]] = {}
        for attribute in entity.attributes:
            if attribute.value:
                values.setdefault(attribute.name, []).append(attribute.value)
        yield Statement(note, entity, at, values)


def _allergy_and_taken(name: str, allergies: Iterable[Statement], others: Iterable[Statement]) -> list[Disagreement]:
    stated = [one for one in allergies if one.holds]
    taken = [one for one in others if one.is_taken]
    if not stated or not taken:
        return []
    return [Disagreement("allergy", f"An allergy to {name} is stated, and that it is taken.", (stated[-1], taken[-1]))]


def _allergy_denied(name: str, allergies: Iterable[Statement]) -> list[Disagreement]:
    stated = [one for one in allergies if one.holds]
    denied = [one for one in allergies if one.is_denied]
    if not stated or not denied:
        return []
    return [Disagreement("allergy_denied", f"An allergy to {name} is stated, and denied.", (stated[-1], denied[-1]))]


def _disagreements(name: str, statements: Sequence[Statement]) -> Iterator[Disagreement]:
    yield from _within_notes(name, statements)
    yield from _after_stop(name, statements)
    yield from _differences(statements)


def _within_notes(name: str, statements: Iterable[Statement]) -> Iterator[Disagreement]:
    """Of one time: stopped and going on, taken and denied."""
    for _, group in groupby(statements, lambda one: one.at):
        said = list(group)
        ends = next((one for one in said if one.holds and one.status in STOPPED), None)
        goes = next((one for one in said if one.holds and one.status in TAKEN), None)
        taken = next((one for one in said if one.is_taken), None)
        denied = next((one for one in said if one.is_denied), None)
        if ends and goes:
            sentence = f"{_capital(name)} is said to be {goes.status} and {ends.status} at the same time."
            yield Disagreement("status", sentence, (goes, ends))
        if taken and denied:
            sentence = f"{_capital(name)} is said to be taken, and denied, at the same time."
            yield Disagreement("denied", sentence, (taken, denied))


def _after_stop(name: str, statements: Iterable[Statement]) -> Iterator[Disagreement]:
    """Going on although it was stopped earlier, and nobody says that it was started again."""
    stopped: Statement | None = None
    for one in statements:
        if not one.holds:
            continue
        if one.status in STOPPED:
            stopped = one
        elif one.status == "started":
            stopped = None
        elif stopped is not None and one.is_taken and one.at != stopped.at:
            sentence = (
                f"{_capital(name)} goes on after it was {stopped.status}; no note says that it was started again."
            )
            yield Disagreement("after_stop", sentence, (stopped, one))
            stopped = None


def _differences(statements: Iterable[Statement]) -> Iterator[Disagreement]:
    """A dose, route or frequency other than the last one of the same product, and nobody says that it was changed."""
    last: dict[tuple[str, str], Statement] = {}
    for one in statements:
        if not one.holds:
            continue
        for name in COMPARED:
            if name not in one.values:
                continue
            before = last.get((one.entity.name, name))
            differs = before is not None and set(one.values[name]) != set(before.values[name])
            if before is not None and differs and one.status not in NEW_COURSE:
                words = f"{_listed(one, name)} after {_listed(before, name)}; no note says that it was changed."
                yield Disagreement(name, f"{_capital(name)} {words}", (before, one))
            last[(one.entity.name, name)] = one


def _listed(one: Statement, name: str) -> str:
    return ", ".join(spoken(attribute) for attribute in one.entity.attributes if attribute.name == name)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
