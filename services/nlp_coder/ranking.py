"""What the dictionary says of each code it found, as numbers: for the model, and for when no model answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder.code_priors import OF_CODE, of_code
from services.nlp_coder.evidence import CodeEvidence, ReadMention
from services.nlp_coder.loose import LooseMention
from services.nlp_coder.reading import ReadNote

# Columns of the evidence matrix that tell what was found, in order. The graph of `icd_coder` counts on the first one.
FOUND = (
    "mentions",
    "phrase_precision_logit",
    "code_precision_logit",
    "code_seen",
    "longest_term",
    "earliness",
    "present",
    "possible",
    "historical",
    "said_otherwise",
    "loose_tightness",
    "loose_words",
    "loose_precision_logit",
)
EVIDENCE = (*FOUND, *OF_CODE)
# Below every logit that is written: nothing was found.
NO_LOGIT = -7.0
# `FOUND` of a code that the dictionary has not found at all.
NOTHING_FOUND = (0.0, NO_LOGIT, NO_LOGIT, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, NO_LOGIT)
_NO_PATIENTS, _NOT_LOOSE = NOTHING_FOUND[:9], NOTHING_FOUND[10:]
# Marks, in the statistics of training, a code whose words stood apart.
LOOSE = "~"
# A note of as few has no more terms than the model takes in one window: at most a code, a word and a pair for each.
ONE_WINDOW_WORDS = 1_000
_SMOOTHING = 2.0
_UNKNOWN_PRECISION = 0.5
_UNKNOWN_LOOSE_PRECISION = 0.3
_MOST_SEEN = 50

# Of phrases and codes: (notes in which the code was right, notes in which they were found).
Hits = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What training says of a code, whatever a note does.

    precision: of its mentions, smoothed. times: that it was found, of which `_MOST_SEEN` count. of_code: the columns
    `OF_CODE`.
    """

    precision: float
    precision_logit: float
    times: int
    loose_precision_logit: float
    of_code: Sequence[float]


