"""Diseases that a note denies of the patient. Pure."""

from vigil.v1.notes_pb2 import Assertion, Entity, Experiencer, NoteCoded, Temporality

DISEASE = "disease"
STATED = frozenset({Assertion.ASSERTION_PRESENT, Assertion.ASSERTION_POSSIBLE})
CATEGORY_LENGTH = 3  # of an ICD-10-CM code, e.g. J18 of J18.9


def category(code: str) -> str:
    """The three characters of a disease without its kind."""
    return code[:CATEGORY_LENGTH]


def denied(note: NoteCoded) -> list[Entity]:
    """Each disease once that the note says the patient does not have now, without its place in the text.

    What the same note elsewhere states as present or possible is not denied by it.
    """
    mentions = [one for one in note.entities if one.code and _of_patient_now(one)]
    stated = {category(one.code) for one in mentions if one.assertion in STATED}
    absent = (one for one in mentions if one.type == DISEASE and one.assertion == Assertion.ASSERTION_ABSENT)
    codes = {one.code for one in absent if category(one.code) not in stated}
    return [_denial(code) for code in sorted(codes)]


def _of_patient_now(entity: Entity) -> bool:
    return (
        entity.experiencer == Experiencer.EXPERIENCER_PATIENT and entity.temporality == Temporality.TEMPORALITY_CURRENT
    )


def _denial(code: str) -> Entity:
    return Entity(
        type=DISEASE,
        code=code,
        assertion=Assertion.ASSERTION_ABSENT,
        temporality=Temporality.TEMPORALITY_CURRENT,
        experiencer=Experiencer.EXPERIENCER_PATIENT,
    )
