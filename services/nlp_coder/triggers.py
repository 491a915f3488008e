"""The trigger phrases of assertion: their table, and where they stand in a note."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import assertion_kernels, kernels
from services.nlp_coder.data_files import rows
from services.nlp_coder.numbered import Trie, flags, number_of, trie_of
from services.nlp_coder.tokens import row_of, words_of

Category = Literal[
    "absent",
    "possible",
    "hypothetical",
    "conditional",
    "present",
    "historical",
    "resolved",
    "family",
    "other",
    "pseudo",
    "end",
    "verb",
    "participle",
    "subject",
    "now",
    "item",
    "degree",
    "quality",
    "no_change",
    "or",
    "and",
    "reversed",
    "company",
    "habit",
    "given",
    "cause",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)
Direction = Literal["forward", "backward"]
# Normalised words.
Phrase: TypeAlias = tuple[str, ...]
# Prefix of a word that answers the item before it and nothing after: "Fever: no".
COLON = ":"
# Stands for any one word inside a phrase.
ANY_WORD = "*"
# Reach up to the nearest comma: "consolidation, pneumothorax was ruled out" says nothing about the first.
CLAUSE = "clause"
# Reach beyond the subject and verb that follow at once: "denies that she has had fever".
THAT = "that"
# Reach across commas only along a list with its "and": "rash, edema and cough were denied".
LIST = "list"
# Longest reach of any trigger, in words; local, beyond it the reading is a guess.
FORWARD_REACH, BACKWARD_REACH = assertion_kernels.FORWARD_REACH, assertion_kernels.BACKWARD_REACH
# Negations whose list ends where an adjective begins another finding: "no pneumothorax, small effusion".
_BARE_NEGATIONS = frozenset({"no", "nil", "without", "w", "-", "0"})
# Signs that only count before a word.
_SIGNS = frozenset({"-", "+"})
_GROUP = re.compile(r"[\[\]|]|\{\w+\}|[^\[\]|{}]+")


@dataclass(frozen=True, slots=True)
class Effect:
    """What a trigger phrase does to the mentions on one side of it.

    `reach`: most words between it and the mention; no comma either with `clause_only`, none without an "and" after it
    with `list_only`. `outlives_subject`: goes on into the clause that begins right after it. `bare`: no more than "no"
    or "without".
    """

    categories: tuple[Category, ...]
    reach: int
    clause_only: bool
    outlives_subject: bool
    bare: bool
    list_only: bool = False


# Alone these say nothing of a mention; they end, join or part what other phrases say.
_SILENT = frozenset(
    {"end", "verb", "participle", "subject", "now", "item", "degree", "quality", "or", "and", "present"}
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Effects of one phrase on what follows and on what precedes it. `speaks`: not only on what other phrases say."""

    forward: Effect | None
    backward: Effect | None
    speaks: bool = field(init=False)

    def __post_init__(self) -> None:
        effects = [effect for effect in (self.forward, self.backward) if effect is not None]
        speaks = any(effect.categories[0] not in _SILENT for effect in effects)
        object.__setattr__(self, "speaks", speaks)


@dataclass(frozen=True, slots=True)
class TriggerTable:
    """The rules of all phrases, which of them do nothing but keep shorter ones from being read, and their words.

    `speaks`: as of each rule. `adverbs`: the words, by number, that may stand inside any phrase. `sides` and `effects`:
    of the rules, as `assertion_kernels` has them.
    """

    rules: Sequence[Rule]
    does_nothing: NDArray[np.bool_]
    speaks: NDArray[np.bool_]
    trie: Trie
    adverbs: NDArray[np.bool_]
    sides: NDArray[np.int64]
    effects: NDArray[np.int64]


