"""The loops that join what dictionary, names of drugs and model find, and write it as protobuf: compiled, as `kernels`.

An entity is a row of int64 [COLUMNS] from here to the bytes of its message.
"""

import numpy as np

from services.nlp_coder.guess_kernels import write_number, write_text
from services.nlp_coder.kernels import compiled, longest_from

# Columns. FIRST, LAST: its words. START, END: its characters. MENTION: of the dictionary, whose code it has, or -1.
# RULES: 1 where a corpus's rules marked it. IS_ASKED: 1 where its sentence or section may say how it reads. SYMPTOM:
# its row among the names of symptoms, or -1.
TYPE, FIRST, LAST, START, END, ORIGIN, MENTION, RULES, IS_ASKED, SYMPTOM = range(10)
COLUMNS = 10
# Types of entities, and what else a span of the model may be.
MEDICATION, SIGN_SYMPTOM, DISEASE, PROCEDURE, TEST, ANATOMY, VALUE, SEVERITY = range(8)
DICTIONARY, DRUG_NAMES, MODEL, DICTIONARY_AND_MODEL, NAMES_AND_MODEL = range(5)
ORIGINS = 5
# Classes of words, a bit each: those below name nothing as an entity of that type.
UNTELLING, SEVERE, SIDED = 1 << 8, 1 << 9, 1 << 10
LONGEST_NAME = 6
_AROUND = 8
_COLON, _QUOTE, _RIGHT_QUOTE, _LOWER_S = 58, 39, 0x2019, 115
_OPEN, _CLOSE, _SQUARE_OPEN, _SQUARE_CLOSE = 40, 41, 91, 93
_CONDITIONS = 1 << SIGN_SYMPTOM | 1 << DISEASE
_TESTS = 1 << TEST
# Fields of vigil.v1.Entity, EntityAttribute and Span as protobuf tags them, and the bytes of a span, its tag included.
_SPAN, _ATTRIBUTES, _ATTRIBUTE_SPAN, _SPAN_START, _SPAN_END = 2 << 3 | 2, 7 << 3 | 2, 2 << 3 | 2, 1 << 3, 2 << 3
_SPAN_BYTES, _LENGTH_BYTES = 14, 6


@compiled
def _classes_of(numbers, classes):
    """Classes of words, int64 [words]. classes: by number; words of tables loaded later have none."""
    found = np.zeros(len(numbers), dtype=np.int64)
    for word in range(len(numbers)):
        if numbers[word] < len(classes):
            found[word] = classes[numbers[word]]
    return found


@compiled
def without_possessive(text, end):
    """Where words that end at a character end without their possessive."""
    is_possessive = (
        end >= 2 and text[end - 1] == _LOWER_S and (text[end - 2] == _QUOTE or text[end - 2] == _RIGHT_QUOTE)
    )
    return end - 2 if is_possessive else end


@compiled
def with_brackets(text, start, end):
    """Characters with the bracket beside them that closes one inside."""
    first, last = start, end
    for opening, closing in ((_OPEN, _CLOSE), (_SQUARE_OPEN, _SQUARE_CLOSE)):
        depth = 0
        for position in range(first, last):
            depth += text[position] == opening
            depth -= text[position] == closing
        if depth > 0 and end < len(text) and text[end] == closing:
            end += 1
        if depth < 0 and start and text[start - 1] == opening:
            start -= 1
    return start, end


@compiled
def _all_in(classes, first, last, bit):
    for word in range(first, last):
        if not classes[word] & bit:
            return False
    return True


@compiled
def _of_model(text, words, bodies, classes, spans):
    """Spans that have a type, are no header and no function word, and end in their own sentence."""
    _numbers, starts, ends, sentence, _stops, _clauses, section = words
    rows = np.empty((len(spans), COLUMNS), dtype=np.int64)
    count = 0
    for index in range(len(spans)):
        first, last, kind = spans[index]
        if kind > ANATOMY or (last - first == 1 and classes[first] & UNTELLING):
            continue
        if starts[first] < bodies[section[first]] or sentence[first] != sentence[last - 1]:
            continue
        start, end = with_brackets(text, starts[first], without_possessive(text, ends[last - 1]))
        # "Respiratory: no cough" has a header, though none of a section.
        if end < len(text) and text[end] == _COLON and (first == 0 or sentence[first - 1] != sentence[first]):
            continue
        rows[count] = -1
        rows[count, TYPE], rows[count, FIRST], rows[count, LAST] = kind, first, last
        rows[count, START], rows[count, END], rows[count, ORIGIN], rows[count, RULES] = start, end, MODEL, 1
        count += 1
    return rows[:count]


