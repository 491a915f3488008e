"""The trigger phrases of assertion: their table, and where they stand in a note."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.nlp_coder import kernels
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
FORWARD_REACH = 30
BACKWARD_REACH = 12
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


class Trigger(NamedTuple):
    """A trigger phrase found at words `start` to `end`."""

    start: int
    end: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class TriggerTable:
    """The rules of all phrases, which of them do nothing but keep shorter ones from being read, and their words.

    `speaks`: as of each rule. `adverbs`: the words, by number, that may stand inside any phrase.
    """

    rules: Sequence[Rule]
    does_nothing: NDArray[np.bool_]
    speaks: NDArray[np.bool_]
    trie: Trie
    adverbs: NDArray[np.bool_]


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
    return TriggerTable(rules, does_nothing, speaks, trie_of(numbers), flags(adverbs))


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


class Triggers(dict[int, list[Trigger]]):
    """Those of each sentence, left to right; made when they are asked for, since most sentences hold no mention.

    speaking: sentences whose triggers say something of mentions.
    """

    def __init__(self, rows: NDArray[np.int64], speaking: NDArray[np.int64], rules: Sequence[Rule]) -> None:
        """rows: [N, 4], first word, word after the last, rule, sentence, in order. rules: of the table."""
        super().__init__()
        self._rows, self._sentences, self._rules = rows, row_of(rows[:, 3]), rules
        self.speaking: set[int] = set(speaking.tolist())

    def __missing__(self, sentence: int) -> list[Trigger]:
        first = bisect_left(self._sentences, sentence)
        last = bisect_right(self._sentences, sentence, first)
        own = self[sentence] = [
            Trigger(start, end, self._rules[rule]) for start, end, rule, _sentence in self._rows[first:last].tolist()
        ]
        return own

    def lead(self, sentence: int, item: int) -> None:
        """Have the triggers of a sentence speak of an item, before its own."""
        self[item] = [*self[sentence], *self[item]]
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
    return Triggers(rows, speaking, table.rules)


_ANY_WORD = number_of(ANY_WORD)
