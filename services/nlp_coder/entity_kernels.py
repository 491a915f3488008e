"""The inner loops around the model `note_entities`, compiled by numba: its input, and spans from its scores."""

import numpy as np

from services.nlp_coder.kernels import compiled

_MULTIPLIER = np.int64(-7046029254386353131)  # 2**64 / golden ratio, for hashing by multiplication
_NEVER = np.int64(-(2**60))
_GAP_CHARACTERS = 3
# Of a name's hash: the slot, and beside it in an entry of the table 29 bits and the class of the name in three.
_SLOT_SHIFT, _MARK_SHIFT, _MARK_BITS, _CLASS_BITS = 34, 5, 0x1FFFFFFF, 3
_CLASSES = 7
# Bits of a name's mark by which most that are no names are told without looking for them.
_SIEVE_BITS = 20
_SIEVE = (1 << _SIEVE_BITS) - 1
# States of a span's words, as in `entity_spans`: its beginning, inside, end, or a single word.
_BEGIN, _INSIDE, _END, _SINGLE = 0, 1, 2, 3


@compiled
def _with_word(name, key):
    """Hash of a name with one word more; a key is a word's own hash, int64."""
    value = (name ^ key) * _MULTIPLIER
    return value ^ ((value >> 29) & np.int64(0x7FFFFFFFF))


@compiled
def _class_of(names, name):
    """Class of a name by its hash, 1 to 7, or 0 for none. Of a billion others one is taken for a name."""
    mask = len(names) - 1
    slot = (name >> _SLOT_SHIFT) & mask
    mark = (name >> _MARK_SHIFT) & _MARK_BITS
    while names[slot]:
        if names[slot] >> _CLASS_BITS == mark:
            return np.int64(names[slot]) & _CLASSES
        slot = (slot + 1) & mask
    return np.int64(0)


@compiled
def names_table(keys, bounds, classes, size):
    """Names by hash, uint32 [size], a power of two. Name i has the words `keys[bounds[i]:bounds[i + 1]]`.

    classes: bits of each name, 1 to 7; of two equal names the first stays.
    """
    names = np.zeros(size, dtype=np.uint32)
    for index in range(len(classes)):
        name = np.int64(0)
        for word in range(bounds[index], bounds[index + 1]):
            name = _with_word(name, keys[word])
        if not _class_of(names, name):
            slot = (name >> _SLOT_SHIFT) & (size - 1)
            while names[slot]:
                slot = (slot + 1) & (size - 1)
            mark = (name >> _MARK_SHIFT) & _MARK_BITS
            names[slot] = np.uint32((mark << _CLASS_BITS) | classes[index])
    return names


@compiled
def unmet(rows, is_met):
    """Places of the rows that are -1 or not met, ascending, int64 [N]. is_met: by row."""
    found = np.empty(len(rows), dtype=np.int64)
    count = 0
    for place in range(len(rows)):
        if rows[place] < 0 or not is_met[rows[place]]:
            found[count] = place
            count += 1
    return found[:count].copy()


@compiled
def _mark(marks, first, last, base, step):
    """Add the state of each word of a span to its mark."""
    for word in range(first, last):
        place = _BEGIN if word == first else _END if word == last - 1 else _INSIDE
        marks[word] += base + step * (_SINGLE if last - first == 1 else place)


@compiled
def marks_of(names):
    """Bits of the marks of all names, uint8 [2**_SIEVE_BITS / 8]: small enough to stay near where the names do not."""
    sieve = np.zeros(1 << (_SIEVE_BITS - 3), dtype=np.uint8)
    for entry in names:
        if entry:
            mark = np.int64(entry >> _CLASS_BITS) & _SIEVE
            sieve[mark >> 3] |= np.uint8(1 << (mark & 7))
    return sieve


@compiled
def _names_from(about, rows, names, sieve, most):
    """For each word the hashes of the names of one word and more that would begin with it, and their entries.

    int64 and uint32 [T, most]; an entry is 0 where the sieve has no such name. All are fetched before one is looked at,
    so that none waits for the memory of another.
    """
    count, mask = len(rows), len(names) - 1
    hashes = np.empty((count, most), dtype=np.int64)
    entries = np.empty((count, most), dtype=np.uint32)
    for word in range(count):
        name = np.int64(0)
        for length in range(min(most, count - word)):
            name = _with_word(name, about[rows[word + length], 4])
            hashes[word, length] = name
            mark = (name >> _MARK_SHIFT) & _SIEVE
            is_there = sieve[mark >> 3] >> (mark & 7) & 1
            entries[word, length] = names[(name >> _SLOT_SHIFT) & mask] if is_there else 0
    return hashes, entries


@compiled
def _mark_names(marks, about, rows, names, sieve, most, first, states):
    """Add the states of the longest names, left to right. first, states: see `model_input`."""
    count = len(rows)
    hashes, entries = _names_from(about, rows, names, sieve, most)
    word = 0
    while word < count:
        following = word + 1
        for length in range(min(most, count - word), 0, -1):
            kind = _class_of(names, hashes[word, length - 1]) if entries[word, length - 1] else np.int64(0)
            if kind:
                following = word + length
                _mark(marks, word, following, first + states * (kind - 1), 1)
                break
        word = following


