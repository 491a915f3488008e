"""Plant known errors in gold-coded notes, one of each kind a note.

- unsupported: a code of another note, as frequent as one of this note's, of a category this note does not have;
- contradicted: the code of a mention that the note denies, of a category it does not have;
- less specific: a gold code replaced by the code beside or above it that leaves open what it says;
- missing: a gold code taken away.

Each kind is planted apart from the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from services.nlp_coder.audit_facts import Facts, facts_of
from services.nlp_coder.code_relations import as_published, is_unspecified, says_more
from services.nlp_coder.code_set import CodeSet, category_of, children
from services.nlp_coder.reading import Reader, ReadNote

SEED = 20261124
# Codes of about one frequency: notes that have them, doubling.
_BANDS = (1, 2, 4, 8, 16, 32, 64)
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Case:
    """A note with its gold codes as the code set writes them. fold: of the note."""

    facts: Facts
    gold: tuple[str, ...]
    fold: int


@dataclass(frozen=True, slots=True)
class Planted:
    """What was planted in one note; empty where nothing could be. less_specific: (gold code, what stands for it)."""

    unsupported: str = ""
    contradicted: str = ""
    less_specific: tuple[str, str] = ("", "")
    missing: str = ""


def case_of(note: ReadNote, scores: Mapping[str, float], gold: Iterable[str], fold: int, reader: Reader) -> Case:
    """scores: as served, from models that did not see the note. gold: as the corpus writes it.

    Gold codes that the code set does not have are left out.
    """
    best = dict(sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))[:100])
    known = dict.fromkeys(code for sent in sorted(gold) if (code := as_published(sent, reader.code_set)))
    return Case(facts_of(note, best, reader.guidelines), tuple(known), fold)


def plant(cases: Sequence[Case], code_set: CodeSet, seed: int = SEED) -> list[Planted]:
    """One error of each kind a note, where the note lends itself to it. The same seed plants the same errors."""
    random = Random(seed)  # noqa: S311 - a draw, no secret
    frequency = Counter(code for case in cases for code in case.gold)
    alike: dict[int, list[str]] = defaultdict(list)
    for code in sorted(frequency):
        alike[_band(frequency[code])].append(code)
    return [_planted(case, frequency, alike, code_set, random) for case in cases]


def _band(count: int) -> int:
    return sum(count >= least for least in _BANDS)


def _planted(
    case: Case, frequency: Counter[str], alike: Mapping[int, list[str]], code_set: CodeSet, random: Random
) -> Planted:
    if not case.gold:
        return Planted()
    categories = {category_of(code) for code in case.gold}
    pool = alike[_band(frequency[random.choice(case.gold)])]
    foreign = (random.choice(pool) for _ in range(_TRIES))
    denied = sorted(
        name
        for name, entry in case.facts.evidence.items()
        if not entry.patients
        and category_of(name) not in categories
        and any(read.reading.status == "absent" and read.reading.experiencer == "patient" for read in entry.others)
    )
    vague = [(code, less) for code in case.gold if (less := less_specific_code(code, case.gold, code_set))]
    return Planted(
        unsupported=next((code for code in foreign if category_of(code) not in categories), ""),
        contradicted=random.choice(denied) if denied else "",
        less_specific=random.choice(vague) if vague else ("", ""),
        missing=random.choice(case.gold),
    )


def less_specific_code(code: str, gold: Sequence[str], code_set: CodeSet) -> str:
    """The nearest code beside or above that leaves open what `code` says, and is not gold itself; or none."""
    known = code_set.codes
    above = known[code].parent
    while above:
        for other in (*children(above, code_set), known[above]):
            is_vaguer = is_unspecified(other) or other.code == above
            if is_vaguer and other.code not in gold and says_more(known[code], other):
                return other.code
        above = known[above].parent
    return ""
