"""Longest-match search for phrases inside which some words may stand: "heart [is mildly] enlarged"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.nlp_coder.document import Document

Value = TypeVar("Value")
# Signs between two words across which a phrase goes on: "Heart: normal", "cardiac, mediastinal and hilar contours".
_JOINING_SIGNS = frozenset({":", ","})
# Most words that are passed over between two of a phrase; local.
_MOST_PASSED = 6


@dataclass(slots=True)
class Node(Generic[Value]):
    """A word of the phrases read so far: what may follow, and the values of the phrases that end here."""

    following: dict[str, Node[Value]] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WordTrie(Generic[Value]):
    """Phrases by their first words, and the words that may stand inside any of them."""

    first_words: dict[str, Node[Value]]
    passed: frozenset[str]


def word_trie(phrases: Iterable[tuple[Sequence[str], Value]], passed: frozenset[str] = frozenset()) -> WordTrie[Value]:
    """Index (normalised words, value) pairs; equal phrases keep all their values, in order."""
    root: Node[Value] = Node()
    for words, value in phrases:
        node = root
        for word in words:
            node = node.following.setdefault(word, Node())
        if value not in node.values:
            node.values.append(value)
    root.values.clear()
    return WordTrie(root.following, passed)


def found_in(
    trie: WordTrie[Value], document: Document, first: int, last: int
) -> Iterator[tuple[int, int, list[Value]]]:
    """Non-overlapping longest matches among the words from `first` to before `last`, left to right.

    Yields (first word, word after the last, values). None goes across the end of a sentence.
    """
    norms, roots, position = document.words.norms, trie.first_words, first
    for start in range(first, last):
        node = roots.get(norms[start])
        if node is None or start < position:
            continue
        found = _longest(trie, node, document, start, last)
        if found is not None:
            position = found[0]
            yield start, position, found[1]


def _longest(
    trie: WordTrie[Value], node: Node[Value], document: Document, start: int, last: int
) -> tuple[int, list[Value]] | None:
    found = (start + 1, node.values) if node.values else None
    # A word that goes on a phrase and may stand inside one is tried as either: (node, next word, stop, passed over).
    ways = [(node, start + 1, document.stops[start], 0)]
    norms = document.words.norms
    while ways:
        node, end, stop, passed = ways.pop()
        while node.following and passed <= _MOST_PASSED and end < last:
            if end == stop:
                if not _goes_on(document, end):
                    break
                stop = document.stops[end]
            following = node.following.get(norms[end])
            is_passed = norms[end] in trie.passed
            end += 1
            if following is not None:
                if is_passed:
                    ways.append((node, end, stop, passed + 1))
                node, passed = following, 0
                if node.values and (found is None or end > found[0]):
                    found = end, node.values
            elif is_passed:
                passed += 1
            else:
                break
    return found


def _goes_on(document: Document, word: int) -> bool:
    if document.sentence[word] != document.sentence[word - 1]:
        return False
    gap = document.text[document.words.ends[word - 1] : document.words.starts[word]].strip()
    return gap in _JOINING_SIGNS
