"""What only the model proposes, from arrays to the bytes of a protobuf message: compiled, as `kernels` is."""

import numpy as np

from services.nlp_coder.kernels import compiled

# Tags of vigil.v1.NoteCode and Span: (field << 3) | wire type.
_SCORE, _SPANS, _RATIONALE, _BILLABLE = 3 << 3 | 1, 5 << 3 | 2, 6 << 3 | 2, 11 << 3
_START, _END = 1 << 3, 2 << 3
_MORE, _SEVEN_BITS, _LOW_BITS = 0x80, 7, 0x7F
# Bytes of the longest number that is written here, of two tags with a span's length, and of a score with its tag.
_LONGEST, _SPAN, _DOUBLE = 5, 14, 9
_LINE_FEED, _BLANK, _COMMA = 10, 32, 44


@compiled
def apart(
    columns, probability, positions, contributions, words, is_told, is_spoken_of, category, ranks,
    least_contribution, threshold,
):  # fmt: skip
    """Rows of guesses that stand by themselves, the likeliest first, the others in order, and words of each that count.

    columns: of the codes, int64 [G]. positions: of `words` words of a note, int64 [G, P]. contributions: theirs,
    falling. is_told: by column, whether something else has to say to it; is_spoken_of: by category, whether it has to
    say to all of its codes. category: by column, and ranks: its place in the order of the codes. A guess without words
    is in neither.
    """
    count = len(columns)
    useful = np.zeros(count, dtype=np.int64)
    alone, others = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    found, left = 0, 0
    for row in range(count):
        column = columns[row]
        if not 0 <= column < len(is_told):
            continue
        for index in range(positions.shape[1]):
            is_place = 0 <= positions[row, index] < words
            useful[row] += is_place and contributions[row, index] >= least_contribution
        if is_told[column] or is_spoken_of[category[column]] or np.float64(probability[row]) >= threshold:
            others[left] = row
            left += 1
        elif useful[row]:
            place = found
            while place and (
                probability[alone[place - 1]] < probability[row]
                or (
                    probability[alone[place - 1]] == probability[row]
                    and ranks[columns[alone[place - 1]]] > ranks[column]
                )
            ):
                alone[place] = alone[place - 1]
                place -= 1
            alone[place] = row
            found += 1
    return alone[:found].copy(), others[:left].copy(), useful


@compiled
def write_number(buffer, at, value):
    """Write a varint; the place after it."""
    while value >= _MORE:
        buffer[at] = (value & _LOW_BITS) | _MORE
        value >>= _SEVEN_BITS
        at += 1
    buffer[at] = value
    return at + 1


@compiled
def write_text(buffer, at, text, first, last):
    """Write characters; the place after them.

    By numbers without a sign, which need not be asked whether they count from the end: a tenth of the time.
    """
    to, source = np.uint64(at), np.uint64(first)
    for offset in range(np.uint64(last - first)):
        buffer[to + offset] = text[source + offset]
    return at + last - first


@compiled
def _spans(buffer, at, places, count, starts, ends, spans, written):
    """Write the characters of `count` words (first, after the last), ascending, those over one another as one span.

    spans, written: room for as many, and for the bytes of one.
    """
    for index in range(count):
        start, end = starts[places[index, 0]], ends[places[index, 1] - 1]
        place = index
        while place and (spans[place - 1, 0] > start or (spans[place - 1, 0] == start and spans[place - 1, 1] > end)):
            spans[place] = spans[place - 1]
            place -= 1
        spans[place, 0], spans[place, 1] = start, end
    index = 0
    while index < count:
        start, end = spans[index, 0], spans[index, 1]
        index += 1
        while index < count and spans[index, 0] < end:
            end = max(end, spans[index, 1])
            index += 1
        length = 0
        if start:  # a nought is not written
            written[0] = _START
            length = write_number(written, 1, start)
        written[length] = _END
        length = write_number(written, length + 1, end)
        buffer[at] = _SPANS
        at = write_text(buffer, write_number(buffer, at + 1, length), written, 0, length)
    return at


@compiled
def _terms(buffer, at, places, count, norms, bounds):
    """Write the words of each of `count` places once, blanks between words and commas between places."""
    begin, written = at, 0
    for index in range(count):
        first, last = bounds[places[index, 0]], bounds[places[index, 1]] - 1
        is_new = True
        for other in range(index):
            start, end = bounds[places[other, 0]], bounds[places[other, 1]] - 1
            is_same = end - start == last - first
            for offset in range(last - first):
                is_same = is_same and norms[start + offset] == norms[first + offset]
            is_new = is_new and not is_same
        if is_new:
            if written:
                buffer[at], buffer[at + 1] = _COMMA, _BLANK
                at += 2
            at = write_text(buffer, at, norms, first, last)
            written += 1
    for position in range(begin, at):
        if buffer[position] == _LINE_FEED:
            buffer[position] = _BLANK
    return at


@compiled
def messages(
    codes_tag, rows, columns, probability, positions, useful, words, starts, ends, norms, heads, bounds, billable
):
    """The rows, each as a `NoteCode` of the field that `codes_tag` names: (uint8 [bytes], where each begins).

    positions: for each row of all, the places among `words` (first word, after the last) that it rests on, of which
    `useful` count. starts, ends: characters of the note's words. norms: a line feed before each of them and at the end.
    heads: by column, code, name and origin as they are written, from bounds[column] to bounds[column + 1].
    """
    count = len(starts)
    word_bounds = np.empty(count + 1, dtype=np.int64)
    found = 0
    for position in range(len(norms)):
        if norms[position] == _LINE_FEED and found <= count:
            word_bounds[found] = position + 1
            found += 1
    longest = 0
    for row in rows:
        longest += bounds[columns[row] + 1] - bounds[columns[row]] + _DOUBLE + 4 + 2 * _LONGEST
        for position in positions[row, : useful[row]]:
            longest += _SPAN + 2 + 2 + word_bounds[words[position, 1]] - word_bounds[words[position, 0]]
    buffer = np.empty(longest, dtype=np.uint8)
    body = np.empty(longest, dtype=np.uint8)
    begins = np.empty(len(rows) + 1, dtype=np.int64)
    score = np.empty(1, dtype=np.float64)
    score_bytes = score.view(np.uint8)
    # Once, and not for each row: room takes longer than what is put there.
    most = positions.shape[1]
    places, spans = np.empty((most, 2), dtype=np.int64), np.empty((most, 2), dtype=np.int64)
    span = np.empty(_SPAN, dtype=np.uint8)
    at = 0
    for index in range(len(rows)):
        begins[index] = at
        row = rows[index]
        column = columns[row]
        count = useful[row]
        for index_of_place in range(count):
            place = positions[row, index_of_place]
            places[index_of_place, 0], places[index_of_place, 1] = words[place, 0], words[place, 1]
        length = write_text(body, 0, heads, bounds[column], bounds[column + 1])
        score[0] = probability[row]
        body[length] = _SCORE
        length = write_text(body, length + 1, score_bytes, 0, 8)
        length = _spans(body, length, places, count, starts, ends, spans, span)
        if billable[column]:
            body[length], body[length + 1] = _BILLABLE, 1
            length += 2
        # What it rests on comes last, as its length is not known before it is written.
        end = _terms(buffer, at, places, count, norms, word_bounds)
        written = end - at
        body[length] = _RATIONALE
        length = write_text(body, write_number(body, length + 1, written), buffer, at, end)
        buffer[at] = codes_tag
        at = write_text(buffer, write_number(buffer, at + 1, length), body, 0, length)
    begins[len(rows)] = at
    return buffer[:at].copy(), begins