@compiled
def _of_words(words, found, origin):
    """Rows of words that stand as they are: found, int64 [N, 4], of the dictionary or of the names of drugs."""
    _numbers, starts, ends, _sentence, _stops, _clauses, _section = words
    rows = np.full((len(found), COLUMNS), -1, dtype=np.int64)
    for index in range(len(found)):
        first, last = found[index, 0], found[index, 1]
        rows[index, TYPE], rows[index, FIRST], rows[index, LAST] = found[index, 2], first, last
        rows[index, START], rows[index, END] = starts[first], ends[last - 1]
        rows[index, ORIGIN], rows[index, RULES] = origin, 0
        if origin == DICTIONARY:
            rows[index, MENTION] = index
    return rows


@compiled
def _kept_of_model(rows, classes, is_measured):
    """For each row whether it has a word that names something, and is no medication that is measured."""
    kept = np.ones(len(rows), dtype=np.bool_)
    for index in range(len(rows)):
        first, last = rows[index, FIRST], rows[index, LAST]
        kept[index] = not _all_in(classes, first, last, 1 << rows[index, TYPE])
        if rows[index, TYPE] == MEDICATION and _all_in(is_measured, first, last, True):
            kept[index] = False
    return kept


@compiled
def _outside_names(rows, is_status, named, count):
    """For each row of the dictionary whether it is no part of a longer name: "AF" of "Lotrimin AF"."""
    length = np.zeros(count, dtype=np.int64)
    for index in range(len(named)):
        first, last = named[index, FIRST], named[index, LAST]
        if last - first > 1:
            length[first:last] = last - first
    kept = np.ones(len(rows), dtype=np.bool_)
    for index in range(len(rows)):
        first, last = rows[index, FIRST], rows[index, LAST]
        kept[index] = is_status[index] or last - first >= length[first:last].min()
    return kept


@compiled
def _agree(kept, other):
    """What stands over a kept entity lends it its code, and its rules where they say the same."""
    if other[MENTION] >= 0 and kept[MENTION] < 0 and _CONDITIONS >> kept[TYPE] & 1:
        kept[MENTION], kept[ORIGIN] = other[MENTION], DICTIONARY_AND_MODEL
    elif (
        other[RULES]
        and kept[TYPE] == other[TYPE]
        and kept[FIRST] == other[FIRST]
        and kept[LAST] == other[LAST]
        and kept[ORIGIN] <= DRUG_NAMES
    ):
        kept[RULES] = 1
        kept[ORIGIN] = DICTIONARY_AND_MODEL if kept[ORIGIN] == DICTIONARY else NAMES_AND_MODEL


@compiled
def _once_each(rows, is_status, count):
    """Of entities over one another those that come first, in order of the text.

    is_status: by mention. Statuses are apart from the rest: "Aspirin 81" is also a long-term use of aspirin. Places of
    the body do not keep others away, and are left out inside them: "chest" of "chest pain" is told with it.
    """
    kept = np.empty(len(rows), dtype=np.int64)
    taken = np.full(count, -1, dtype=np.int64)
    found = 0
    for index in range(len(rows)):
        first, last = rows[index, FIRST], rows[index, LAST]
        is_apart = rows[index, MENTION] >= 0 and is_status[rows[index, MENTION]]
        over, others = -1, 0
        for word in range(first, last):
            if taken[word] >= 0 and taken[word] != over:
                over = taken[word]
                others += 1
        if is_apart or not others:
            kept[found] = index
            found += 1
            if not is_apart and rows[index, TYPE] != ANATOMY:
                taken[first:last] = index
        elif others == 1 and rows[index, TYPE] != ANATOMY:
            _agree(rows[over], rows[index])
    rows = rows[kept[:found]]
    return rows[np.argsort(rows[:, START] << 32 | rows[:, END], kind="mergesort")]


