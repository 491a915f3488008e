"""Where in a note what is said of medications may begin, as no pattern is tried elsewhere: compiled, as `kernels`."""

import numpy as np

from services.nlp_coder.kernels import compiled

# What may begin at a character; a word's kinds are bits of its class. NUMBER: an amount. ROUTE, FREQUENCY, DURATION,
# COURSE: words of which one is in each. OFTEN: what says how often, though it begin with no more than "a" or "in".
# BEFORE, AFTER, IT: a cue of a status. PARTED: a word that parts a name from what follows. STATUS: one of the words of
# which one is in all that tells a status.
NUMBER, ROUTE, FREQUENCY, DURATION, COURSE, OFTEN, BEFORE, AFTER, IT, PARTED, STATUS = range(11)
LISTED = OFTEN, BEFORE, AFTER, IT
# Columns of what stands around a medication. STOP: where its sentence ends. LIMIT: how far after it its parts may
# stand, and SAID_AFTER: the kinds of what stands there, as bits. BEGIN: how far before it, and SAID_BEFORE: what stands
# there, none where another medication does. IT_STOP: how far "it" may be the medication, and whether there is an IT.
# WORD: its first. STATUS_BEGIN: how far before it its status may stand, and whether a word of one stands around it.
STOP, LIMIT, SAID_AFTER, BEGIN, SAID_BEFORE, IT_STOP, HAS_IT, WORD, STATUS_BEGIN, HAS_STATUS = range(10)
COLUMNS = 10
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
def _telling_places(text, starts, ends, numbers, classes):
    """Characters at which what tells something may begin, ascending, int32 [N], and their kinds as bits, int64 [N]."""
    places = np.empty(len(text), dtype=np.int32)
    found = np.empty(len(text), dtype=np.int64)
    word, count = 0, 0
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
        if kinds:
            places[count], found[count] = position, kinds
            count += 1
    return places[:count], found[:count]


@compiled
def _between(places, kinds, start, end):
    """Kinds of all places at `start` or after it and before `end`."""
    found = 0
    for index in range(np.searchsorted(places, start), len(places)):
        if places[index] >= end:
            break
        found |= kinds[index]
    return found


@compiled
def _words_of_sentence(sentence, own, word, reach):
    """Of a sentence the first word, and the word after the last, as far as they stand within reach of a word."""
    first = last = word
    while first > 0 and first > word - reach and sentence[first - 1] >= own:
        first -= 1
    while last < len(sentence) and last < word + reach and sentence[last] <= own:
        last += 1
    return first, last


@compiled
def surroundings(text, words, sentence_starts, classes, medications, reaches):
    """Where in a text something may be told, its kinds as bits, and what stands around medications.

    Places, int32 [N], ascending, and their kinds, int64 [N]; of the kinds that are LISTED the places again, int32
    [len(LISTED), N], with how many there are of each; rows of int64 [M, COLUMNS]. text: code points. words:
    `document.Columns.layout`. classes: kinds of words as bits, by number. medications: int64 [M, 2], characters,
    ascending. reaches: characters after a name and before it in which its parts are looked for, and those after it in
    which something is said of "it"; words around a name in which its status is.
    """
    numbers, starts, ends, sentence, _stops, _clauses, _section = words
    reach_after, reach_before, reach_it, reach_status = reaches
    places, kinds = _telling_places(text, starts, ends, numbers, classes)
    rows = np.zeros((len(medications), COLUMNS), dtype=np.int64)
    for index in range(len(medications)):
        start, end = medications[index]
        following = medications[index + 1, 0] if index + 1 < len(medications) else len(text)
        own = np.searchsorted(sentence_starts, start, side="right") - 1
        begin = sentence_starts[own]
        stop = sentence_starts[own + 1] if own + 1 < len(sentence_starts) else len(text)
        limit = min(stop, following, end + reach_after)
        rows[index, STOP], rows[index, LIMIT] = stop, limit
        rows[index, SAID_AFTER] = _between(places, kinds, end, limit)
        rows[index, BEGIN] = max(begin, start - reach_before)
        if index == 0 or medications[index - 1, 1] <= begin:
            rows[index, SAID_BEFORE] = _between(places, kinds, rows[index, BEGIN], start)
        next_stop = sentence_starts[own + 2] if own + 2 < len(sentence_starts) else len(text)
        rows[index, IT_STOP] = min(following, next_stop, end + reach_it)
        rows[index, HAS_IT] = _between(places, kinds, end, rows[index, IT_STOP]) >> IT & 1
        word = max(0, np.searchsorted(starts, start, side="right") - 1)
        first, last = _words_of_sentence(sentence, own, word, reach_status)
        rows[index, WORD], rows[index, STATUS_BEGIN] = word, starts[first]
        rows[index, HAS_STATUS] = _between(places, kinds, starts[first], starts[last - 1] + 1) >> STATUS & 1
    listed = np.empty((len(LISTED), len(places)), dtype=np.int32)
    counts = np.zeros(len(LISTED), dtype=np.int64)
    for index in range(len(places)):
        for row in range(len(LISTED)):
            if kinds[index] >> LISTED[row] & 1:
                listed[row, counts[row]] = places[index]
                counts[row] += 1
    return places, kinds, listed, counts, rows
