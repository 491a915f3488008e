"""The plain baseline: keywords of each label, and words of negation or doubt near them in the same sentence.

Keywords are the observation names of CheXpert (Irvin 2019) and NIH ChestX-ray14 and what they are most often called;
the window is NegEx's (Chapman 2001), six words before and, for some words, four after.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

KEYWORDS: Mapping[str, str] = {
    "enlarged_cardiomediastinum": r"(?:widened|enlarged) (?:cardio)?mediastin\w+|mediastinal widening",
    "cardiomegaly": r"cardiomegaly|enlarged heart|heart is enlarged|cardiac enlargement",
    "lung_opacity": r"opacit(?:y|ies)|opacification|airspace disease|infiltrates?",
    "lung_lesion": r"lesions?|mass(?:es)?|nodules?|tumou?r|metastas[ei]s",
    "edema": r"(?:pulmonary |interstitial )?o?edema|vascular congestion|heart failure|chf",
    "consolidation": r"consolidations?",
    "pneumonia": r"pneumonias?",
    "atelectasis": r"atelectas[ei]s|atelectatic",
    "pneumothorax": r"pneumothora(?:x|ces)",
    "pleural_effusion": r"effusions?",
    "pleural_other": r"pleural (?:thickening|plaques?|scarring)",
    "fracture": r"fractures?",
    "support_devices": r"tubes?|lines?|catheters?|picc|pacemaker|ett|wires|drain",
    "infiltration": r"infiltrates?|infiltration",
    "mass": r"mass(?:es)?",
    "nodule": r"nodules?|nodular",
    "emphysema": r"emphysema(?:tous)?",
    "fibrosis": r"fibrosis|fibrotic",
    "pleural_thickening": r"pleural thickening",
    "hernia": r"hernias?",
    "brain_mass": r"mass|tumou?r|meningioma|glioma|lesions?",
    "brain_haemorrhage": r"ha?emorrhages?|ha?ematomas?|bleed",
    "brain_midline_shift": r"midline shift",
    "brain_hydrocephalus": r"hydrocephalus",
    "brain_oedema": r"o?edema",
    "brain_infarct": r"infarct(?:s|ion|ions)?|stroke",
}
_KEYWORDS = {label: re.compile(rf"\b(?:{words})\b") for label, words in KEYWORDS.items()}
_BRAIN = re.compile(r"\b(?:brain|head|intracranial|cerebr\w+|ventric\w+|midline|frontal lobe|subdural|infarct)\b")
_CHEST_ONLY = frozenset({"lung_lesion", "edema", "mass", "nodule", "lung_opacity", "consolidation"})
_NO_BEFORE = re.compile(
    r"\b(?:no|not|without|denies|negative for|free of|resolution of|removal of)\b(?:\W+\w+){0,5}\W*$"
)
_NO_AFTER = re.compile(r"^\W*(?:\w+\W+){0,3}(?:resolved|not|removed|unlikely|excluded|cleared)\b")
_MAYBE_BEFORE = re.compile(
    r"\b(?:possible|possibly|probable|probably|likely|may|might|could|suspected|suspicious|concerning|question\w*|versus|vs"
    r"|cannot exclude|rule out|borderline)\b(?:\W+\w+){0,5}\W*$"
)
_MAYBE_AFTER = re.compile(r"^\W*(?:\w+\W+){0,3}(?:possible|likely|suspected|cannot be excluded|not excluded|versus)\b")
_SENTENCE = re.compile(r"[^.\n]+")
_STRENGTH = ("negative", "uncertain", "positive")


def keyword_statuses(text: str) -> dict[str, str]:
    """Status of each label that a keyword of it stands for; no_finding where nothing else is positive or uncertain."""
    lowered = text.lower()
    is_brain = _BRAIN.search(lowered) is not None
    found: dict[str, str] = {}
    for sentence in _SENTENCE.findall(lowered):
        for label, pattern in _KEYWORDS.items():
            if label.startswith("brain_") != is_brain and (label.startswith("brain_") or label in _CHEST_ONLY):
                continue
            for match in pattern.finditer(sentence):
                status = _status(sentence[: match.start()], sentence[match.end() :])
                found[label] = max(found.get(label, _STRENGTH[0]), status, key=_STRENGTH.index)
    if not any(status != "negative" for label, status in found.items() if label != "support_devices"):
        found["no_finding"] = "positive"
    return found


def _status(before: str, after: str) -> str:
    if _MAYBE_AFTER.search(after) or _MAYBE_BEFORE.search(before):
        return "uncertain"
    return "negative" if _NO_BEFORE.search(before) or _NO_AFTER.search(after) else "positive"