@compiled
def _joined(text, words, bodies, classes, is_told, speaking, symptoms, mentions, named, is_measured, spans, is_note):
    """Entities of a note in order of the text, each once. See `joined`."""
    numbers, _starts, _ends, sentence, _stops, _clauses, section = words
    count = len(numbers)
    is_status = mentions[:, 3] != 0
    dictionary, drugs = _of_words(words, mentions, DICTIONARY), _of_words(words, named, DRUG_NAMES)
    model = _of_model(text, words, bodies, classes, spans)
    if is_note:
        outside = dictionary[_outside_names(dictionary, is_status, drugs, count)]
        ranked = np.concatenate((outside, drugs, model[_kept_of_model(model, classes, is_measured)]))
    else:
        ranked = np.concatenate((model, dictionary, drugs))
    rows = _once_each(ranked, is_status, count)
    first_nodes, steps, ends_of = symptoms
    for index in range(len(rows)):
        first, last = rows[index, FIRST], rows[index, LAST]
        is_told_of = is_told[section[first]] or speaking[sentence[first]]
        is_read = rows[index, ORIGIN] == DICTIONARY or rows[index, TYPE] == ANATOMY
        rows[index, IS_ASKED] = is_told_of and not is_read
        if _CONDITIONS >> rows[index, TYPE] & 1 and last - first <= LONGEST_NAME:
            end, symptom = longest_from(first_nodes, steps, ends_of, numbers, first, last)
            if end == last:
                rows[index, SYMPTOM] = symptom
    return rows


# ---- what belongs to an entity ----


@compiled
def names_inside(rows, numbers, first_nodes, steps, ends_of):
    """The longest names in each medication, side by side: int64 [N, 2], row of the entity and phrase."""
    found = np.empty((len(numbers), 2), dtype=np.int64)
    count = 0
    for index in range(len(rows)):
        if rows[index, TYPE] != MEDICATION:
            continue
        start, last = rows[index, FIRST], rows[index, LAST]
        while start < last:
            end, phrase = longest_from(first_nodes, steps, ends_of, numbers, start, last)
            if phrase < 0:
                start += 1
            else:
                start = end
                found[count, 0], found[count, 1] = index, phrase
                count += 1
    return found[:count].copy()


@compiled
def said_before(rows, stops, classes):
    """How severe a condition is, and its side or a place's: int64 [N, 3], row of the entity, SEVERE or SIDED, word."""
    found = np.empty((2 * len(rows), 3), dtype=np.int64)
    count = 0
    for index in range(len(rows)):
        first, last, kind = rows[index, FIRST], rows[index, LAST], rows[index, TYPE]
        is_condition = _CONDITIONS >> kind & 1
        has_before = first > 0 and stops[first - 1] > first
        if is_condition and has_before and classes[first - 1] & SEVERE:
            found[count, 0], found[count, 1], found[count, 2] = index, SEVERE, first - 1
            count += 1
        if is_condition or kind == ANATOMY:
            for word in range(first - 1 if has_before else first, last):
                if classes[word] & SIDED:
                    found[count, 0], found[count, 1], found[count, 2] = index, SIDED, word
                    count += 1
                    break
    return found[:count].copy()


@compiled
def joined(
    text, words, bodies, word_classes, is_told, speaking, symptoms, drugs, mentions, named, is_measured, spans, is_note
):
    """Entities of a note in order of the text, each once, with the `names_inside` them and what is `said_before` them.

    text: code points. words: `document.Columns.layout`. bodies: of each section where its text begins. word_classes: by
    number of a word. is_told: of each section, and speaking: of each sentence, whether it may say how an entity reads.
    symptoms, drugs: tries of their names. mentions: of the dictionary, and named: names of drugs, int64 [N, 4], first
    word, word after the last, type, 1 for a status. is_measured: of each word, whether a laboratory measures it. spans:
    of the model, int64 [N, 3], words and what they are. is_note: the dictionary's mentions go before the model's spans.
    """
    classes = _classes_of(words[0], word_classes)
    rows = _joined(
        text, words, bodies, classes, is_told, speaking, symptoms, mentions, named, is_measured, spans, is_note
    )
    first_nodes, steps, ends_of = drugs
    return rows, names_inside(rows, words[0], first_nodes, steps, ends_of), said_before(rows, words[4], classes)


