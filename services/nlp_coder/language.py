"""Whether a text is human language that the models read: English. Anything doubtful is read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.nlp_coder import kernels
from services.nlp_coder.data_files import rows
from services.nlp_coder.forms import FormTable, form_table
from services.nlp_coder.gibberish import is_binary, is_keyboard, is_machine_text, letter_sequences
from services.nlp_coder.tokens import code_points

# Text is sampled: a megabyte says no more about its language than its beginning.
_SAMPLE_CHARS = 20_000
_WORD = re.compile(r"[^\W\d_]{2,}")
ENGLISH = "en"
_FILLER = "lorem"
# Shares and counts of words that show a language; local, set on made-up notes of 19 languages.
_LEAST_SHARE = 0.12
_LEAST_HITS = 3
_LEAST_KINDS = 2
_LEAD = 1.5
_LONG_WORD = 4
_STRANGE_SHARE = 0.5
_ACCENTED_SHARE = 0.2
_FILLER_SHARE = 0.3
_FEWEST_FILLERS = 5
_BEGINNING_CHARS = 1_000
_PROSE_WORDS = 40
_PROSE_SHARE = 0.2
_NOT_HUMAN = "not human text"
_FOREIGN_SCRIPT_SHARE = 0.5
_LEAST_LETTERS = 4
_LATIN_NAMES = ("LATIN", "MICRO", "FEMININE", "MASCULINE", "MODIFIER", "FULLWIDTH LATIN", "MATHEMATICAL")


@dataclass(frozen=True, slots=True)
class Languages:
    """Frequent words of each language by BCP 47 code; of a word that several share, all of them.

    `terms`: words of the code set, lower case. They are English, as far as that can be said of them. `sequences`: of
    three letters, in those words. `english`: the frequent words of English.
    """

    words: Mapping[str, tuple[str, ...]]
    terms: frozenset[str]
    sequences: frozenset[str]
    english: FormTable


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a sample's words are. `long`: of four letters and more; `strange`: those that no English table knows.

    `unknown`: those that no table at all knows. `hits` and `kinds`: words by language, and different words.
    """

    hits: Mapping[str, int]
    kinds: Mapping[str, int]
    words: int
    long: int
    strange: int
    accented: int
    unknown: Sequence[str]

    def share(self, language: str) -> float:
        """Of all words, those that show the language."""
        return self.hits.get(language, 0) / max(self.words, 1)

    @property
    def is_strange(self) -> bool:
        """Whether most of what is long enough to tell is no English."""
        return self.strange >= _STRANGE_SHARE * max(self.long, 1)


def load_languages(english_words: Iterable[str]) -> Languages:
    """Read the table of frequent words. english_words: those of the dictionary, lower case."""
    words: dict[str, tuple[str, ...]] = {}
    for language, listed, _source in rows("function_words.tsv", 3):
        for word in dict.fromkeys(listed.split()):
            words[word] = (*words.get(word, ()), language)
    terms = frozenset(word for word in english_words if len(word) >= _LONG_WORD)
    english = form_table(word for word, shown in words.items() if ENGLISH in shown)
    return Languages(words, terms, letter_sequences(terms.union(words)), english)


def reason_not_to_read(text: str, stated: str, languages: Languages) -> str:
    """Why the text is not read, or "" when it is. stated: BCP 47 code given with the text, or "".

    Only clear cases: a stated language is believed when the words do not contradict it.
    """
    sample = text[:_SAMPLE_CHARS]
    if is_binary(sample):
        return _NOT_HUMAN
    if _is_prose(sample[:_BEGINNING_CHARS], languages):
        return ""
    if _is_foreign_script(sample):
        return "not in English: another script"
    counted = _counted(_WORD.findall(sample.lower()), languages)
    is_filler = counted.hits.get(_FILLER, 0) >= _FEWEST_FILLERS and counted.share(_FILLER) >= _FILLER_SHARE
    if is_filler or is_machine_text(sample):
        return _NOT_HUMAN
    stated_language = stated.lower().split("-")[0]
    for language in sorted(counted.hits, key=lambda one: (one != stated_language, -counted.hits[one], one)):
        if language not in (ENGLISH, _FILLER) and _is_in(language, counted, is_stated=language == stated_language):
            return f"not in English: {language}"
    return _NOT_HUMAN if counted.is_strange and is_keyboard(counted.unknown, languages.sequences) else ""


def _is_prose(beginning: str, languages: Languages) -> bool:
    """Whether the text begins with sentences of English: nearly every note does, and needs no further question."""
    if beginning.isascii():
        words, english = kernels.listed_words(code_points(beginning), *languages.english)
    else:
        found = _WORD.findall(beginning.lower())
        words, english = len(found), sum(ENGLISH in languages.words.get(word, ()) for word in found)
    return bool(words >= _PROSE_WORDS and english >= _PROSE_SHARE * words)


def _is_in(language: str, counted: _Counted, *, is_stated: bool) -> bool:
    """Whether the words show the language clearly, and clearly more than English."""
    hits, english = counted.hits[language], counted.hits.get(ENGLISH, 0)
    if hits <= _LEAD * english:
        return False
    has_several = counted.kinds[language] >= _LEAST_KINDS  # "Na" in every line of a table is no Portuguese
    if is_stated or (has_several and hits >= _LEAST_HITS and counted.share(language) >= _LEAST_SHARE):
        return True
    is_accented = counted.accented > _ACCENTED_SHARE * counted.words
    return counted.is_strange and (has_several or is_accented)


def _counted(words: Sequence[str], languages: Languages) -> _Counted:
    hits: dict[str, int] = {}
    kinds: Counter[str] = Counter()
    long = strange = accented = 0
    unknown = []
    for word, count in Counter(words).items():
        shown = languages.words.get(word, ())
        for language in shown:
            hits[language] = hits.get(language, 0) + count
        kinds.update(shown)
        if not word.isascii():
            accented += count
        if len(word) >= _LONG_WORD:
            long += count
            if not (ENGLISH in shown or (word in languages.terms and not shown)):
                strange += count
                unknown += [] if shown else [word]
    return _Counted(hits, kinds, len(words), long, strange, accented, unknown)


def _is_foreign_script(sample: str) -> bool:
    """Whether more than half of the letters are not Latin. A Greek letter in a measurement does not count."""
    if sample.isascii():
        return False
    letters = Counter({letter: count for letter, count in Counter(sample).items() if letter.isalpha()})
    total = letters.total()
    latin = sum(count for letter, count in letters.items() if _is_latin(letter))
    return total >= _LEAST_LETTERS and total - latin > _FOREIGN_SCRIPT_SHARE * total


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith(_LATIN_NAMES)
