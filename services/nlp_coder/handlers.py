"""Code one note: the same for the topic, for gRPC and for the command line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from vigil.v1.meta_pb2 import Span
from vigil.v1.notes_pb2 import NoteCoded, NoteReceived

from services.common.bus import Publish
from services.common.clock import Clock
from services.common.meta import derived_meta
from services.common.metrics import observe_stage
from services.common.outcomes import Invalid
from services.common.topics import Topic
from services.common.triton import ModelUnavailable
from services.nlp_coder import messages, metrics
from services.nlp_coder.audit import audit
from services.nlp_coder.audit_messages import add_audit, assigned_icd10cm
from services.nlp_coder.audit_policy import Auditor
from services.nlp_coder.coding import Basis, ranked_codes, warm_up_codes
from services.nlp_coder.document import read
from services.nlp_coder.drugs import DrugMention, drugs_in
from services.nlp_coder.entities import EntityReader, FoundEntities, found_entities, of_dictionary
from services.nlp_coder.entity_features import EntityInput, encoded
from services.nlp_coder.entity_model import NO_SPANS, NOTE, EntityPrediction
from services.nlp_coder.features import ModelInput, model_inputs, windows_in
from services.nlp_coder.findings import Finding, findings_of, is_report
from services.nlp_coder.guesses import NO_GUESSES, GuessTable, set_apart, warm_up_guesses
from services.nlp_coder.language import Languages, reason_not_to_read
from services.nlp_coder.models import IcdCoder, Prediction, joined
from services.nlp_coder.note_kind import RADIOLOGY, UNKNOWN, kind_of, load_kind_cues
from services.nlp_coder.ranking import Candidates, Ranker, candidates_of
from services.nlp_coder.reading import Reader, ReadNote, read_note
from services.nlp_coder.report_modality import modality_of
from services.nlp_coder.report_terms import ReportTerms

log = structlog.get_logger()

# Longer notes, and those with more spans to read, are worked on in a thread, so that heartbeats and other notes go on.
_LONG_NOTE_CHARS = 20_000
_MANY_SPANS = 1_000
_MANY_ASSIGNED = 50
_ALONE = "codes are from the dictionary and the rules alone"
_NAMED_ALONE = "entities are from the dictionary and the names of drugs alone"
# By whose rules notes are marked, and who else finds medications in them: no corpus holds notes.
_FOR_NOTES = "maccrobat"


@dataclass(frozen=True, slots=True)
class Coder:
    """What coding a note needs. `max_note_chars`: characters that are read.

    entities: None where only the dictionary's are marked.
    """

    reader: Reader
    ranker: Ranker
    auditor: Auditor
    report_terms: ReportTerms
    languages: Languages
    icd_coder: IcdCoder
    guesses: GuessTable
    entities: EntityReader | None
    clock: Clock
    max_note_chars: int

    def __repr__(self) -> str:
        """Short: 100 MB of tables are nothing to print."""
        return "Coder(...)"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the sender wants to know beside the codes: how spans read, and what is to say of codes that were assigned.

    assigned: None when nobody assigned any, and nobody asks.
    """

    spans: Sequence[Span]
    assigned: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A note, read, with its candidate codes, model input (a window, or more) and report findings.

    kind: what the sender says, else what the text shows; "" for neither. words: input of the entity model, None where
    it is not asked.
    """

    note: ReadNote
    drugs: list[DrugMention]
    words: EntityInput | None
    kind: str
    candidates: Candidates
    inputs: list[ModelInput]
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the models said; None for one that did not answer."""

    codes: Prediction | None
    entities: EntityPrediction | None


async def code_received_note(note: NoteReceived, deps: Coder) -> Publish:
    """Code a note of the topic. An outage of Triton delays it and then degrades the answer; it never fails the note.

    Raises Invalid for a note without a message id, which could not be told from another.
    """
    if not note.meta.message_id:
        raise Invalid("the note has no message_id")
    coded = await code_note(note, deps)
    observe_stage("coded", note.meta, deps.clock)
    return Publish(to=Topic.NOTES_CODED, key=note.meta.patient_key, message=coded)