def load_triggers() -> TriggerTable:
    """The trigger table. A third of a second; raises ValueError for a slip in it."""
    classes = word_classes()
    adverbs, copulas = (frozenset(classes[name].split("|")) for name in ("adverb", "copula"))
    effects: dict[Phrase, dict[Direction, Effect | None]] = {}
    for words, category, direction, reach in trigger_rows(classes, adverbs):
        sides = effects.setdefault(words, {})
        for side in _SIDES[direction]:
            is_bare = words[0] in _BARE_NEGATIONS
            effect = None if category == "pseudo" else _effect(category, reach, side, bare=is_bare)
            sides.setdefault(side, effect)
    rules: list[Rule] = []
    numbers: list[list[int]] = []
    for words, sides in effects.items():
        if "forward" not in sides and words[0] in copulas and words[1:] in effects:
            # "Pneumonia is likely" and "this is likely pneumonia".
            sides["forward"] = effects[words[1:]].get("forward")
        rules.append(_rule(sides.get("forward"), sides.get("backward")))
        numbers.append([number_of(word) for word in words])
    does_nothing = np.array([rule.forward is None and rule.backward is None for rule in rules], dtype=np.bool_)
    speaks = np.array([rule.speaks for rule in rules], dtype=np.bool_)
    return TriggerTable(rules, does_nothing, speaks, trie_of(numbers), flags(adverbs), *_as_rows(rules))


