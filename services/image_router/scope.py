"""Which model may read an image, judged by its tags. Its pixels are judged by the model itself."""

from dataclasses import dataclass

from services.image_router.tags import ImageTags


@dataclass(frozen=True, slots=True)
class Declared:
    """What the tags of an image must say for a model to be asked.

    modalities: (0008,0060). body_parts: (0018,0015); also looked for as words in the descriptions.
    codes: SNOMED CT or SNOMED-RT anatomic region codes. views: (0018,5101); an absent one is left to the pixels, and
    without any views the tag is not looked at. photometric: (0028,0004). ages: years, for which training pictures
    exist; empty when their patients' ages are not known. outlined_by: the model that outlines what this one names,
    when it does not do so itself.
    """

    modalities: frozenset[str]
    body_parts: frozenset[str]
    codes: frozenset[str]
    views: frozenset[str]
    photometric: frozenset[str]
    ages: tuple[tuple[float, float], ...]
    outlined_by: str = ""


@dataclass(frozen=True, slots=True)
class TagScope:
    """models: those that may be asked. reason: why none, or what the tags left open; empty when nothing."""

    models: tuple[str, ...]
    reason: str


GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
# Ultrasound is stored in colour spaces even where every pixel is grey; the pixels decide.
STORED_IN_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR"})
# DICOM PS3.16 CID 4 and CID 4031; SNOMED-RT codes as older devices send them.
DECLARED = {
    "cxr_findings": Declared(
        modalities=frozenset({"CR", "DX", "DR", "RG"}),
        body_parts=frozenset({"CHEST", "THORAX", "LUNG", "LUNGS"}),
        codes=frozenset({"51185008", "T-D3000", "39607008", "T-28000"}),
        views=frozenset({"PA", "AP"}),
        photometric=GREY,
        ages=((1, 6), (16, 150)),
    ),
    "brain_mri_tumour": Declared(
        modalities=frozenset({"MR"}),
        body_parts=frozenset({"BRAIN", "HEAD", "SKULL", "CEREBRUM", "NEURO"}),
        codes=frozenset({"12738006", "T-A0100", "69536005", "T-D1100", "89546000", "T-11100"}),
        views=frozenset(),
        photometric=GREY,
        ages=(),
        outlined_by="brain_mri_segmentation",
    ),
    "breast_us_lesion": Declared(
        modalities=frozenset({"US"}),
        body_parts=frozenset({"BREAST", "MAMMA"}),
        codes=frozenset({"76752008", "T-04000"}),
        views=frozenset(),
        photometric=GREY | STORED_IN_COLOUR,
        ages=(),
    ),
}
OUTLINERS = frozenset(declared.outlined_by for declared in DECLARED.values()) - {""}
MODELS = tuple(sorted({*DECLARED, *OUTLINERS}))


def scope_of_tags(tags: ImageTags) -> TagScope:
    """Models whose declared scope the tags do not contradict, or the first reason why there is none."""
    by_modality = [name for name, declared in DECLARED.items() if tags.modality in declared.modalities]
    if not by_modality:
        return TagScope((), f"no model reads modality {_word(tags.modality)}")
    if tags.intent == "FOR PROCESSING":
        return TagScope((), "the image is for processing, not for presentation")
    if "LOCALIZER" in tags.image_type:
        return TagScope((), "the image is a localizer")
    return _by_anatomy(tags, by_modality)


def _by_anatomy(tags: ImageTags, names: list[str]) -> TagScope:
    matching = [name for name in names if _contradiction(tags, DECLARED[name]) == ""]
    if not matching:
        return TagScope((), _contradiction(tags, DECLARED[names[0]]))
    stated = any(_states_body_part(tags, DECLARED[name]) for name in matching)
    open_points = ["" if stated else "the tags do not name the body part"]
    if not tags.view and any(DECLARED[name].views for name in matching):
        open_points.append("the tags do not name the view")
    if tags.age_years is not None and not any(_trained_at(tags.age_years, DECLARED[name]) for name in matching):
        open_points.append("no training pictures of this age")
    return TagScope(tuple(matching), "; ".join(point for point in open_points if point))


def _contradiction(tags: ImageTags, declared: Declared) -> str:
    if tags.photometric and tags.photometric not in declared.photometric:
        return f"no model reads photometric interpretation {_word(tags.photometric)} of modality {_word(tags.modality)}"
    if tags.body_part and not _states_body_part(tags, declared):
        return f"no model reads body part {_word(tags.body_part)}"
    if tags.view and declared.views and tags.view not in declared.views:
        return f"no model reads view {_word(tags.view)}"
    return ""


def _states_body_part(tags: ImageTags, declared: Declared) -> bool:
    words = tags.descriptions.replace("^", " ").replace("_", " ").replace(",", " ").split()
    return (
        tags.body_part in declared.body_parts
        or bool(tags.codes & declared.codes)
        or any(word in declared.body_parts for word in words)
    )


def _trained_at(age: float, declared: Declared) -> bool:
    return not declared.ages or any(low <= age < high for low, high in declared.ages)


def _word(value: str) -> str:
    """A tag's value for a reason: a code string of 16 characters at most, never free text."""
    cleaned = "".join(c for c in value if c.isalnum() or c in " _-")[:16].strip()
    return cleaned or "that is not stated"