@compiled
def _owner(rows, begins, first, last, words, types, follows):
    """The closest entity of some types in the sentence of a span, or -1; of two as close the one before it.

    follows: one before it that no comma parts from it goes before all others ("pressure is 152/80, pulse 80").
    """
    _numbers, starts, _ends, sentence, _stops, clauses, _section = words
    place = np.searchsorted(begins, starts[first], side="right")
    best, nearest = -1, np.int64(0)
    for index in range(max(0, place - _AROUND), min(len(rows), place + _AROUND)):
        start, end = rows[index, FIRST], rows[index, LAST]
        if not types >> rows[index, TYPE] & 1 or sentence[start] != sentence[first]:
            continue
        is_before = end <= first
        distance = first - end if is_before else start - last
        is_same = clauses[end - 1] == clauses[first]
        # "Pulse is 80, temperature 98": the 80 is never the temperature's.
        if distance < 0 or (follows and not is_before and not is_same):
            continue
        is_parted = not (follows and is_before and is_same)
        order = (np.int64(is_parted) << 40) + 2 * distance + (not is_before)
        if best < 0 or order < nearest:
            best, nearest = index, order
    return best


@compiled
def owners(rows, spans, has_number, words):
    """Of each span that is a value the test, of each that is a degree the condition that it belongs to, or -1.

    has_number: a number follows its test, which "normal" may stand before.
    """
    found = np.full(len(spans), -1, dtype=np.int64)
    begins = rows[:, START].copy()
    for index in range(len(spans)):
        first, last, kind = spans[index]
        if kind == VALUE:
            found[index] = _owner(rows, begins, first, last, words, _TESTS, has_number[index])
        elif kind == SEVERITY:
            found[index] = _owner(rows, begins, first, last, words, _CONDITIONS, False)
    return found


# ---- protobuf ----


@compiled
def _span(buffer, at, tag, start, end):
    """Write a `Span` as a field; the place after it."""
    written = np.empty(_SPAN_BYTES, dtype=np.uint8)
    length = 0
    if start:  # a nought is not written
        written[0] = _SPAN_START
        length = write_number(written, 1, start)
    if end:
        written[length] = _SPAN_END
        length = write_number(written, length + 1, end)
    buffer[at] = tag
    return write_text(buffer, write_number(buffer, at + 1, length), written, 0, length)


@compiled
def kind_row(entity):
    """Number of an entity's type, origin and whether rules marked it."""
    return (entity[TYPE] * ORIGINS + entity[ORIGIN]) * 2 + entity[RULES]


@compiled
def messages(tag, rows, kinds, kind_bounds, readings, reading_bounds, read, parts, texts, bounds):
    """Entities, each as an `Entity` of the field that `tag` names: uint8 [bytes].

    kinds: the bytes of each kind, by `kind_row`, and of each reading, of which `read` names that of each row. parts:
    what is said of them, in the order of the rows, int64 [P, 3], row, start and end. texts: names of each row, then the
    rest of each part. Text i is from bounds[i] to bounds[i + 1].
    """
    # Of an entity beside its names and parts: most bytes of any.
    most = (kind_bounds[1:] - kind_bounds[:-1]).max() + (reading_bounds[1:] - reading_bounds[:-1]).max()
    longest = len(texts) + len(parts) * (_SPAN_BYTES + 2 * _LENGTH_BYTES)
    longest += len(rows) * (most + _SPAN_BYTES + 2 * _LENGTH_BYTES)
    buffer = np.empty(longest, dtype=np.uint8)
    body = np.empty(longest, dtype=np.uint8)
    part = np.empty(longest, dtype=np.uint8)
    at, one = 0, 0
    for index in range(len(rows)):
        kind, reading = kind_row(rows[index]), read[index]
        length = write_text(body, 0, kinds, kind_bounds[kind], kind_bounds[kind + 1])
        length = write_text(body, length, readings, reading_bounds[reading], reading_bounds[reading + 1])
        length = write_text(body, length, texts, bounds[index], bounds[index + 1])
        length = _span(body, length, _SPAN, rows[index, START], rows[index, END])
        while one < len(parts) and parts[one, 0] == index:
            end = _span(part, 0, _ATTRIBUTE_SPAN, parts[one, 1], parts[one, 2])
            own = len(rows) + one
            end = write_text(part, end, texts, bounds[own], bounds[own + 1])
            body[length] = _ATTRIBUTES
            length = write_text(body, write_number(body, length + 1, end), part, 0, end)
            one += 1
        buffer[at] = tag
        at = write_text(buffer, write_number(buffer, at + 1, length), body, 0, length)
    return buffer[:at].copy()
