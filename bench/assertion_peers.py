"""Whether a given mention is negated, by medspaCy and negspacy, which it needs; see bench/assertion.py.

Reads JSON [[sentence, start, end], ...] and the number of rounds; writes {peer: {"absent": [bool, ...],
"per_second": float}}, process time of the best round.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

Mention = tuple[str, int, int]
Negated = Callable[[Mention], bool]


def _with_mention(document: Any, mention: Mention) -> Any:
    span = document.char_span(mention[1], mention[2], label="PROBLEM", alignment_mode="expand")
    document.set_ents([span])
    return span


def medspacy() -> Negated:
    """ConText with its own rules and its sentence splitter, as shipped."""
    nlp = import_module("medspacy").load(enable=["medspacy_pyrush", "medspacy_context"])

    def negated(mention: Mention) -> bool:
        document = nlp.make_doc(mention[0])
        nlp.get_pipe("medspacy_pyrush")(document)
        _with_mention(document, mention)
        nlp.get_pipe("medspacy_context")(document)
        return bool(document.ents[0]._.is_negated)

    return negated


def negspacy() -> Negated:
    """NegEx with the clinical terms that it ships, after spaCy's rule-based sentence splitter."""
    import_module("negspacy.negation")  # registers the component
    nlp = import_module("spacy").blank("en")
    nlp.add_pipe("sentencizer")
    terms = import_module("negspacy.termsets").termset("en_clinical")
    nlp.add_pipe("negex", config={"neg_termset": terms.get_patterns()})

    def negated(mention: Mention) -> bool:
        document = nlp.make_doc(mention[0])
        nlp.get_pipe("sentencizer")(document)
        _with_mention(document, mention)
        nlp.get_pipe("negex")(document)
        return bool(document.ents[0]._.negex)

    return negated


def main() -> None:
    asked = json.load(sys.stdin)
    answers: dict[str, Any] = {}
    for name, make in {"medspacy": medspacy, "negspacy": negspacy}.items():
        negated = make()
        best, absent = float("inf"), []
        for _ in range(asked["rounds"]):
            started = time.process_time()
            absent = [negated(mention) for mention in asked["mentions"]]
            best = min(best, time.process_time() - started)
        label = f"{name} {importlib.metadata.version(name)}"
        answers[label] = {"absent": absent, "per_second": len(absent) / best}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
