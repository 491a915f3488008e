"""The compiled loops against the plain definitions that they stand for."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nlp_coder import kernels, sections, sentences, tokens
from services.nlp_coder.forms import form_table, numbered_words
from services.nlp_coder.handlers import Coder, warm_up
from services.nlp_coder.numbered import numbered
from services.nlp_coder.phrases import phrase_table
from tests.nlp_coder.fakes import coded

# What words, signs, headers and sentence ends are made of, in all sorts of order.
ASCII = st.text("aBz09.,;:!?-+*#/()[]\"'& \t\r\n_", max_size=60)
ANY = st.one_of(ASCII, st.text(max_size=60), st.text("aA1.,;:-\u2013\u2019\u00e9\u00a0\u3000 \n", max_size=60))
ABBREVIATIONS = form_table(["ab", "bcd", "no", "nos"])
WORDS = st.lists(st.sampled_from("abcd"), max_size=12)


@settings(deadline=None)  # the first call compiles
@given(ASCII)
def test_words_are_split_as_the_pattern_says(text: str) -> None:
    starts, ends = kernels.split(tokens.code_points(text))
    words = tokens.words_of(text)
    assert (starts.tolist(), ends.tolist()) == (words.starts, words.ends)


@settings(deadline=None)  # the first call compiles
@given(ANY)
def test_words_with_numbers_are_the_words(text: str) -> None:
    for _once_new_and_once_known in range(2):
        words, starts, ends, numbers, forms = numbered_words(text, tokens.code_points(text))
        plain = tokens.words_of(text)
        assert (list(words.starts), list(words.ends), words.norms) == (plain.starts, plain.ends, plain.norms)
        assert (starts.tolist(), ends.tolist()) == (plain.starts, plain.ends)
        assert numbers.tolist() == numbered(words.norms).tolist()
        written = [text[start:end] for start, end in zip(plain.starts, plain.ends, strict=True)]
        by_form = {form: word for form, word in zip(forms.rows.tolist(), written, strict=True) if form >= 0}
        assert len(set(by_form.values())) == len(by_form)
        assert all(by_form.get(form, word) == word for form, word in zip(forms.rows.tolist(), written, strict=True))


@settings(deadline=None)  # the first call compiles
@given(text=ANY)
def test_no_place_is_passed_over_where_a_header_may_stand(text: str) -> None:
    found = tokens.matches_from(sections._LATER_HEADER, text, kernels.header_leads(tokens.code_points(text)).tolist())
    assert [match.span() for match in found] == [match.span() for match in sections._LATER_HEADER.finditer(text)]


@settings(deadline=None)  # the first call compiles
@given(st.one_of(ANY, st.text("a1.,:; \n", max_size=60)))
def test_no_place_is_passed_over_where_a_sentence_may_end(text: str) -> None:
    leads = np.sort(kernels.sentence_leads(tokens.code_points(text), ABBREVIATIONS, 5, 24)[0]).tolist()
    found = [match.span() for match in tokens.matches_from(sentences._CANDIDATE, text, leads)]
    for match in sentences._CANDIDATE.finditer(text):
        is_lead = match.span() in found
        assert is_lead or not sentences._full_stop_ends(text, *match.span(), frozenset({"ab", "bcd"}))


@settings(deadline=None)  # the first call compiles
@given(st.text('abcdefgNO12 .,:;!?"\u00e9\n\t', max_size=80))
def test_a_sentence_ends_without_doubt_where_the_rules_end_it(text: str) -> None:
    leads, plain = kernels.sentence_leads(tokens.code_points(text), ABBREVIATIONS, 5, 24)
    for position in leads[:plain].tolist():
        match = sentences._CANDIDATE.match(text, position)
        assert match is not None
        assert match.span() == (position, position + 1)
        is_known = frozenset({"ab", "bcd"})
        assert text[position] == "," or sentences._full_stop_ends(text, position, position + 1, is_known)


@settings(deadline=None)  # the first call compiles
@given(st.text("aNdoO_9 .-'\n", max_size=60))
def test_listed_words_are_counted_as_the_pattern_says(text: str) -> None:
    words = re.findall(r"[^\W\d_]{2,}", text.lower())
    listed = form_table(["and", "no", "an"])
    assert kernels.listed_words(tokens.code_points(text), *listed) == (
        len(words),
        sum(word in ("and", "no", "an") for word in words),
    )


@settings(deadline=None)  # the first call compiles
@given(st.lists(WORDS, max_size=8), WORDS)
def test_the_longest_phrase_from_a_word_is_found(phrases: list[list[str]], text: list[str]) -> None:
    table = phrase_table((words, tuple(words)) for words in phrases)
    for start in range(len(text)):
        fitting = [words for words in phrases if words and text[start : start + len(words)] == words]
        longest = max(fitting, key=len, default=None)
        found = table.longest_from(numbered(text), start, len(text))
        assert found == (longest and (start + len(longest), tuple(longest)))


@settings(deadline=None)  # the first call compiles
@given(st.lists(WORDS, max_size=8), WORDS.filter(bool), st.data())
def test_phrases_near_words_are_the_longest_in_their_sentence(
    phrases: list[list[str]], text: list[str], data: st.DataObject
) -> None:
    table, numbers, count = phrase_table((words, tuple(words)) for words in phrases), numbered(text), len(text)
    sentence = np.array(sorted(data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))))
    begin = data.draw(st.integers(0, count - 1))
    end = data.draw(st.integers(begin + 1, count))
    stops = np.searchsorted(sentence, sentence, side="right")
    wanted, free = [], 0
    for word in range(max(0, begin - 2), min(count, end + 3)):
        other = begin if word < begin else end - 1
        if begin <= word < end or sentence[word] != sentence[other] or word < free:
            continue
        found = table.longest_from(numbers, word, int(stops[word]))
        if found is not None:
            free = found[0]
            wanted.append(found[1])
    near = kernels.phrases_near(
        *table.trie, numbers, stops, sentence, np.zeros(count, dtype=np.int64), begin, end, 2, 3
    )
    assert [table.values[phrase] for phrase in near.tolist()] == wanted


@settings(deadline=None)  # the first call compiles
@given(st.lists(WORDS, max_size=8), WORDS.filter(bool), st.data())
def test_a_word_is_in_a_phrase_that_does_not_count(
    phrases: list[list[str]], text: list[str], data: st.DataObject
) -> None:
    table, numbers = phrase_table((words, tuple(words)) for words in phrases), numbered(text)
    counts = np.array(data.draw(st.lists(st.booleans(), min_size=len(table.values), max_size=len(table.values))), bool)
    word, stops = data.draw(st.integers(0, len(text) - 1)), np.full(len(text), len(text))
    found = [table.longest_from(numbers, start, len(text)) for start in range(max(0, word - 3), word + 1)]
    # Of two equal phrases the first stays.
    counted = dict(reversed(list(zip(table.values, counts, strict=True))))
    wanted = any(one is not None and one[0] > word and not counted[one[1]] for one in found)
    assert kernels.in_other_phrase(*table.trie, counts, numbers, stops, word, 3) == wanted


@settings(deadline=None)  # the first call compiles
@given(st.lists(WORDS, max_size=8))
def test_a_table_gives_its_phrases_back(phrases: list[list[str]]) -> None:
    table = phrase_table((words, index) for index, words in enumerate(phrases))
    assert list(table.phrases()) == [(words, index) for index, words in enumerate(phrases) if words]


async def test_no_note_waits_for_a_loop_to_be_compiled(coder: Coder) -> None:
    def compiled() -> dict[str, int]:
        loops = {name: loop for name, loop in vars(kernels).items() if hasattr(loop, "signatures")}
        return {name: len(loop.signatures) for name, loop in loops.items()}

    warm_up(coder)
    before = compiled()
    # Those that only other loops call count for nothing where all had been compiled before.
    assert sum(before.values()) > len(before) / 3
    for text in (
        "",
        "a",
        "no",
        "History of pneumonia.",
        "?PE - no.\r\n+ cough, - fever",
        "\u2205 \u3000 caf\u00e9",
        "Allergies: NKDA. " * 3000,
    ):
        await coded(coder, text)
    assert compiled() == before


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(0, 5), max_size=40))
def test_each_term_stands_once_with_all_of_its_weight(terms: list[int]) -> None:
    weights = np.linspace(0.1, 0.9, len(terms), dtype=np.float32)
    ids, sums, firsts = kernels.distinct(np.array(terms, dtype=np.int64), weights)
    assert ids.tolist() == sorted(set(terms))
    assert firsts.tolist() == [terms.index(term) for term in ids.tolist()]
    for term, total in zip(ids.tolist(), sums.tolist(), strict=True):
        assert total == pytest.approx(sum(weight for own, weight in zip(terms, weights, strict=True) if own == term))


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(1, 4), min_size=1, max_size=40))
def test_a_vector_that_says_enough_has_length_one(terms: list[int]) -> None:
    idf = np.array([0.0, 1.0, 2.0, 3.0, 0.5])
    weights = kernels.weights_of(np.array(terms, dtype=np.int64), idf, 0.1)
    shares = np.bincount(terms, weights=weights, minlength=5)
    assert np.linalg.norm(shares) == pytest.approx(1.0, rel=1e-5)
    expected = np.array([(1 + np.log(terms.count(term))) * idf[term] if term in terms else 0.0 for term in range(5)])
    assert shares == pytest.approx(expected / np.linalg.norm(expected), rel=1e-5)
