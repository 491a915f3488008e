"""Text that no person wrote for another: files, encodings, programs, columns of numbers. Anything doubtful is text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

# Control characters, unassigned code points and replacement characters; local thresholds, like all below.
_MOST_RUBBISH = 0.1
_RUBBISH_CATEGORIES = frozenset({"Cc", "Cn", "Co", "Cs"})
_BLANKS = frozenset("\t\n\r\f\v\x1c\x1d\x1e\x1f\x85")
_REPLACEMENT = "\ufffd"
_CONTROL = bytes([*range(0x09), *range(0x0E, 0x1C), 0x7F])
# Encoded files are long runs without blanks, with digits; a ruler of dashes is none.
_LONGEST_RUN = 200
_ENCODED = re.compile(r"(?=.*\d.*\d|.*=)[A-Za-z0-9+/=_.:?&%-]{32,}")
_FEWEST_KINDS = 10
_ENCODED_SHARE = 0.5
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}|[0-9A-Fa-f]{8,})")
_HEX_LETTER = re.compile(r"[A-Fa-f]")
_FEWEST_HEX = 16
_HEX_SHARE = 0.8
_LONG_ENOUGH = 20
_FEWEST_NUMBERS = 40
_FEW_LETTERS = 0.02
# What programs, queries, structured data, markup and logs are made of, and prose is not. Of 35,000 English notes,
# abstracts, criteria and lines of them, none has more than 0.041 a character. "p.o. b.i.d." is Latin and no program.
_CODE = re.compile(
    r"[{}]|\w\(\)|\w\((?=[\w'\"])|\)[;:]|;\s*(?:\n|$)|=>|==|!=|&&|\|\||</|/>|::|\w=[\w\"']|\"\s*:|\",\s*\"|[a-z][A-Z]\w|\w_\w"
    r"|\b(?:[A-Za-z]\w+\.[A-Za-z]\w*|[A-Za-z]\.[A-Za-z]\w+)|https?://|<\w+|\[\w*\]|\b(?:SELECT|FROM|WHERE|JOIN|def|return|const|import|null)\b"
)
# What formats a text that people read, where a note was sent as HTML.
_FORMATTING = re.compile(
    r"</?(?:html|body|p|br|hr|div|span|b|i|u|em|strong|small|sub|sup|font|pre|center|blockquote|h[1-6]|ul|ol|li|dl|dt|dd"
    r"|table|thead|tbody|tr|td|th)(?: [^<>]{0,200})?/?>|&(?:nbsp|lt|gt|amp|quot|#\d{2,5});",
    re.IGNORECASE,
)
_PLAIN_WORD = re.compile(r"[A-Za-z]{3,}")
_FEWEST_PLAIN_WORDS = 3
_CODE_PER_CHARACTER = 0.055
_SHORTEST_CODE = 60
# Keys struck at random hold sequences of three letters that words do not.
_FEWEST_STRANGE_WORDS = 8
_LONG_WORD = 4
_SEEN_SHARE = 0.5
_SEQUENCE = 3


def is_binary(sample: str) -> bool:
    """Whether a tenth of it is no character of any script."""
    if sample.isascii():
        is_clean = len(sample.encode().translate(None, _CONTROL)) == len(sample)
    else:
        is_clean = "".join(sample.split()).isprintable() and _REPLACEMENT not in sample
    if is_clean:
        return False
    rubbish = sum(
        count
        for character, count in Counter(sample).items()
        if character == _REPLACEMENT
        or (unicodedata.category(character) in _RUBBISH_CATEGORIES and character not in _BLANKS)
    )
    return rubbish > _MOST_RUBBISH * len(sample)


def is_machine_text(sample: str) -> bool:
    """Whether it is an encoded file, columns of numbers, a program, structured data or a log."""
    runs = sample.split()
    return bool(runs) and (
        _is_wordless(sample, runs) or _is_encoded(sample, runs) or _is_hexadecimal(runs) or _is_code(sample)
    )


def is_keyboard(words: Sequence[str], sequences: frozenset[str]) -> bool:
    """Whether most letters are strung together as in no word.

    words: lower case, those that no table knows. sequences: of three letters, as `letter_sequences` gives them.
    """
    long = [word for word in words if len(word) >= _LONG_WORD and word.isascii()]
    if len(long) < _FEWEST_STRANGE_WORDS:
        return False
    found = [sequence in sequences for word in long for sequence in _sequences(word)]
    return sum(found) < _SEEN_SHARE * len(found)


def letter_sequences(words: Iterable[str]) -> frozenset[str]:
    """All sequences of three letters in the words."""
    return frozenset(sequence for word in words for sequence in _sequences(word))


def _sequences(word: str) -> Iterator[str]:
    return (word[start : start + _SEQUENCE] for start in range(len(word) - _SEQUENCE + 1))


def _is_wordless(sample: str, runs: Sequence[str]) -> bool:
    """Long text without letters: columns of numbers, rows of signs."""
    written = sum(map(len, runs))
    if sum(map(str.isalpha, sample)) > _FEW_LETTERS * written:
        return False
    return len(runs) >= _FEWEST_NUMBERS or (written >= _LONG_ENOUGH and not any(map(str.isdigit, sample)))


def _is_encoded(sample: str, runs: Sequence[str]) -> bool:
    if max(map(len, runs)) > _LONGEST_RUN and len(sample) > _LONGEST_RUN * len(runs):
        return True
    encoded = sum(len(run) for run in runs if _ENCODED.fullmatch(run) and len(set(run)) >= _FEWEST_KINDS)
    return encoded > _ENCODED_SHARE * len(sample)


def _is_hexadecimal(runs: Sequence[str]) -> bool:
    found = [run for run in runs if _HEX.fullmatch(run)]
    has_letters = 4 * sum(bool(_HEX_LETTER.search(run)) for run in found) >= len(found)
    return len(found) >= _FEWEST_HEX and has_letters and len(found) >= _HEX_SHARE * len(runs)


def _is_code(sample: str) -> bool:
    bare = _FORMATTING.sub(" ", sample) if "<" in sample else sample
    if len(_PLAIN_WORD.findall(bare)) >= _FEWEST_PLAIN_WORDS:
        sample = bare
    return len(sample) >= _SHORTEST_CODE and len(_CODE.findall(sample)) > _CODE_PER_CHARACTER * len(sample)
