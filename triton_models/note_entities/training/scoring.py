"""Spans that were found against gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from corpus import Example

SpanOf = tuple[int, int, str]
_MOST_LABELS = 9


class Scores:
    """Counts of what was found, strictly and by overlap, by corpus and label."""

    def __init__(self) -> None:
        self.gold: Counter[tuple[str, str]] = Counter()
        self.found: Counter[tuple[str, str]] = Counter()
        self.strict: Counter[tuple[str, str]] = Counter()
        self.touched: Counter[tuple[str, str]] = Counter()
        self.right: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.confused: Counter[tuple[str, str, str]] = Counter()

    def add(self, example: Example, found: Sequence[SpanOf]) -> None:
        gold = {(one.start, one.end, one.label) for one in example.gold}
        spans = set(found)
        for start, end, label in gold:
            key = (example.corpus, label)
            self.gold[key] += 1
            self.strict[key] += (start, end, label) in spans
            self.touched[key] += any(label == other and s < end and start < e for s, e, other in spans)
        for start, end, label in spans:
            key = (example.corpus, label)
            self.found[key] += 1
            self.right[key] += any(label == other and s < end and start < e for s, e, other in gold)
        self._count_errors(example.corpus, gold, spans)

    def _count_errors(self, corpus: str, gold: set[SpanOf], found: set[SpanOf]) -> None:
        """Why gold spans were not found, what was found where nothing is, and which label stands for which."""
        for start, end, label in gold - found:
            over = [one for one in found if one[0] < end and start < one[1]]
            others = sorted(other for _start, _end, other in over if other != label)
            if any((s, e) == (start, end) for s, e, _other in over):
                self.errors[corpus, "another label"] += 1
            elif len(others) < len(over):
                self.errors[corpus, "other edges"] += 1
            else:
                self.errors[corpus, "other edges and label" if over else "not found"] += 1
            if others and len(others) == len(over):
                self.confused[corpus, label, others[0]] += 1
        for start, end, _label in found - gold:
            self.errors[corpus, "nothing there"] += not any(s < end and start < e for s, e, _other in gold)

    def strict_f1(self, corpus: str, label: str | None = None) -> float:
        keys = self._keys(corpus, label)
        right = sum(self.strict[key] for key in keys)
        return 2 * right / max(1, sum(self.gold[key] + self.found[key] for key in keys))

    def relaxed_f1(self, corpus: str, label: str | None = None) -> float:
        keys = self._keys(corpus, label)
        recall = sum(self.touched[key] for key in keys) / max(1, sum(self.gold[key] for key in keys))
        precision = sum(self.right[key] for key in keys) / max(1, sum(self.found[key] for key in keys))
        return 2 * recall * precision / max(1e-9, recall + precision)

    def _keys(self, corpus: str, label: str | None) -> list[tuple[str, str]]:
        keys = {key for key in (self.gold | self.found) if key[0] == corpus}
        return sorted(key for key in keys if label in (None, key[1]))

    def table(self) -> str:
        """Figures of each corpus, and of its commonest labels: gold spans, strict F1, relaxed F1."""
        lines = []
        for corpus in sorted({key[0] for key in self.gold}):
            lines.append(f"{corpus:13s} strict {self.strict_f1(corpus):.3f} relaxed {self.relaxed_f1(corpus):.3f}")
            for key in sorted(self._keys(corpus, None), key=lambda key: -self.gold[key])[:_MOST_LABELS]:
                f1 = f"{self.strict_f1(*key):.3f} {self.relaxed_f1(*key):.3f}"
                lines.append(f"    {key[1]:22s} {self.gold[key]:5d} {f1}")
        return "\n".join(lines)

    def figures(self) -> dict[str, object]:
        """By corpus and label: gold spans, strict and relaxed F1; and what was wrong."""
        return {
            corpus: self._figures(corpus, None)
            | {"labels": {key[1]: self._figures(*key) for key in self._keys(corpus, None)}}
            | {"errors": {name: count for (own, name), count in sorted(self.errors.items()) if own == corpus}}
            | {"confused": self._confused(corpus)}
            for corpus in sorted({key[0] for key in self.gold})
        }

    def _confused(self, corpus: str) -> dict[str, dict[str, int]]:
        """By gold label, over which only other labels were found: which and how often."""
        found: dict[str, dict[str, int]] = {}
        for (own, label, other), count in sorted(self.confused.items(), key=lambda item: (-item[1], item[0])):
            if own == corpus:
                found.setdefault(label, {})[other] = count
        return found

    def _figures(self, corpus: str, label: str | None) -> dict[str, object]:
        keys = self._keys(corpus, label)
        right, gold, found = (sum(count[key] for key in keys) for count in (self.strict, self.gold, self.found))
        return {
            "gold": gold,
            "precision": round(right / max(1, found), 4),
            "recall": round(right / max(1, gold), 4),
            "strict_f1": round(self.strict_f1(corpus, label), 4),
            "relaxed_f1": round(self.relaxed_f1(corpus, label), 4),
        }
