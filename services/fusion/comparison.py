"""Radiology reports held against what models read in the same studies: agree, disagree, or it cannot be told. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from vigil.v1.images_pb2 import ImageFinding, ImageFindings
from vigil.v1.notes_pb2 import NoteCoded, ReportFinding
from vigil.v1.risk_pb2 import ReportComparison

from services.fusion.anatomy import ALL_ZONES, most_of, said_places, share_in, sides_of, zones_of
from services.fusion.state import microseconds

POSITIVE, NEGATIVE, UNCERTAIN = "positive", "negative", "uncertain"
AGREE, DISAGREE, CANNOT_TELL = "agree", "disagree", "cannot_tell"
BY_ACCESSION, BY_TIME, BY_CALLER = "accession number", "time", "caller"
NO_FINDING = "no_finding"
BRAIN = "brain_"
_STANDS = {POSITIVE: "is", NEGATIVE: "is not"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a model says what a label of reports means.

    present: its labels that say yes, any of them. absent: labels that say no. narrower: it speaks of one cause of what
    the label names, so that its no leaves the others.
    """

    present: tuple[str, ...]
    absent: tuple[str, ...] = ()
    narrower: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """What the reports of a model's images are of.

    modality: as NoteCoded.report_modality says it. brain: labels of the brain, else of the chest. whole: one image
    shows all of the part; of a slice's no nothing follows for the rest. meanings: by label of reports.
    """

    modality: str
    brain: bool
    whole: bool
    meanings: Mapping[str, Meaning]


OPACITY = Meaning(("pneumonia",), narrower=True)
SUBJECTS: Mapping[str, Subject] = {
    "cxr_findings": Subject(
        modality="radiograph",
        brain=False,
        whole=True,
        meanings={
            "pneumonia": Meaning(("pneumonia",)),
            "consolidation": OPACITY,
            "infiltration": OPACITY,
            "lung_opacity": OPACITY,
            NO_FINDING: Meaning((NO_FINDING,)),
        },
    ),
    "brain_mri_tumour": Subject(
        modality="MR",
        brain=True,
        whole=False,
        meanings={"brain_mass": Meaning(("meningioma", "glioma", "pituitary"), ("no_tumour",))},
    ),
}


@dataclass(slots=True)
class Study:
    """The images of one study that one model read, oldest first."""

    model: str
    images: list[ImageFindings] = field(default_factory=list)

    @property
    def subject(self) -> Subject:
        """What its reports are of."""
        return SUBJECTS[self.model]

    @property
    def at(self) -> int:
        """Event time of the newest, microseconds since 1970."""
        return max(microseconds(image.meta.event_time) for image in self.images)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a study's images say of a label: the image that decides, its finding, and the verdict."""

    image: ImageFindings
    finding: ImageFinding
    verdict: str


@dataclass(frozen=True, slots=True)
class Said:
    """A report, its finding of a label, and how it came to the study."""

    note: NoteCoded
    finding: ReportFinding
    matched_by: str


def comparisons(
    notes: Sequence[NoteCoded], images: Sequence[ImageFindings], window: timedelta
) -> list[ReportComparison]:
    """Every label of every report that belongs to a study which a model read, by study, then by label.

    A report belongs to the study with its accession number; where none has it, to the one nearest in time within
    `window`, of the same part of the body and not of another modality. Of several reports of one study the newest that
    speaks of a label counts.
    """
    reports = [note for note in notes if note.findings]
    studies = studies_of(images) if reports else []
    found = []
    for study in studies:
        by_label: dict[str, Said] = {}
        for note in reports:
            matched_by = _matched_by(note, study, studies, window)
            if matched_by:
                by_label |= {one.label: Said(note, one, matched_by) for one in _speaking(note, study.subject)}
        found += [compared(by_label[label], study) for label in sorted(by_label)]
    return found


def of_one_study(note: NoteCoded, image: ImageFindings) -> list[ReportComparison]:
    """The same of a report and an image that the caller says belong together, by label; empty when they cannot."""
    studies = studies_of([image])
    if not studies or not is_about(note, studies[0].subject, is_matched=True):
        return []
    said = sorted(_speaking(note, studies[0].subject), key=lambda finding: finding.label)
    return [compared(Said(note, finding, BY_CALLER), studies[0]) for finding in said]


def studies_of(images: Iterable[ImageFindings]) -> list[Study]:
    """Images by study and model; those that no model with reports read are left out."""
    studies: dict[tuple[str, str], Study] = {}
    for image in images:
        if image.scope.in_scope and image.findings and image.model.name in SUBJECTS:
            study = image.image.study_instance_uid or image.image_message_id
            studies.setdefault((study, image.model.name), Study(image.model.name)).images.append(image)
    return list(studies.values())


def _matched_by(note: NoteCoded, study: Study, studies: Sequence[Study], window: timedelta) -> str:
    """How a report belongs to a study; empty when it does not."""
    if not is_about(note, study.subject):
        return ""
    with_number = [other for other in studies if _has_number(other, note.accession_key)]
    if with_number:
        return BY_ACCESSION if study in with_number else ""
    at = microseconds(note.meta.event_time)
    others = [other for other in studies if other.model == study.model]
    nearest = min(others, key=lambda other: (abs(other.at - at), other.images[0].meta.message_id))
    is_near = abs(study.at - at) <= window // timedelta(microseconds=1)
    return BY_TIME if nearest is study and is_near else ""