class TermHits(dict[str, tuple[int, int]]):
    """`Hits`, and what they say of the codes that were asked about."""

    def __init__(self, hits: Hits) -> None:
        super().__init__(hits)
        self.seen: dict[str, _Seen] = {}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Codes that the words of a note name, sorted; `evidence` float32 [codes, len(EVIDENCE)].

    `places`: for each code, the first words of its mentions, ascending; () for a note of `ONE_WINDOW_WORDS` or fewer.
    """

    codes: Sequence[str]
    evidence: NDArray[np.float32]
    places: Sequence[Sequence[int]] = ()


NO_CANDIDATES = Candidates((), np.zeros((0, len(EVIDENCE)), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Stacker:
    """Logistic regression over standardised `evidence` and chapter; `threshold` is the operating point, 0 to 1."""

    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Ranker:
    r"""How evidence becomes scores. threshold: operating point of the model's scores, 0 to 1.

    hits: by "phrase\tcode", by code, by "~code" for words that stood apart, and by "^" and the beginning of codes.
    """

    threshold: float
    dictionary_alone: Stacker
    hits: Hits


def load_ranker(folder: Path) -> Ranker:
    """Read `stacker.json` and `term_hits.json` beside the model. Raises FileNotFoundError."""
    stackers = json.loads((folder / "stacker.json").read_text(encoding="utf-8"))
    hits = json.loads((folder / "term_hits.json").read_text(encoding="utf-8"))
    return Ranker(
        float(stackers["with_model"]["threshold"]),
        _stacker(stackers["dictionary_alone"]),
        TermHits({key: (right, seen) for key, (right, seen) in hits.items()}),
    )


def _stacker(entry: Mapping[str, Sequence[float] | float]) -> Stacker:
    return Stacker(
        np.array(entry["means"]),
        np.array(entry["scales"]),
        np.array(entry["coefficients"]),
        float(entry["intercept"]),  # type: ignore[arg-type]  # a number by construction
        float(entry["threshold"]),  # type: ignore[arg-type]
    )


def candidates_of(note: ReadNote, hits: Hits) -> Candidates:
    """Every code that the dictionary found in a note, whoever it is said of."""
    evidence = note.evidence
    loose = {found.mention.code: found for found in note.loose}
    codes = sorted(evidence.keys() | loose.keys())
    if not codes:
        return NO_CANDIDATES
    none, words = CodeEvidence(), max(len(note.document.words), 1)
    rows = [_row(code, evidence.get(code, none), loose.get(code), hits, words) for code in codes]
    is_short = words <= ONE_WINDOW_WORDS
    places = () if is_short else [_places(evidence.get(code, none), loose.get(code)) for code in codes]
    return Candidates(codes, np.array(rows, dtype=np.float32), places)


def _places(evidence: CodeEvidence, loose: LooseMention | None) -> list[int]:
    found = [read.mention.first for read in (*evidence.patients, *evidence.others)]
    return sorted(found if loose is None else [*found, loose.mention.first])


def _row(code: str, evidence: CodeEvidence, loose: LooseMention | None, hits: Hits, words: int) -> Iterable[float]:
    seen = _seen(code, hits)
    patients = _of_patients(seen, evidence.patients, hits, words) if evidence.patients else _NO_PATIENTS
    apart = _NOT_LOOSE if loose is None else (loose.tightness, loose.words, seen.loose_precision_logit)
    return *patients, len(evidence.others), *apart, *seen.of_code


def _seen(code: str, hits: Hits) -> _Seen:
    known = hits.seen.get(code) if isinstance(hits, TermHits) else None
    if known is not None:
        return known
    right, times = hits.get(code, (0, 0))
    precision = (right + _UNKNOWN_PRECISION) / (times + 1.0)
    right_apart, times_apart = hits.get(LOOSE + code, (0, 0))
    apart = logit((right_apart + _UNKNOWN_LOOSE_PRECISION) / (times_apart + 1.0))
    found = _Seen(precision, logit(precision), min(times, _MOST_SEEN), apart, of_code(code, hits))
    if isinstance(hits, TermHits):
        hits.seen[code] = found
    return found


def _of_patients(seen: _Seen, mentions: Sequence[ReadMention], hits: Hits, words: int) -> Iterable[float]:
    """The first nine of `FOUND`."""
    best, longest, present, possible, historical = 0.0, 0, 0, 0, 0
    for read in mentions:
        mention, reading = read.mention, read.reading
        best = max(best, _precision(read, hits, seen.precision))
        longest = max(longest, mention.last - mention.first)
        present += reading.status == "present" and not reading.historical
        possible += reading.status == "possible"
        historical += reading.historical
    earliness = 1.0 - mentions[0].mention.first / words
    precisions = logit(best), seen.precision_logit
    return len(mentions), *precisions, seen.times, longest, earliness, present, possible, historical


def _precision(read: ReadMention, hits: Hits, of_code: float) -> float:
    """How often this phrase meant its code in training, smoothed towards the code's own figure; 0 to 1."""
    right, seen = hits.get(f"{read.phrase}\t{read.mention.code}", (0, 0))
    return (right + _SMOOTHING * of_code) / (seen + _SMOOTHING)


def logit(probability: float) -> float:
    """Log odds of a probability, which is kept off 0 and 1 by a thousandth."""
    clipped = min(max(probability, 0.001), 0.999)
    return math.log(clipped / (1.0 - clipped))


def alone(stacker: Stacker, candidates: Candidates) -> NDArray[np.float64]:
    """Probability of each candidate by the dictionary alone, [codes] in (0, 1)."""
    features = features_alone(candidates)
    logits = (features - stacker.means) / stacker.scales @ stacker.coefficients + stacker.intercept
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float64)


def features_alone(candidates: Candidates) -> NDArray[np.float64]:
    """What the dictionary's own score rests on, [codes, len(EVIDENCE) + 2]: evidence, symptom or not, circumstance."""
    chapter = [(code[0] == "R", code[0] == "Z") for code in candidates.codes]
    flags = np.array(chapter, dtype=np.float64).reshape(len(candidates.codes), 2)
    return np.hstack([candidates.evidence.astype(np.float64), flags])