@compiled
def model_input(text, starts, ends, about, rows, spans, names, sieve, most, layout):
    """Rows of the embedding table that each word adds up, int32 [T, 4], and where else it stands, int32 [T, 3].

    text: code points. about: int64 [N, 5], of a word its row and that of its ending, its shape, a number that equal
    words share, and its key in `names`. rows: of each word that in `about`. spans: int64 [n, 4], first word, word after
    the last, what its first state adds to a mark and each further one. sieve: `marks_of` the names. most: words of the
    longest name. layout: the first row of shapes and the gaps before a word, the number of gaps, the first row of marks
    and what a name's first state and class add to it.
    Where else: the first place of an equal word, the one before this and the one after; where there is none, itself.
    """
    count = len(rows)
    ids = np.empty((count, 4), dtype=np.int32)
    first_shape, gaps, first_mark, states = layout
    marks = np.full(count, first_mark, dtype=np.int64)
    for index in range(len(spans)):
        _mark(marks, spans[index, 0], spans[index, 1], spans[index, 2], spans[index, 3])
    _mark_names(marks, about, rows, names, sieve, most, 1, states)
    free = 0
    numbers = np.empty(count, dtype=np.int64)
    for word in range(count):
        gap = np.int64(0)
        for position in range(free, min(starts[word], free + _GAP_CHARACTERS)):
            gap = gap * 31 + np.int64(text[position]) + 1
        free = ends[word]
        row = rows[word]
        ids[word, 0], ids[word, 1] = about[row, 0], about[row, 1]
        ids[word, 2] = first_shape + about[row, 2] * gaps + ((gap * _MULTIPLIER) >> 40) % gaps
        ids[word, 3] = marks[word]
        numbers[word] = about[row, 3]
    return ids, _elsewhere(numbers)


@compiled
def _elsewhere(numbers):
    """For each word the first place of an equal one, the place before it and the place after it, int32 [T, 3]."""
    count = len(numbers)
    same = np.empty((count, 3), dtype=np.int32)
    size = 4
    while size < 2 * count:
        size *= 2
    slots = np.full(size, -1, dtype=np.int32)  # of each number the place that was last seen
    for word in range(count):
        slot = ((numbers[word] * _MULTIPLIER) >> 32) & (size - 1)
        while slots[slot] >= 0 and numbers[slots[slot]] != numbers[word]:
            slot = (slot + 1) & (size - 1)
        before = slots[slot]
        slots[slot] = word
        same[word, 2] = word
        if before < 0:
            same[word, 0] = same[word, 1] = word
        else:
            same[word, 0], same[word, 1] = same[before, 0], before
            same[before, 2] = word
    return same


@compiled
def best_spans(scores, first, labels):
    """Spans of the sequence of states with the most score: first word, word after the last, label; int64 [n, 3].

    scores: [T, S], from `first` on outside, then of each label beginning, inside, end and single word. A sequence
    begins and ends outside of any span, and no span lies over another.
    """
    count = len(scores)
    # By word: the state in which nothing stays open, and for what stays open whether it began with this word.
    closing = np.zeros(count, dtype=np.int64)
    is_fresh = np.zeros((count, labels), dtype=np.bool_)
    closed, opened = np.int64(0), np.full(labels, _NEVER, dtype=np.int64)
    for word in range(count):
        best, own = closed + np.int64(scores[word, first]), 0
        for label in range(labels):
            state = 1 + 4 * label
            column = first + state
            alone = closed + np.int64(scores[word, column + _SINGLE])
            ended = opened[label] + np.int64(scores[word, column + _END])
            if alone > best:
                best, own = alone, state + _SINGLE
            if ended > best:
                best, own = ended, state + _END
            fresh = closed + np.int64(scores[word, column + _BEGIN])
            further = opened[label] + np.int64(scores[word, column + _INSIDE])
            is_fresh[word, label] = fresh >= further
            opened[label] = max(fresh, further)
        closed, closing[word] = best, own
    found = np.empty((count, 3), dtype=np.int64)
    free = last = count
    word = count - 1
    while word >= 0:
        state = closing[word]
        if state:
            label, place = (state - 1) // 4, (state - 1) % 4
            last = word + 1
            if place == _END:
                word -= 1
                while not is_fresh[word, label]:
                    word -= 1
            free -= 1
            found[free, 0], found[free, 1], found[free, 2] = word, last, label
        word -= 1
    return found[free:].copy()


@compiled
def telling_spans(spans, meanings):
    """Those of `best_spans` whose label means something, int64 [n, 3], with that in its place. meanings: by label."""
    found = np.empty((len(spans), 3), dtype=np.int64)
    count = 0
    for index in range(len(spans)):
        meaning = meanings[spans[index, 2]]
        if meaning >= 0:
            found[count, 0], found[count, 1], found[count, 2] = spans[index, 0], spans[index, 1], meaning
            count += 1
    return found[:count].copy()
