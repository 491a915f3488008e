"""What notes and images state about a term: which of them counts, and the evidence for it. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from vigil.v1.images_pb2 import ImageFindings
from vigil.v1.meta_pb2 import Evidence
from vigil.v1.notes_pb2 import Assertion, Experiencer, NoteCode, NoteCoded, ReportFinding, Temporality

from services.fusion.denials import category
from services.fusion.rules import Term
from services.fusion.state import microseconds

TEXT = "text"
IMAGE = "image"
POSITIVE = "positive"
NEGATIVE = "negative"


@dataclass(slots=True)
class Statement:
    """What one note or one imaging study says of a term. `holds` when anything in it says yes."""

    at: int
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return bool(self.evidence)


@dataclass(frozen=True, slots=True)
class Sources:
    """Notes (as the state keeps them) and images that may still support something, oldest first."""

    notes: Sequence[NoteCoded]
    images: Sequence[ImageFindings]

    def since(self, oldest: int) -> "Sources":
        """Those of event times from `oldest` on, in microseconds since 1970."""
        return Sources(
            [note for note in self.notes if microseconds(note.meta.event_time) >= oldest],
            [image for image in self.images if microseconds(image.meta.event_time) >= oldest],
        )


def supporting(term: Term, sources: Sources) -> dict[str, list[Evidence]]:
    """Evidence for a term by source. Of each source only its newest statement counts: a later "no" ends it."""
    newest = {TEXT: _newest(_in_notes(term, sources.notes)), IMAGE: _newest(_in_images(term, sources.images))}
    return {source: one.evidence for source, one in newest.items() if one is not None and one.holds}


def _newest(statements: Iterable[Statement]) -> Statement | None:
    """Of several of one time, one that says yes."""
    return max(statements, key=lambda one: (one.at, one.holds), default=None)


def _in_notes(term: Term, notes: Sequence[NoteCoded]) -> Iterator[Statement]:
    for note in notes:
        codes = [code for code in note.codes if term.codes and code.code.startswith(term.codes)]
        findings = [finding for finding in note.findings if finding.label in term.findings]
        present = [code for code in codes if is_asserted(code) and not _is_denied_later(code, note, notes)]
        positive = [finding for finding in findings if finding.status == POSITIVE]
        if present or positive or _denies(term, note, codes, findings):
            statement = Statement(microseconds(note.meta.event_time))
            statement.evidence += [_of_note(note, f"{one.code} {one.display}", one.spans) for one in present]
            statement.evidence += [_of_note(note, one.label.replace("_", " "), one.spans) for one in positive]
            yield statement


def _denies(term: Term, note: NoteCoded, codes: Iterable[NoteCode], findings: Iterable[ReportFinding]) -> bool:
    """Whether the note says no to all that the term means."""
    return (
        any(code.assertion == Assertion.ASSERTION_ABSENT for code in codes)
        or any(finding.status == NEGATIVE for finding in findings)
        or any(code.startswith(term.general) for code in _denied_codes(note))
    )


def _is_denied_later(code: NoteCode, note: NoteCoded, notes: Iterable[NoteCoded]) -> bool:
    """Whether a newer note denies a disease of the same three characters."""
    at, disease = microseconds(note.meta.event_time), category(code.code)
    return any(
        microseconds(other.meta.event_time) > at and disease in map(category, _denied_codes(other)) for other in notes
    )


def _denied_codes(note: NoteCoded) -> list[str]:
    return [one.code for one in note.entities if one.assertion == Assertion.ASSERTION_ABSENT]


def is_asserted(code: NoteCode) -> bool:
    """Selected, and stated of this patient as present now."""
    return (
        code.selected
        and code.assertion == Assertion.ASSERTION_PRESENT
        and code.temporality == Temporality.TEMPORALITY_CURRENT
        and code.experiencer == Experiencer.EXPERIENCER_PATIENT
    )


def _of_note(note: NoteCoded, statement: str, spans: Iterable[object]) -> Evidence:
    return Evidence(
        kind="note",
        message_id=note.note_message_id,
        spans=spans,  # type: ignore[arg-type]
        event_time=note.meta.event_time,
        statement=statement,
    )


def _in_images(term: Term, images: Iterable[ImageFindings]) -> Iterator[Statement]:
    """A statement a study: one positive picture of it is enough, and its negative ones take nothing back."""
    studies: dict[str, Statement] = {}
    for image in images:
        found = [one for one in image.findings if one.label in term.images] if image.scope.in_scope else []
        if not found:
            continue
        study = image.image.study_instance_uid or image.image_message_id
        at = microseconds(image.meta.event_time)
        statement = studies.setdefault(study, Statement(at))
        statement.at = max(statement.at, at)
        statement.evidence += [_of_image(image, one.label, one.probability) for one in found if one.positive]
    yield from studies.values()


def _of_image(image: ImageFindings, label: str, probability: float) -> Evidence:
    return Evidence(
        kind="image",
        message_id=image.image_message_id,
        sop_instance_uid=image.image.sop_instance_uid,
        event_time=image.meta.event_time,
        statement=f"{label} {probability:.2f} by {image.model.name}",
    )
