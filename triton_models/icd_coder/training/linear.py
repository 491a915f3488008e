"""Ridge regression from tf-idf terms to codes and categories, and a lexicon mined from the same notes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from corpus import Example
from numpy.typing import NDArray

MIN_NOTES = 2  # a term or code seen once teaches nothing that another note could use
CODE_TERM_WEIGHT = 4.0  # chosen by cross-validation among 1, 2, 4, 8
RIDGE = 0.1  # chosen by cross-validation among 0.1, 0.3, 1
SHORT_PERCENTILE = 50  # notes shorter than this one are not stretched to full length
EDGES = 6  # most codes that one lexicon term points to
MIN_PRECISION = 0.12
MIN_LIFT = 3.0


@dataclass(frozen=True, slots=True)
class Linear:
    """`ids` from 1; terms above `weights`' rows are only in the lexicon and have idf 0. weights [rows, C + K]."""

    ids: dict[str, int]
    idf: list[float]
    codes: list[str]
    categories: list[str]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    code_counts: list[int]
    category_counts: list[int]
    priors: NDArray[np.float32]
    lexicon: dict[str, dict[str, float]]
    least_length: float


def fit(examples: Sequence[Example]) -> Linear:
    """Train on `examples`; deterministic."""
    seen = Counter(term for example in examples for term in example.counts)
    lexicon = mined_lexicon(examples, seen)
    terms = sorted(term for term, count in seen.items() if count >= MIN_NOTES and (term[0] == "=" or " " not in term))
    idf = [0.0, *(_idf(term, seen[term], len(examples)) for term in terms)]
    ids = {term: index for index, term in enumerate(terms, start=1)}
    code_counts = Counter(code for example in examples for code in example.gold)
    category_counts = Counter(name for example in examples for name in {code[:3] for code in example.gold})
    codes, categories = _frequent(code_counts), _frequent(category_counts)
    targets = np.array([_targets(example, codes, categories) for example in examples], dtype=np.float64)
    mean = targets.mean(axis=0)
    least_length = float(np.percentile([_length(example, ids, idf) for example in examples], SHORT_PERCENTILE))
    inputs = matrix(examples, ids, idf, least_length)
    kernel = (inputs @ inputs.T).toarray()
    dual = np.linalg.solve(kernel + RIDGE * np.eye(len(examples)), targets - mean)
    weights = np.zeros((len(terms) + 1, targets.shape[1]), dtype=np.float32)
    weights[:] = inputs.T @ dual
    extra = sorted(term for term in lexicon if term not in ids)
    ids |= {term: index for index, term in enumerate(extra, start=len(ids) + 1)}
    bias = mean.astype(np.float32)
    return Linear(
        ids,
        idf + [0.0] * len(extra),
        codes,
        categories,
        weights,
        bias,
        [code_counts[code] for code in codes],
        [category_counts[name] for name in categories],
        bias,
        lexicon,
        least_length,
    )


def _idf(term: str, seen: int, notes: int) -> float:
    plain = math.log((1 + notes) / (1 + seen)) + 1.0
    return plain * CODE_TERM_WEIGHT if term[0] == "=" else plain


def _frequent(counts: Counter[str]) -> list[str]:
    return sorted(name for name, count in counts.items() if count >= MIN_NOTES)


def _targets(example: Example, codes: Sequence[str], categories: Sequence[str]) -> list[bool]:
    above = {code[:3] for code in example.gold}
    return [code in example.gold for code in codes] + [name in above for name in categories]


def _strengths(example: Example, ids: dict[str, int], idf: Sequence[float]) -> list[tuple[int, float]]:
    known = [(ids[term], count) for term, count in example.counts.items() if term in ids]
    return [(index, (1.0 + math.log(count)) * idf[index]) for index, count in known if idf[index] > 0]


def _length(example: Example, ids: dict[str, int], idf: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for _index, value in _strengths(example, ids, idf)))


def matrix(
    examples: Sequence[Example], ids: dict[str, int], idf: Sequence[float], least_length: float
) -> sp.csr_matrix:
    """tf-idf rows, as `features.occurrences_of` weighs them; columns are ids that have an idf."""
    rows, columns, values = [], [], []
    width = sum(value > 0 for value in idf) + 1
    for row, example in enumerate(examples):
        known = _strengths(example, ids, idf)
        length = max(math.sqrt(sum(value * value for _index, value in known)), least_length)
        for index, value in known:
            rows.append(row)
            columns.append(index)
            values.append(value / length)
    return sp.csr_matrix((values, (rows, columns)), shape=(len(examples), width))


def mined_lexicon(examples: Sequence[Example], seen: Counter[str]) -> dict[str, dict[str, float]]:
    """For each term, codes that its notes have far more often than others, with the smoothed share of such notes."""
    together: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        for term in example.counts:
            if seen[term] >= MIN_NOTES:
                together[term].update(example.gold)
    base = Counter(code for example in examples for code in example.gold)
    lexicon = {}
    for term, codes in together.items():
        edges = {
            code: (count + base[code] / len(examples)) / (seen[term] + 1.0)
            for code, count in codes.items()
            if count >= MIN_NOTES
        }
        telling = [
            (share, code)
            for code, share in edges.items()
            if share >= MIN_PRECISION and share > MIN_LIFT * base[code] / len(examples)
        ]
        if telling:
            lexicon[term] = {code: share for share, code in sorted(telling, reverse=True)[:EDGES]}
    return lexicon


def outputs(linear: Linear, examples: Sequence[Example]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Raw scores [notes, C + K], and lexicon maxima [notes, C] (0 where no term points to the code)."""
    inputs = matrix(examples, linear.ids, linear.idf, linear.least_length)
    scores = inputs @ linear.weights.astype(np.float64) + linear.bias
    column = {code: index for index, code in enumerate(linear.codes)}
    maxima = np.zeros((len(examples), len(linear.codes)))
    for row, example in enumerate(examples):
        for term in example.counts:
            for code, share in linear.lexicon.get(term, {}).items():
                if code in column:
                    maxima[row, column[code]] = max(maxima[row, column[code]], share)
    return scores, maxima
