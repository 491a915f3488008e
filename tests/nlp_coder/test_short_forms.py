"""Short forms of what is found, wherever they stand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.nlp_coder.document import Document, load_grammar, read, word_range
from services.nlp_coder.short_forms import with_short_forms


def found(text: str, *names: str) -> list[tuple[str, int]]:
    """Spans after short forms were looked for, from spans at the first place of each name, labelled in their order."""
    document = read(text, load_grammar())
    spans = [(*words_at(document, text.index(name), name), label) for label, name in enumerate(names)]
    rows = with_short_forms(document, np.array(spans, dtype=np.int64).reshape(-1, 3))
    return [(text[slice(*document.span(first, last))], label) for first, last, label in rows.tolist()]


def words_at(document: Document, start: int, name: str) -> tuple[int, int]:
    words = word_range(document, start, start + len(name))
    assert words is not None
    return words


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("ataxia telangiectasia (A-T) is rare. A-T cells", "ataxia telangiectasia", ["A-T", "A-T"]),
        ("myocardial infarction (MI; old). Another MI, no MIBG", "myocardial infarction", ["MI", "MI"]),
        ("familial polyposis (FAP), FAP-affected, non-FAP", "familial polyposis", ["FAP", "FAP"]),
        ("cyclosporine A (CsA) at last", "cyclosporine A", ["CsA"]),
        # Of the enzyme and not of its lack.
        ("deficiency of aspartoacylase (ASPA), the ASPA gene", "deficiency of aspartoacylase", []),
        ("hypotension (BP 80), BP again", "hypotension", []),
        ("cardiomegaly (Figure). Figure", "cardiomegaly", []),
        ("myocardial infarction, and (MI)", "myocardial infarction", []),
    ],
)
def test_a_short_form_is_what_stands_before_its_bracket(text: str, name: str, expected: list[str]) -> None:
    assert found(text, name) == [(name, 0), *((form, 0) for form in expected)]


def test_a_short_form_keeps_the_label_and_leaves_what_was_found_already() -> None:
    text = "aspirin for multiple sclerosis (MS); severe MS, MS"
    assert found(text, "aspirin", "multiple sclerosis", "severe MS") == [
        ("aspirin", 0), ("multiple sclerosis", 1), ("MS", 1), ("severe MS", 2), ("MS", 1),
    ]  # fmt: skip


@given(st.text(alphabet="aAbB ()-;.", max_size=40), st.lists(st.integers(0, 12), max_size=4))
def test_spans_of_any_text_stay_in_order_and_do_not_overlap(text: str, words: list[int]) -> None:
    document = read(text, load_grammar())
    spans = [(word, word + 1, 0) for word in sorted(set(words)) if word < len(document.words)]
    rows = with_short_forms(document, np.array(spans, dtype=np.int64).reshape(-1, 3)).tolist()
    assert set(spans) <= {tuple(row) for row in rows}
    assert all(before[1] <= after[0] for before, after in pairwise(rows))
    assert all(0 <= first < last <= len(document.words) for first, last, _label in rows)