async def code_note(
    note: NoteReceived, deps: Coder, asked: Sequence[Span] = (), *, must_audit: bool = False
) -> NoteCoded:
    """Read a note: codes, entities, report findings and the assertion of the `asked` spans.

    Assigned codes are audited; with `must_audit` a note without any is held to lack all that it documents.
    Every text gets an answer: what is not read says why in `abstained`, what is cut is `truncated`. Asked spans are
    answered by the rules of assertion in either case.
    """
    coded = NoteCoded(
        meta=derived_meta(note.meta, "coded", deps.clock),
        document_id=note.document_id,
        note_message_id=note.meta.message_id,
        kind=note.kind,
        replaces_document_id=note.replaces_document_id,
        accession_key=note.accession_key,
        text=note.text,
        code_set_version=deps.reader.code_set.version,
    )
    metrics.NOTE_CHARACTERS.observe(len(note.text))
    coded.abstained = reason_not_to_read(note.text, note.language, deps.languages)
    text = note.text[: deps.max_note_chars]
    if coded.abstained:
        metrics.notes("abstained").inc()
        if asked:
            await asyncio.to_thread(_answer_spans, coded, text, asked, deps)
        return coded
    assigned = assigned_icd10cm(note.assigned_codes)
    wanted = _Wanted(asked, assigned if assigned or must_audit else None)
    is_long = len(text) > _LONG_NOTE_CHARS or len(asked) > _MANY_SPANS or len(assigned) > _MANY_ASSIGNED
    prepared = await _prepared(text, note.kind, deps, is_long=is_long)
    answers = await _asked(prepared, deps, coded)
    fill = partial(_fill, coded, prepared, answers, deps, wanted)
    is_whole = await asyncio.to_thread(fill) if is_long else fill()
    coded.truncated = len(text) < len(note.text) or not is_whole
    coded.threshold = deps.ranker.dictionary_alone.threshold if answers.codes is None else deps.ranker.threshold
    metrics.notes("degraded" if coded.degraded else "coded").inc()
    return coded


def _answer_spans(coded: NoteCoded, text: str, asked: Sequence[Span], deps: Coder) -> None:
    messages.add_span_assertions(coded, read(text, deps.reader.grammar), asked)


async def _prepared(text: str, kind: str, deps: Coder, *, is_long: bool) -> _Prepared:
    if is_long:
        return await asyncio.to_thread(_read, text, kind, deps)
    return await deps.icd_coder.served.turns.take(partial(_read, text, kind, deps))


def _read(text: str, kind: str, deps: Coder) -> _Prepared:
    started = time.thread_time()
    note = read_note(text, deps.reader)
    drugs = drugs_in(note.document, deps.entities.tables.drugs) if deps.entities is not None else []
    words = _words(note, drugs, deps.entities)
    vocabulary = deps.icd_coder.vocabulary
    candidates = candidates_of(note, deps.ranker.hits)
    windows = windows_in(note.document, note.mentions, vocabulary)
    shown = kind_of(note.document, load_kind_cues()) if kind in UNKNOWN else ""
    # A text that shows no radiology may still hold a report, as far as its sender knows.
    report_kind = RADIOLOGY if shown == RADIOLOGY else kind
    is_read = is_report(report_kind, note.document)
    findings = findings_of(note.document, deps.report_terms, report_kind) if is_read else []
    metrics.READ_SECONDS.observe(time.thread_time() - started)
    metrics.NOTE_WINDOWS.observe(len(windows))
    own_kind = shown if kind in UNKNOWN else kind
    inputs = model_inputs(windows, candidates, vocabulary)
    return _Prepared(note, drugs, words, own_kind, candidates, inputs, findings)


def _words(note: ReadNote, drugs: Sequence[DrugMention], entities: EntityReader | None) -> EntityInput | None:
    """Input of the entity model; None for a text without words, or where it is not asked."""
    if entities is None or not len(note.document.words):
        return None
    places = [(one.first, one.last) for one in drugs]
    return encoded(note.document, note.mentions, places, entities.model.vocabulary)


def warm_up(deps: Coder) -> None:
    """Have everything compiled, or loaded, that reading a note needs, so that none waits for it."""
    for text in _WARMING:
        reason_not_to_read(text, "", deps.languages)
        prepared = _read(text, "", deps)
        warm_up_codes(prepared.note, deps.reader)
        warm_up_guesses(prepared.note, deps.guesses)
        messages.add_entities(NoteCoded(), _entities(prepared, None, deps))


