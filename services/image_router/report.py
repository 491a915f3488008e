"""A report draft by templates: one sentence a finding or region. Always preliminary."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vigil.v1.images_pb2 import ImageFinding, Region, ReportSentence
from vigil.v1.meta_pb2 import ModelVersion


@dataclass(frozen=True, slots=True)
class Wording:
    """study: what was read. labels: what a finding is called. normal: labels that state an absence."""

    study: str
    labels: dict[str, str]
    normal: frozenset[str]


WORDINGS = {
    "cxr_findings": Wording(
        "Frontal chest radiograph",
        {"pneumonia": "pneumonia", "no_finding": "a film without finding"},
        frozenset({"no_finding"}),
    ),
    "brain_mri_tumour": Wording(
        "Slice of a brain MRI",
        {
            "meningioma": "meningioma",
            "glioma": "glioma",
            "pituitary": "a pituitary tumour",
            "no_tumour": "a slice without tumour",
        },
        frozenset({"no_tumour"}),
    ),
    "breast_us_lesion": Wording(
        "Breast ultrasound",
        {"normal": "tissue without lesion", "benign": "a benign lesion", "malignant": "a malignant lesion"},
        frozenset({"normal"}),
    ),
}
VERDICTS = {
    "positive": "The image looks like {what} (probability {p:.2f}).",
    "cannot_tell": "Whether the image shows {what} cannot be told from it (probability {p:.2f}).",
    "negative": "No sign of {what} (probability {p:.2f}).",
}
PRELIMINARY = "Preliminary: drafted by {name} {version} from this image alone and not read by a physician."


def draft(
    model: ModelVersion, findings: Sequence[ImageFinding], regions: Sequence[Region], note: str
) -> list[ReportSentence]:
    """Sentences, each with the label it rests on; none for a model that names nothing.

    note: what was put right in reading, one sentence without its full stop.
    """
    wording = WORDINGS.get(model.name)
    if wording is None:
        return []
    opening = f"{wording.study}{f' ({note})' if note else ''}."
    closing = PRELIMINARY.format(name=model.name, version=model.version)
    return [
        ReportSentence(text=opening),
        *(ReportSentence(text=text, label=label) for text, label in _of_findings(wording, findings)),
        *(ReportSentence(text=size_and_place(region), label=region.label) for region in regions),
        ReportSentence(text=closing),
    ]


def _of_findings(wording: Wording, findings: Sequence[ImageFinding]) -> Iterator[tuple[str, str]]:
    """Absences are not stated as negatives of their own."""
    for finding in findings:
        if finding.label in wording.normal and finding.verdict == "negative":
            continue
        what = wording.labels.get(finding.label, finding.label)
        yield VERDICTS[finding.verdict].format(what=what, p=finding.probability), finding.label


def size_and_place(region: Region) -> str:
    """For example "Outlined: largest 23 x 18 mm, area 310 mm², upper left of the image."."""
    if region.HasField("area_mm2"):
        extent = f"largest {region.length_mm:.0f} x {region.width_mm:.0f} mm, area {region.area_mm2:.0f} mm²"
    else:
        extent = f"{region.area_fraction:.1%} of the image; without pixel spacing there is no size in millimetres"
    return f"Outlined {region.label}: {extent}, {region.position}."
