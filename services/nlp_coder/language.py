"""Whether a text is human language that the models read: English. Anything doubtful is read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from services.nlp_coder.data_files import rows

# Text is sampled: a megabyte says no more about its language than its beginning.
_SAMPLE_CHARS = 20_000
_WORD = re.compile(r"[^\W\d_]+")
# Control characters, unassigned code points and replacement characters; local thresholds.
_MOST_RUBBISH = 0.1
_RUBBISH_CATEGORIES = frozenset({"Cc", "Cn", "Co", "Cs"})
_BLANKS = frozenset("\t\n\r\f\v\x1c\x1d\x1e\x1f\x85")
_REPLACEMENT = "\ufffd"
# Encoded files (base64, hex) are long runs without blanks.
_LONGEST_RUN = 200
# Share of function words that prose of a language has at the least; telegraphic English notes have fewer and are read.
_LEAST_SHARE = 0.12
_LEAST_HITS = 3
_LEAD = 1.5
_FOREIGN_SCRIPT_SHARE = 0.5
_LEAST_LETTERS = 4
_LATIN_NAMES = ("LATIN", "MICRO", "FEMININE", "MASCULINE", "MODIFIER", "FULLWIDTH LATIN", "MATHEMATICAL")


@dataclass(frozen=True, slots=True)
class Languages:
    """Function words of each language by BCP 47 code; of a word that several share, all of them."""

    words: dict[str, tuple[str, ...]]


def load_languages() -> Languages:
    """Read the table of function words."""
    words: dict[str, tuple[str, ...]] = {}
    for language, listed, _source in rows("function_words.tsv", 3):
        for word in listed.split():
            words[word] = (*words.get(word, ()), language)
    return Languages(words)


def reason_not_to_read(text: str, stated: str, languages: Languages) -> str:
    """Why the text is not read, or "" when it is. stated: BCP 47 code given with the text, or "".

    Only clear cases: a stated language is believed when the words do not contradict it.
    """
    sample = text[:_SAMPLE_CHARS]
    if _is_rubbish(sample):
        return "not human text"
    if _is_foreign_script(sample):
        return "not in English: another script"
    shares = _shares(sample, languages)
    english = shares.get("en", (0.0, 0))[0]
    for language, (share, hits) in sorted(shares.items(), key=lambda item: -item[1][0]):
        is_stated = stated.lower().split("-")[0] == language
        enough = hits >= 1 if is_stated else share >= _LEAST_SHARE and hits >= _LEAST_HITS
        if language != "en" and enough and share > _LEAD * english:
            return f"not in English: {language}"
    return ""


def _is_rubbish(sample: str) -> bool:
    if not sample:
        return False
    counts = Counter(sample)
    rubbish = sum(
        count
        for character, count in counts.items()
        if character == _REPLACEMENT
        or (unicodedata.category(character) in _RUBBISH_CATEGORIES and character not in _BLANKS)
    )
    if rubbish > _MOST_RUBBISH * len(sample):
        return True
    runs = sample.split()
    return bool(runs) and max(map(len, runs)) > _LONGEST_RUN and len(sample) > _LONGEST_RUN * len(runs)


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


def _shares(sample: str, languages: Languages) -> dict[str, tuple[float, int]]:
    """Share and number of words that are function words, by language."""
    found = [word.lower() for word in _WORD.findall(sample)]
    hits: Counter[str] = Counter()
    for word, count in Counter(found).items():
        for language in languages.words.get(word, ()):
            hits[language] += count
    return {language: (count / len(found), count) for language, count in hits.items()}