# With and without characters beyond ASCII, since loops over either are compiled on their own.
_WARMING = (
    "HISTORY: No fever, right leg pain, history of pneumonia. Aspirin 81 mg daily.",
    "HISTORY: No fever, 39 \u00b0C, right leg pain, history of pneumonia.",
)


async def _asked(prepared: _Prepared, deps: Coder, coded: NoteCoded) -> _Answers:
    """What the models say, with `coded` naming those that answered and why others did not."""
    if prepared.words is None:
        codes, entities = await _predicted(prepared, deps), None
    else:
        codes, entities = await asyncio.gather(_predicted(prepared, deps), _labelled(prepared, deps))
    for answer, without in ((codes, _ALONE), (entities, _NAMED_ALONE)):
        if isinstance(answer, ModelUnavailable):
            log.warning("a model did not answer", message_id=coded.note_message_id, reason=answer.reason)
            reasons = [coded.degraded_reason] if coded.degraded else []
            coded.degraded, coded.degraded_reason = True, "; ".join([*reasons, answer.reason, without])
        elif answer is not None:
            coded.models.append(answer.version)
    found = _Answers(
        None if isinstance(codes, ModelUnavailable) else codes,
        None if isinstance(entities, ModelUnavailable) else entities,
    )
    coded.entity_rules = found.entities.kind if found.entities is not None else ""
    return found


async def _predicted(prepared: _Prepared, deps: Coder) -> Prediction | ModelUnavailable | None:
    """The coder's answer, or why there is none; None for a note without a known word."""
    if not prepared.inputs:
        return None
    try:
        return await deps.icd_coder.predict(prepared.candidates.codes, prepared.inputs)
    except ModelUnavailable as error:
        return error


async def _labelled(prepared: _Prepared, deps: Coder) -> EntityPrediction | ModelUnavailable | None:
    """The entity model's answer, or why there is none; None where it is not asked."""
    if deps.entities is None or prepared.words is None:
        return None
    try:
        return await deps.entities.model.predict(prepared.words)
    except ModelUnavailable as error:
        return error


def _entities(prepared: _Prepared, labelled: EntityPrediction | None, deps: Coder) -> FoundEntities:
    """What the dictionary, the names of drugs and, when it answered, the model find."""
    if deps.entities is None:
        return of_dictionary(prepared.note)
    kind = labelled.kind if labelled is not None else NOTE
    corpus = _FOR_NOTES if kind == NOTE else kind
    document = prepared.note.document
    spans = deps.entities.model.spans(labelled, document, corpus) if labelled is not None else NO_SPANS
    return found_entities(prepared.note, prepared.drugs, spans, kind, deps.entities.tables)


def _fill(coded: NoteCoded, prepared: _Prepared, answers: _Answers, deps: Coder, wanted: _Wanted) -> bool:
    """Whether everything that was read is in the answer, which Kafka has to take in one message."""
    document, prediction = prepared.note.document, answers.codes
    entities = _entities(prepared, answers.entities, deps)
    occurrences = joined([window.occurrences for window in prepared.inputs])
    guesses = NO_GUESSES
    if prediction is not None and wanted.assigned is not None:
        # An audit may ask for any code.
        prediction = prediction.whole(deps.guesses.codes)
    elif prediction is not None:
        prediction, guesses = set_apart(prediction, prepared.note, occurrences, deps.ranker.threshold, deps.guesses)
    basis = Basis(prepared.note, prepared.candidates, occurrences, prediction)
    codes = ranked_codes(basis, deps.ranker, deps.reader, prepared.kind)
    coded.kind_detected = prepared.kind if coded.kind in UNKNOWN else ""
    messages.add_sections(coded, document)
    messages.add_codes(coded, codes, guesses)
    messages.add_entities(coded, entities)
    messages.add_findings(coded, prepared.findings)
    coded.report_modality = modality_of(document) if prepared.findings else ""
    messages.add_span_assertions(coded, document, wanted.spans)
    if wanted.assigned is not None:
        alone = prediction is None
        add_audit(coded, audit(wanted.assigned, prepared.note, codes, deps.auditor, degraded=alone))
    selected = [code.origin for code in codes if code.selected]
    for origin in set(selected):
        metrics.codes(origin).inc(selected.count(origin))
    return messages.is_whole(document, entities, codes, prepared.findings)