def _as_rows(rules: Sequence[Rule]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Effects of each rule by number, and the effects, as `assertion_kernels` has them."""
    numbers: dict[Effect | None, int] = {None: -1, _DENIED: assertion_kernels.DENIED}
    sides = [[numbers.setdefault(side, len(numbers) - 1) for side in (rule.forward, rule.backward)] for rule in rules]
    effects = [effect for effect in numbers if effect is not None]
    for effect in effects:
        if len(effect.categories) > 1:
            rest = replace(effect, categories=effect.categories[1:])
            if numbers.setdefault(rest, len(effects)) == len(effects):
                effects.append(rest)
    found = np.full((len(effects), assertion_kernels.EFFECT), -1, dtype=np.int64)
    for row, effect in zip(found, effects, strict=True):
        categories = [CATEGORIES.index(category) for category in effect.categories]
        row[: len(categories)] = categories
        row[assertion_kernels.MOST_CATEGORIES : assertion_kernels.REST] = (
            len(categories), categories[-1], effect.reach, effect.clause_only, effect.outlives_subject, effect.bare,
            effect.list_only,
        )  # fmt: skip
        if len(categories) > 1:
            row[assertion_kernels.REST] = numbers[replace(effect, categories=effect.categories[1:])]
    return np.array(sides, dtype=np.int64), found


# "No" in "no change" denies whatever stands inside the phrase.
_DENIED = Effect(("absent",), FORWARD_REACH, clause_only=False, outlives_subject=False, bare=True)


def word_classes() -> Mapping[str, str]:
    """Words that stand for each other, "|" between them, by the name of their class."""
    return {name: words for name, words, _source in rows("assertion_words.tsv", 3)}


def trigger_rows(classes: Mapping[str, str], adverbs: frozenset[str]) -> list[tuple[Phrase, str, str, str]]:
    """(phrase, category, direction, reach) of every phrase.

    Those written out come first, since they count before those that brackets make; else the first row counts.
    """
    written: list[tuple[Phrase, str, str, str]] = []
    made: list[tuple[Phrase, str, str, str]] = []
    for pattern, category, direction, reach, _source in rows("assertion_triggers.tsv", 5):
        into = made if "[" in pattern or "{" in pattern else written
        colon = COLON if pattern.startswith(COLON) else ""
        for words in dict.fromkeys(spelled_out(pattern.removeprefix(COLON), classes)):
            # An adverb is passed over wherever it stands, so that it is none of a longer phrase's words.
            kept = tuple(word for word in words if word not in adverbs) or words
            if kept:
                into.append(((colon + kept[0], *kept[1:]), category, direction, reach))
    return written + made


def spelled_out(pattern: str, classes: Mapping[str, str]) -> Iterator[Phrase]:
    """Every phrase, as normalised words, that a pattern of the trigger table stands for."""
    tokens = _GROUP.findall(pattern)
    position = 0

    def alternatives() -> list[Phrase]:
        nonlocal position
        found: list[Phrase] = []
        parts: list[list[Phrase]] = []
        while position < len(tokens) and tokens[position] != "]":
            piece = tokens[position]
            position += 1
            if piece == "|":
                found.extend(_joined(parts))
                parts = []
            elif piece == "[":
                parts.append(alternatives())
                position += 1
            elif piece.startswith("{"):
                parts.append([_norms(word) for word in classes[piece[1:-1]].split("|")])
            elif piece.strip():
                parts.append([_norms(piece)])
        found.extend(_joined(parts))
        return found

    yield from alternatives()
    if position != len(tokens):
        raise ValueError(f"unbalanced brackets in trigger pattern {pattern!r}")


def _joined(parts: Sequence[Sequence[Phrase]]) -> Iterator[Phrase]:
    return (tuple(word for part in chosen for word in part) for chosen in product(*parts))


def _norms(words: str) -> Phrase:
    if words.strip() in _SIGNS:
        return (words.strip(),)
    return tuple(norm for part in words.split() for norm in _norms_of(part))


def _norms_of(word: str) -> list[str]:
    return [word] if word == ANY_WORD else words_of(word).norms


_SIDES: Mapping[str, tuple[Direction, ...]] = {
    "forward": ("forward",),
    "backward": ("backward",),
    "both": ("forward", "backward"),
    "-": ("forward", "backward"),
}


@cache
def _rule(forward: Effect | None, backward: Effect | None) -> Rule:
    """Hundreds of rules for a hundred thousand phrases."""
    return Rule(forward, backward)


@cache
def _effect(category: str, reach: str, side: Direction, *, bare: bool) -> Effect:
    longest = FORWARD_REACH if side == "forward" else BACKWARD_REACH
    kind, _, limit = reach.partition(" ")
    number = limit or kind
    return Effect(
        categories=tuple(category.split("+")),  # type: ignore[arg-type]  # checked by a test
        reach=int(number) if number.isdigit() else longest,
        clause_only=kind == CLAUSE,
        outlives_subject=kind == THAT,
        bare=bare,
        list_only=kind == LIST,
    )


class Triggers:
    """Those of a note, left to right, as `assertion_kernels` has them.

    speaking: sentences whose triggers say something of mentions.
    """

    def __init__(self, rows: NDArray[np.int64], speaking: NDArray[np.int64], table: TriggerTable) -> None:
        """rows: [N, 4], first word, word after the last, rule, sentence, in order. speaking: as of the class."""
        self.rows, self.table = rows, table
        self._sentences = row_of(rows[:, 3])
        self._led: dict[int, tuple[int, int]] = {}
        self.speaking: set[int] = set(speaking.tolist())

    def of(self, sentence: int) -> tuple[int, int]:
        """The first row of a sentence's triggers, and the row after their last."""
        if sentence in self._led:
            return self._led[sentence]
        first = bisect_left(self._sentences, sentence)
        return first, bisect_right(self._sentences, sentence, first)

    def lead(self, sentence: int, item: int) -> None:
        """Have the triggers of a sentence speak of an item, before its own."""
        (first, last), (begin, end) = self.of(sentence), self.of(item)
        self._led[item] = len(self.rows), len(self.rows) + last - first + end - begin
        self.rows = np.concatenate((self.rows, self.rows[first:last], self.rows[begin:end]))
        if sentence in self.speaking:
            self.speaking.add(item)


def find_triggers(
    table: TriggerTable,
    numbers: NDArray[np.int64],
    stops: NDArray[np.int64],
    sentence: NDArray[np.int64],
    is_silent: NDArray[np.int64],
) -> Triggers:
    """All triggers, left to right, the longest at each word; a longer one swallows those inside it.

    numbers: of the words. `stops[i]` is the first word that a phrase beginning at word i may not include.
    sentence: of each word. is_silent: 1 for one whose triggers say nothing.
    """
    rows, speaking = kernels.triggers_in(
        *table.trie, table.does_nothing, table.speaks, table.adverbs, _ANY_WORD, numbers, stops, sentence, is_silent
    )
    return Triggers(rows, speaking, table)


_ANY_WORD = number_of(ANY_WORD)
