"""Which codes are considered for a note."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from services.nlp_coder.evidence import CodeEvidence
from services.nlp_coder.ranking import ModelView

# Codes of the model that are considered: those for which its graph names the words (TOP_CODES in training).
MODEL_CANDIDATES = 100


def candidates_of(evidence: Mapping[str, CodeEvidence], model: ModelView) -> list[str]:
    """Codes with a mention of the patient, and the model's likeliest; sorted, so that ties are stable."""
    mentioned = {code for code, entry in evidence.items() if entry.patients}
    likeliest = heapq.nlargest(MODEL_CANDIDATES, model.codes, key=model.codes.__getitem__)
    return sorted(mentioned.union(likeliest))