def _has_number(study: Study, accession_key: str) -> bool:
    return bool(accession_key) and any(image.image.accession_key == accession_key for image in study.images)


def is_about(note: NoteCoded, subject: Subject, *, is_matched: bool = False) -> bool:
    """Whether a report may be of such images: of the part of the body, and not made in another way.

    is_matched: somebody says that it is. Else a report that says nothing but that there is nothing must say how its
    images were made: it names no part of the body.
    """
    if note.report_modality not in ("", subject.modality):
        return False
    labels = {finding.label for finding in note.findings} - {NO_FINDING}
    if not labels:
        return bool(note.findings) and (is_matched or bool(note.report_modality)) and not subject.brain
    return any(label.startswith(BRAIN) == subject.brain for label in labels)


def _speaking(note: NoteCoded, subject: Subject) -> Iterator[ReportFinding]:
    for finding in note.findings:
        if finding.label == NO_FINDING:
            if NO_FINDING in subject.meanings and finding.status == POSITIVE:
                yield finding
        elif finding.label.startswith(BRAIN) == subject.brain:
            yield finding


def compared(said: Said, study: Study) -> ReportComparison:
    """One label of a report beside what the study's images say of it."""
    meaning = study.subject.meanings.get(said.finding.label)
    seen = _seen(meaning, study) if meaning is not None else None
    places = said_places(said.finding)
    made = ReportComparison(
        label=said.finding.label,
        report_status=said.finding.status,
        spans=said.finding.spans,
        report_regions=places,
        note_message_id=said.note.note_message_id,
        document_id=said.note.document_id,
        model=study.model,
        matched_by=said.matched_by,
    )
    image = seen.image if seen is not None else study.images[-1]
    made.image_message_id, made.sop_instance_uid = image.image_message_id, image.image.sop_instance_uid
    if meaning is None or seen is None:
        made.verdict, made.reason = CANNOT_TELL, f"{study.model} does not read for it"
        return made
    made.image_verdict, made.image_label, made.probability = seen.verdict, seen.finding.label, seen.finding.probability
    if seen.verdict == POSITIVE:
        made.image_regions.extend(_shown(seen, study.subject))
    made.verdict, made.reason = _verdict(said.finding, seen, meaning, study.subject)
    return made


def _seen(meaning: Meaning, study: Study) -> Seen | None:
    """The study's strongest statement: one image that says yes is enough, then one that cannot tell."""
    stated = [seen for image in study.images for seen in _stated(meaning, image)]
    strength = (NEGATIVE, CANNOT_TELL, POSITIVE)
    return max(stated, key=lambda one: (strength.index(one.verdict), one.finding.probability), default=None)


def _stated(meaning: Meaning, image: ImageFindings) -> Iterator[Seen]:
    present = [finding for finding in image.findings if finding.label in meaning.present]
    if not present:
        return
    likeliest = max(present, key=lambda finding: (finding.positive, finding.probability))
    denied = any(finding.positive for finding in image.findings if finding.label in meaning.absent)
    yield Seen(image, likeliest, NEGATIVE if denied and not likeliest.positive else verdict_of(likeliest))


def verdict_of(finding: ImageFinding) -> str:
    """As the model states it; readings from before verdicts had a single operating point."""
    return finding.verdict or (POSITIVE if finding.positive else NEGATIVE)


def _verdict(finding: ReportFinding, seen: Seen, meaning: Meaning, subject: Subject) -> tuple[str, str]:
    """The verdict and why."""
    why_not = _untellable(finding, seen, meaning, subject)
    if why_not:
        return CANNOT_TELL, why_not
    if finding.status == seen.verdict:
        return AGREE, f"both say that it {_STANDS[seen.verdict]} there"
    return (
        DISAGREE,
        f"the report says that it {_STANDS[finding.status]} there, the model that it {_STANDS[seen.verdict]}",
    )


def _untellable(finding: ReportFinding, seen: Seen, meaning: Meaning, subject: Subject) -> str:
    """Why it cannot be told; empty when it can."""
    if finding.status == UNCERTAIN:
        return "the report is not certain"
    if seen.verdict == CANNOT_TELL:
        return "the model cannot tell"
    if finding.status == seen.verdict:
        return _apart(finding, seen, subject) if seen.verdict == POSITIVE else ""
    if seen.verdict == NEGATIVE and not subject.whole:
        return "the slices that were read need not show it"
    if seen.verdict == NEGATIVE and meaning.narrower:
        return f"the model reads for {meaning.present[0]} alone, which is one cause of it"
    return ""


def _apart(finding: ReportFinding, seen: Seen, subject: Subject) -> str:
    """Why the places differ; empty when they do not, or when one of both names none."""
    places = said_places(finding)
    if subject.brain:
        sides, shown = sides_of(places), {region.side for region in seen.image.regions} - {""}
        return "the report and the outline name different sides" if sides and shown and not sides & shown else ""
    zones = zones_of(places)
    if not zones or not seen.finding.places:
        return ""
    share = share_in(zones, seen.finding.places)
    if share * ALL_ZONES >= len(zones):  # as much as chance would put there
        return ""
    return f"the places differ: {share:.0%} of what the model saw lies where the report says"


def _shown(seen: Seen, subject: Subject) -> list[str]:
    if subject.brain:
        return sorted({region.side for region in seen.image.regions} - {""})
    return most_of(seen.finding.places)
