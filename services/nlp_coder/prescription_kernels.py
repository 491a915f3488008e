"""Where in a note what is said of medications may begin, as no pattern is tried elsewhere: compiled, as `kernels`."""

import numpy as np

from services.nlp_coder.kernels import compiled

# What may begin at a character; a word's kinds are bits of its class. NUMBER: an amount. ROUTE, FREQUENCY, DURATION,
# COURSE: words of which one is in each. OFTEN: what says how often, though it begin with no more than "a" or "in".
# BEFORE, AFTER, IT: a cue of a status. PARTED: a word that parts a name from what follows. STATUS: one of the words of
# which one is in all that tells a status.
NUMBER, ROUTE, FREQUENCY, DURATION, COURSE, OFTEN, BEFORE, AFTER, IT, PARTED, STATUS = range(11)
KINDS = 11
_ZERO, _NINE, _DOT, _SLASH, _OPEN = 48, 57, 46, 47, 40
_LOWER, _LOWER_Q, _LOWER_X = 32, 113, 120


@compiled
def _is_digit(character):
    return _ZERO <= character <= _NINE


@compiled
def _kinds_of(text, start, end):
    """Kinds of what a word begins with, by its characters: "8h", "q8h", "x3"."""
    first = text[start] | _LOWER
    has_number = _is_digit(text[start]) or (end - start > 1 and _is_digit(text[start + 1]))
    kinds = 0
    if _is_digit(text[start]) or first == _LOWER_Q or (first == _LOWER_X and has_number):
        kinds |= 1 << OFTEN
    if first == _LOWER_X and has_number:
        kinds |= 1 << DURATION
    return kinds


@compiled
def telling_places(text, starts, ends, numbers, classes):
    """Characters at which what tells something may begin, ascending: int32 [KINDS, N], and how many of each kind.

    text: code points. starts, ends, numbers: of the words. classes: bits of words by number.
    """
    found = np.empty((KINDS, len(text) + 1), dtype=np.int32)
    counts = np.zeros(KINDS, dtype=np.int64)
    word = 0
    for position in range(len(text)):
        character, kinds = text[position], 0
        if _is_digit(character):
            kinds = 1 << NUMBER
        elif character == _SLASH or (character == _DOT and position + 1 < len(text) and _is_digit(text[position + 1])):
            kinds = 1 << OFTEN
        elif character == _OPEN:
            kinds = 1 << AFTER
        if word < len(starts) and starts[word] == position:
            kinds |= _kinds_of(text, position, ends[word])
            if numbers[word] < len(classes):
                kinds |= classes[numbers[word]]
            word += 1
        kind = 0
        while kinds:
            if kinds & 1:
                found[kind, counts[kind]] = position
                counts[kind] += 1
            kinds >>= 1
            kind += 1
    return found, counts
