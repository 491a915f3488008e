"""The inner loops of reading, compiled by numba: over characters and numbers of words, never over objects.

Each is a plain function of arrays and can be called uncompiled as `name.py_func`. Compiled code is kept beside this
file, so that only the first start after a change pays for it (about half a minute).

A table of megabytes is not in the caches when a note comes to it. Memory answers ten questions at once in hardly more
time than one, so loops first ask for the rows of all words (`near`), where no answer decides what is asked next, and
then decide.
"""

import numpy as np
from numba import njit

# Nothing is allocated but the answers, no Python object is touched, so other threads go on meanwhile.
compiled = njit(cache=True, nogil=True)

_NONE = -1
_EMPTY = np.int64(-1)
_MULTIPLIER = np.int64(-7046029254386353131)  # 2**64 / golden ratio, for hashing by multiplication
# Highest bits of the product that number a slot; at most 2**31 slots.
_HASH_BITS = 32
_LOW_BITS = 0xFFFFFFFF
# Of a row in a table of forms: the bits of the form's number.
_FORM = np.int64(0xFFFFFF)
_EXCLAMATION, _DOUBLE_QUOTE, _HASH, _AMPERSAND, _STAR, _COLON, _QUESTION, _SQUARE, _ASCII = (
    33,
    34,
    35,
    38,
    42,
    58,
    63,
    93,
    127,
)
_QUOTE, _OPEN, _CLOSE, _PLUS, _COMMA, _MINUS, _DOT, _SLASH = 39, 40, 41, 43, 44, 45, 46, 47
_ZERO, _NINE, _SEMICOLON, _UPPER_A, _UPPER_Z, _UNDERSCORE, _LOWER_A, _LOWER_Z = 48, 57, 59, 65, 90, 95, 97, 122
_TAB, _LINE_FEED, _RETURN, _BLANK, _NO_BREAK = 9, 10, 13, 32, 160
_HYPHEN, _NO_BREAK_HYPHEN, _EN_DASH = 0x2010, 0x2011, 0x2013


# ---- characters ----


@compiled
def _is_letter(character):
    return _LOWER_A <= character <= _LOWER_Z or _UPPER_A <= character <= _UPPER_Z


@compiled
def _is_digit(character):
    return _ZERO <= character <= _NINE


@compiled
def _is_word(character):
    return _is_letter(character) or _is_digit(character) or character == _UNDERSCORE


@compiled
def _letter_at(text, position):
    return position < len(text) and _is_letter(text[position])


@compiled
def _end_of_acronym(text, start):
    """Where "p.r.n." that begins at a letter ends, or `start` if there is none. No word of two letters may follow."""
    end = start + 1
    if end >= len(text) or text[end] != _DOT:
        return start
    end += 1
    letters = 0
    while _letter_at(text, end) and end + 1 < len(text) and text[end + 1] == _DOT:
        end += 2
        letters += 1
    if letters and _letter_at(text, end) and _letter_at(text, end + 1):
        end -= 2
        letters -= 1
    return end if letters else start


@compiled
def _end_of_decimal(text, start):
    """Where "3.5" that begins at a digit ends, or `start` if it has no decimals."""
    end = start
    while end < len(text) and _is_digit(text[end]):
        end += 1
    whole = end
    while end + 1 < len(text) and text[end] == _DOT and _is_digit(text[end + 1]):
        end += 2
        while end < len(text) and _is_digit(text[end]):
            end += 1
    return end if end > whole else start


@compiled
def _end_of_letters(text, start):
    """Where letters and digits with inner apostrophes end."""
    end = start + 1
    while end < len(text):
        if _is_word(text[end]):
            end += 1
        elif text[end] == _QUOTE and end + 1 < len(text) and _is_word(text[end + 1]):
            end += 2
        else:
            break
    return end


@compiled
def _end_of_sign(text, start):
    """Where "(-)", or a sign before a word, ends, or `start` if it is none."""
    sign, following = text[start], start + 1
    if sign == _OPEN:
        is_sign = start + 2 < len(text) and (text[following] == _MINUS or text[following] == _PLUS)
        return start + 3 if is_sign and text[start + 2] == _CLOSE else start
    before = text[start - 1] if start else _BLANK
    is_free = not (_is_word(before) or before == _DOT or before == _CLOSE)
    if is_free and _letter_at(text, following):
        return following
    is_listed = start > 0 and (before == _BLANK or before == _COMMA or before == _SEMICOLON)
    if sign == _PLUS and is_listed:
        after = following + 1 if following < len(text) and text[following] == _BLANK else following
        if _letter_at(text, after):
            return following
    return start


@compiled
def split(text):
    """Words of ASCII `text`, uint8 [characters]: first characters and characters after the last, int64 [words]."""
    starts = np.empty(len(text), dtype=np.int64)
    ends = np.empty(len(text), dtype=np.int64)
    count, position = 0, 0
    while position < len(text):
        character = text[position]
        end = position
        if _is_letter(character):
            end = _end_of_acronym(text, position)
            if end == position:
                end = _end_of_letters(text, position)
        elif _is_digit(character):
            end = _end_of_decimal(text, position)
            if end == position:
                end = _end_of_letters(text, position)
        elif character == _OPEN or character == _PLUS or character == _MINUS:
            end = _end_of_sign(text, position)
        if end == position:
            position += 1
        else:
            starts[count], ends[count] = position, end
            count += 1
            position = end
    return starts[:count].copy(), ends[:count].copy()


@compiled
def _hash_of(text, start, end):
    """FNV-1a of characters, not negative."""
    value = np.int64(-3750763034362895579)
    for position in range(start, end):
        value = (value ^ np.int64(text[position])) * np.int64(1099511628211)
    return value & np.int64(0x7FFFFFFFFFFFFFFF)


@compiled
def _is_same(text, start, end, pool, first, last):
    if end - start != last - first:
        return False
    for offset in range(end - start):
        if text[start + offset] != pool[first + offset]:
            return False
    return True


@compiled
def _form_of(text, start, end, key, table, pool, bounds):
    """The form of a word whose `_hash_of` is `key`, or -1."""
    mask = len(table) - 1
    slot = _first_slot(table, key)
    while table[slot] != _EMPTY:
        form = table[slot] & _FORM
        is_alike = (table[slot] ^ key) <= _FORM
        if is_alike and _is_same(text, start, end, pool, bounds[form], bounds[form + 1]):
            return form
        slot = (slot + 1) & mask
    return _EMPTY


@compiled
def forms_in(text, starts, ends, table, pool, bounds):
    """For each word its form, or -1, int64 [words]. See `forms._Forms` for the table of forms."""
    count = len(starts)
    keys, near, found = np.empty((3, count), dtype=np.int64)
    for word in range(count):
        keys[word] = _hash_of(text, starts[word], ends[word])
    for word in range(count):
        near[word] = table[_first_slot(table, keys[word])]
    for word in range(count):
        near[word] = bounds[max(near[word], 0) & _FORM]
    for word in range(count):
        near[word] = pool[near[word]]
    for word in range(count):
        found[word] = _form_of(text, starts[word], ends[word], keys[word], table, pool, bounds)
    return found


@compiled
def add_form(text, start, end, table, pool, bounds, form):
    """Make a word the last form. Of one that comes twice in a note the first counts.

    A row of the table is the upper bits of the word's hash beside the number of its form.
    """
    mask = len(table) - 1
    key = _hash_of(text, start, end)
    slot = _first_slot(table, key)
    while table[slot] != _EMPTY:
        slot = (slot + 1) & mask
    for offset in range(end - start):
        pool[bounds[form] + offset] = text[start + offset]
    bounds[form + 1] = bounds[form] + end - start
    # The row last: whoever reads meanwhile sees all of it or none.
    table[slot] = (key & ~_FORM) | form


@compiled
def add_forms(text, starts, ends, table, pool, bounds, first):
    """Make words forms, the first of them form number `first`."""
    for word in range(len(starts)):
        add_form(text, starts[word], ends[word], table, pool, bounds, first + word)


@compiled
def known_words(text, table, pool, bounds, numbers):
    """`split` of a text and the `forms_in` it: (int64 [4, words] of starts, ends, forms, their numbers; known words).

    numbers: of the forms. One of a word without a form means nothing.
    """
    starts, ends = split(text)
    rows = np.empty((4, len(starts)), dtype=np.int64)
    rows[0], rows[1] = starts, ends
    rows[2] = forms_in(text, starts, ends, table, pool, bounds)
    known = 0
    for word in range(len(starts)):
        form = rows[2, word]
        known += form != _EMPTY
        rows[3, word] = numbers[max(form, 0)]
    return rows, known


@compiled
def listed_words(text, table, pool, bounds):
    """Of the words of two letters and more of an ASCII text: how many there are, and how many are in a table of forms.

    Those of the table are in lower case, the text in any.
    """
    lowered = np.empty(len(text), dtype=np.uint8)
    for position in range(len(text)):
        is_upper = _UPPER_A <= text[position] <= _UPPER_Z
        lowered[position] = text[position] + (_LOWER_A - _UPPER_A if is_upper else 0)
    count, listed, position = 0, 0, 0
    while position < len(lowered):
        end = position
        while end < len(lowered) and _is_letter(lowered[end]):
            end += 1
        if end > position + 1:
            count += 1
            key = _hash_of(lowered, position, end)
            listed += _form_of(lowered, position, end, key, table, pool, bounds) != _EMPTY
        position = end + 1
    return count, listed


@compiled
def _find_owners(positions, starts, found):
    """Put for ascending `positions` the index of the last of the ascending `starts` at or before each; at least 0."""
    current = 0
    for index in range(len(positions)):
        while current + 1 < len(starts) and starts[current + 1] <= positions[index]:
            current += 1
        found[index] = current


@compiled
def _is_joiner(character):
    return (
        character == _BLANK or character == _TAB or character == _RETURN or character == _LINE_FEED
        or character == _MINUS or character == _SLASH or character == _NO_BREAK
        or character == _HYPHEN or character == _NO_BREAK_HYPHEN or character == _EN_DASH
    )  # fmt: skip


@compiled
def _is_sign(text, start):
    """Whether a word is a sign, which is of no phrase."""
    return text[start] == _MINUS or text[start] == _PLUS or text[start] == _OPEN


@compiled
def layout(text, starts, ends, sentence_starts, section_starts, section_speaks_from):
    """Of each word its sentence, section, stop and clause, as in `document.Document`, its silence: int64 [5, words].

    text: code points. What stands inside a phrase are blanks, hyphens and slashes, or an abbreviation's full stop.
    section_speaks_from: characters of a section before these are silent, for which its words have a 1.
    """
    count = len(starts)
    rows = np.empty((5, count), dtype=np.int64)
    sentence, section, stops, commas, silence = rows[0], rows[1], rows[2], rows[3], rows[4]
    _find_owners(starts, sentence_starts, sentence)
    _find_owners(starts, section_starts, section)
    stops[:] = count
    commas[:] = 0
    for index in range(count - 2, -1, -1):
        first, last = ends[index], starts[index + 1]
        is_same = sentence[index] == sentence[index + 1]
        is_joined = is_same and not (_is_sign(text, starts[index]) or _is_sign(text, starts[index + 1]))
        is_dotted = last - first == 2 and text[first] == _DOT and text[first + 1] == _BLANK
        if is_joined and not is_dotted:
            for position in range(first, last):
                is_joined = is_joined and _is_joiner(text[position])
        if is_joined:
            stops[index] = stops[index + 1]
            continue
        stops[index] = index + 1
        has_comma = not is_same
        for position in range(first, last):
            has_comma = has_comma or text[position] == _COMMA
        commas[index + 1] = has_comma
    for index in range(1, count):
        commas[index] += commas[index - 1]
    for index in range(count):
        silence[index] = starts[index] < section_speaks_from[section[index]]
    return rows


@compiled
def _is_blank(character):
    return character == _BLANK or character == _TAB


@compiled
def _may_title(text, position):
    """Whether a header may begin here: numbering, a letter, 58 characters of a name at most, then what ends it."""
    count = len(text)
    while position < count and (_is_blank(text[position]) or text[position] == _HASH or text[position] == _STAR):
        position += 1
    digits = position
    while digits < count and digits < position + 2 and _is_digit(text[digits]):
        digits += 1
    if digits > position:
        if digits >= count or (text[digits] != _DOT and text[digits] != _CLOSE):
            return False
        position = digits + 1
        while position < count and _is_blank(text[position]):
            position += 1
    if not _letter_at(text, position):
        return False
    limit = min(count, position + 59)
    while position < limit:
        character = text[position]
        is_of_name = (
            _is_letter(character) or character == _BLANK or character == _SLASH or character == _AMPERSAND
            or character == _QUOTE or character == _OPEN or character == _CLOSE or character == _COMMA
            or character == _PLUS or (character == _MINUS and _letter_at(text, position + 1))
        )  # fmt: skip
        if not is_of_name:
            break
        position += 1
    while position < count and (_is_blank(text[position]) or text[position] == _STAR):
        position += 1
    if position == count:
        return True
    end = text[position]
    return end == _COLON or end == _MINUS or end == _EN_DASH or end == _LINE_FEED or end == _RETURN


@compiled
def header_leads(text):
    """Code points of a text: where a line or sentence ends after which a header may stand, int64 [N]."""
    found = np.empty(len(text), dtype=np.int64)
    count = 0
    for position in range(len(text)):
        character = text[position]
        following = position + 1
        if character == _DOT:
            if following < len(text) and text[following] == _COMMA:
                following += 1
        elif character == _COMMA:
            if following == len(text) or not _UPPER_A <= text[following] <= _UPPER_Z:
                continue
        elif character != _LINE_FEED and character != _SEMICOLON:
            continue
        if _may_title(text, following):
            found[count] = position
            count += 1
    return found[:count].copy()


@compiled
def _is_mark(character):
    return character == _DOT or character == _EXCLAMATION or character == _QUESTION


@compiled
def _may_end(text, position):
    """Whether a sentence may end with the run of full stops that begins here."""
    count = len(text)
    if position and _is_mark(text[position - 1]):
        return False
    while position < count and (_is_mark(text[position])):
        position += 1
    while position < count and (
        text[position] == _DOUBLE_QUOTE
        or text[position] == _QUOTE
        or text[position] == _CLOSE
        or text[position] == _SQUARE
    ):
        position += 1
    return position == count or text[position] <= _BLANK or text[position] == _COMMA or text[position] > _ASCII


@compiled
def _is_upper(character):
    return _UPPER_A <= character <= _UPPER_Z


@compiled
def _may_part(text, position):
    """Whether a comma may stand for a line's end before the number of a list's item, "2)" or " 2."."""
    following = position + 1
    while following < len(text) and (text[following] <= _BLANK or text[following] > _ASCII):
        following += 1
    if following == len(text):
        return False
    end = following
    while end < len(text) and end < following + 2 and _is_digit(text[end]):
        end += 1
    if end == len(text):
        return False
    is_numbered = text[end] == _CLOSE or (text[end] == _DOT and following > position + 1)
    return (end > following and is_numbered) or text[end] > _ASCII or text[following - 1] > _ASCII


@compiled
def _is_before_header(text, position):
    """Whether a comma stands before a header, "HEART:", of 41 characters at most."""
    following = position + 2
    while following < len(text) and following < position + 42 and (
        _is_letter(text[following]) or text[following] == _BLANK or text[following] == _SLASH
        or text[following] == _OPEN or text[following] == _CLOSE or text[following] == _AMPERSAND
        or text[following] == _MINUS
    ):  # fmt: skip
        following += 1
    return position + 2 < following < len(text) and text[following] == _COLON


@compiled
def _goes_on(text, position):
    """Whether what follows a full stop shows that no sentence need end there: no blank, or a small letter after it."""
    following = position + 1
    if text[following] == _COMMA:
        following += 1
        while following < len(text) and (_is_blank(text[following]) or text[following] == _LINE_FEED):
            following += 1
        return following == len(text) or not (_is_upper(text[following]) or _is_digit(text[following]))
    if text[following] != _BLANK:
        return True
    while following < min(len(text), position + 9) and _is_blank(text[following]):
        following += 1
    is_shown = following < min(len(text), position + 9)
    return is_shown and (_LOWER_A <= text[following] <= _LOWER_Z or text[following] > _ASCII)


@compiled
def _numbers_item(text, position, look_back):
    """Whether a full stop stands behind the number of a list's item, one or two digits after a line's end or a sign."""
    first = position
    while first and position - first < 3 and _is_digit(text[first - 1]):
        first -= 1
    if not 0 < position - first < 3 or position + 1 == len(text) or not _is_blank(text[position + 1]):
        return False
    while first and _is_blank(text[first - 1]):
        first -= 1
    if first == 0 or position - first >= look_back:
        return False
    before = text[first - 1]
    return before == _LINE_FEED or before == _COMMA or before == _COLON or before == _SEMICOLON or before == _DOT


@compiled
def _is_plain_end(text, position, abbreviations, whole_word, look_back, lowered):
    """Whether a full stop ends a sentence beyond doubt: after a word of letters that is no abbreviation, as most do.

    lowered: room for `look_back` characters.
    """
    first = position
    while first and position - first < look_back and _is_letter(text[first - 1]):
        first -= 1
    letters = position - first
    if letters == 0 or position + 1 == len(text) or (letters == 1 and _is_upper(text[first])):
        return False
    if first and letters < look_back:
        before = text[first - 1]
        if _is_digit(before) or before == _UNDERSCORE or before == _DOT or before > _ASCII:
            return False
    for offset in range(letters):
        is_upper = _is_upper(text[first + offset])
        lowered[offset] = text[first + offset] + (_LOWER_A - _UPPER_A if is_upper else 0)
    table, pool, bounds = abbreviations
    if _form_of(lowered, 0, letters, _hash_of(lowered, 0, letters), table, pool, bounds) != _EMPTY:
        return False
    # After a long word a sentence ends even if the next begins with a small letter.
    is_followed = text[position + 1] == _BLANK
    return (letters >= whole_word and is_followed) or not _goes_on(text, position)


@compiled
def sentence_leads(text, abbreviations, whole_word, look_back):
    """Code points of a text: where its sentences end without doubt and where they may, int64 [N], and how many do.

    Those are full stops after words that are no abbreviations, and commas before headers; the others are marks and
    line ends, hardly a comma, and no full stop behind the number of a list's item. abbreviations: `forms.FormTable`,
    in lower case. whole_word: letters of a word that ends a sentence whatever follows. look_back: characters of a word
    that count.
    """
    ends, leads = np.empty(len(text), dtype=np.int64), np.empty(len(text), dtype=np.int64)
    lowered = np.empty(look_back, dtype=np.uint8)
    plain, count = 0, 0
    for position in range(len(text)):
        character = text[position]
        is_end, may_end = False, character == _LINE_FEED or character == _SEMICOLON
        if character == _COMMA:
            if position + 1 < len(text) and _is_upper(text[position + 1]):
                is_end = _is_before_header(text, position)
            else:
                may_end = _may_part(text, position)
        elif _is_mark(character) and _may_end(text, position):
            may_end = not (character == _DOT and _numbers_item(text, position, look_back))
            is_end = character == _DOT and _is_plain_end(text, position, abbreviations, whole_word, look_back, lowered)
        if is_end:
            ends[plain] = position
            plain += 1
        elif may_end:
            leads[count] = position
            count += 1
    return np.concatenate((ends[:plain], leads[:count])), plain


# ---- tables of numbers ----


@compiled
def _first_slot(table, key):
    """Where `key` is looked for first; the length of a table is a power of two."""
    return ((key * _MULTIPLIER) >> _HASH_BITS) & (len(table) - 1)


@compiled
def slot_of(table, key):
    """Row of `key` in a table of `lookup_table`, or of the empty row where it would stand."""
    mask = len(table) - 1
    slot = _first_slot(table, key)
    while table[slot, 0] != key and table[slot, 0] != _EMPTY:
        slot = (slot + 1) & mask
    return slot


@compiled
def value_of(table, key):
    """Value of `key`, or -1."""
    slot = slot_of(table, key)
    return table[slot, 1] if table[slot, 0] == key else _EMPTY


@compiled
def lookup_table(keys, values):
    """Rows (key, value) by hash, int64 [power of two, 2]; of two equal keys the first stays. Keys are not negative."""
    size = 4
    while size < 2 * len(keys):
        size *= 2
    table = np.full((size, 2), _EMPTY, dtype=np.int64)
    for index in range(len(keys)):
        slot = slot_of(table, keys[index])
        if table[slot, 0] == _EMPTY:
            table[slot, 0], table[slot, 1] = keys[index], values[index]
    return table


@compiled
def pair_of(first, second):
    """One key for two numbers below 2**31."""
    return (first << 32) | second


@compiled
def trie(words, bounds):
    """Phrases as a trie: (table of steps, phrase that ends at each node). Of two equal phrases the first stays.

    words: numbers of the words of all phrases, one after the other; those of phrase i from bounds[i] to bounds[i + 1].
    A step's key is the pair of node and word; node 0 is the beginning, and a node without a phrase has -1.
    """
    size = 4
    while size < 2 * len(words):
        size *= 2
    steps = np.full((size, 2), _EMPTY, dtype=np.int64)
    phrases = np.full(len(words) + 1, _NONE, dtype=np.int32)
    nodes = 1
    for phrase in range(len(bounds) - 1):
        node = np.int64(0)
        for position in range(bounds[phrase], bounds[phrase + 1]):
            key = pair_of(node, np.int64(words[position]))
            slot = slot_of(steps, key)
            if steps[slot, 0] == _EMPTY:
                steps[slot, 0], steps[slot, 1] = key, nodes
                nodes += 1
            node = steps[slot, 1]
        if phrases[node] == _NONE:
            phrases[node] = phrase
    taken = steps[steps[:, 0] != _EMPTY]
    return lookup_table(taken[:, 0].copy(), taken[:, 1].copy()), phrases[:nodes].copy()


@compiled
def first_steps(steps, count):
    """Node after each first word by its number below `count`, 0 for a word that begins no phrase. int32 [count]."""
    nodes = np.zeros(count, dtype=np.int32)
    for row in range(len(steps)):
        if steps[row, 0] != _EMPTY and steps[row, 0] >> 32 == 0:
            nodes[steps[row, 0] & _LOW_BITS] = steps[row, 1]
    return nodes


@compiled
def _has(flags, number):
    """The flag of a word by its number; words of tables that were loaded later have none."""
    return number < len(flags) and flags[number]


@compiled
def places_of(flags, numbers):
    """Words that have a flag by their number, ascending, int64 [N]."""
    found = np.empty(len(numbers), dtype=np.int64)
    count = 0
    for word in range(len(numbers)):
        if _has(flags, numbers[word]):
            found[count] = word
            count += 1
    return found[:count].copy()


# ---- phrases ----


@compiled
def _begins(first, number):
    """Whether a phrase begins with a word; most words begin none, and need no call of `longest_from`."""
    return number < len(first) and first[number] > 0


@compiled
def longest_from(first, steps, phrases, numbers, start, stop):
    """Longest phrase from word `start` that ends at or before `stop`: (word after it, phrase), phrase -1 for none."""
    number = numbers[start]
    node = np.int64(first[number]) if number < len(first) else np.int64(0)
    found, last = np.int64(_NONE), start
    position = start + 1
    while node > 0:
        if phrases[node] != _NONE:
            found, last = np.int64(phrases[node]), position
        if position >= stop:
            break
        node = value_of(steps, pair_of(node, numbers[position]))
        position += 1
    return last, found


@compiled
def _bring_near(first, steps, numbers):
    """Ask for the step from each word to the next, so that it is in the caches when phrases are looked for."""
    near = np.empty(len(numbers), dtype=np.int64)
    for word in range(len(numbers)):
        near[word] = first[min(numbers[word], len(first) - 1)]
    for word in range(len(numbers) - 1):
        if near[word]:
            near[word] = steps[_first_slot(steps, pair_of(near[word], numbers[word + 1])), 0]


@compiled
def phrases_in(first, steps, phrases, numbers, stops):
    """Longest phrases, left to right, none across a stop or another: int64 [N, 3], first, after the last, phrase."""
    rows = np.empty((len(numbers), 3), dtype=np.int64)
    _bring_near(first, steps, numbers)
    count, position = 0, 0
    while position < len(numbers):
        last, found = position, np.int64(_NONE)
        if _begins(first, numbers[position]):
            last, found = longest_from(first, steps, phrases, numbers, position, stops[position])
        if found == _NONE:
            position += 1
        else:
            rows[count, 0], rows[count, 1], rows[count, 2] = position, last, found
            count += 1
            position = last
    return rows[:count].copy()


@compiled
def phrases_from_each(first, steps, phrases, numbers, most):
    """Longest phrase from each of the first `most` words, wherever it ends among them: phrases, int64 [N]."""
    count = min(len(numbers), most)
    rows = np.empty(count, dtype=np.int64)
    hits = 0
    for start in range(count):
        if not _begins(first, numbers[start]):
            continue
        _last, found = longest_from(first, steps, phrases, numbers, start, count)
        if found != _NONE:
            rows[hits] = found
            hits += 1
    return rows[:hits].copy()


@compiled
def phrases_near(first, steps, phrases, numbers, stops, sentence, clauses, begin, end, before, after):
    """Longest phrases, none over another, among some words before and after those from `begin` to before `end`.

    In their sentence, and between the same commas: phrases, int64 [N].
    """
    start, stop = max(0, begin - before), min(len(numbers), end + after)
    found = np.empty(before + after, dtype=np.int64)
    count, free = 0, start
    for word in range(start, stop):
        other = begin if word < begin else end - 1
        is_apart = sentence[word] != sentence[other] or clauses[word] != clauses[other]
        if is_apart or begin <= word < end or word < free or not _begins(first, numbers[word]):
            continue
        last, phrase = longest_from(first, steps, phrases, numbers, word, stops[word])
        if phrase != _NONE:
            found[count], free = phrase, last
            count += 1
    return found[:count].copy()


@compiled
def in_other_phrase(first, steps, phrases, counts, numbers, stops, word, most_words):
    """Whether a word is of a phrase, the longest from some word, that does not count. counts: bool [phrases]."""
    for start in range(max(0, word - most_words), word + 1):
        if stops[start] > word and _begins(first, numbers[start]):
            last, phrase = longest_from(first, steps, phrases, numbers, start, stops[start])
            if phrase != _NONE and last > word and not counts[phrase]:
                return True
    return False


@compiled
def any_phrase_from_each(first, steps, phrases, numbers, most):
    """Whether `phrases_from_each` has any."""
    count = min(len(numbers), most)
    for start in range(count):
        is_begun = _begins(first, numbers[start])
        if is_begun and longest_from(first, steps, phrases, numbers, start, count)[1] != _NONE:
            return True
    return False


@compiled
def triggers_in(first, steps, rules, does_nothing, speaks, adverbs, any_word, numbers, stops, sentence, is_silent):
    """Like `phrases_in`, where adverbs inside a phrase are passed over and `any_word` stands for any one word.

    does_nothing: whether a phrase only keeps others from its words, bool [phrases]; it is not among the answers.
    speaks: whether it says something by itself. adverbs: whether the word of a number is one, bool [numbers].
    sentence: of each word. is_silent: whether it begins no trigger that counts, bool [words].
    Returns (int64 [N, 4]: first word, word after the last, phrase, sentence; sentences of those that speak, int64 [M]).
    """
    rows = np.empty((len(numbers), 4), dtype=np.int64)
    speaking = np.empty(len(numbers), dtype=np.int64)
    count, position, spoken = 0, 0, 0
    for start in range(len(numbers)):
        if start < position or numbers[start] >= len(first):
            continue
        node = np.int64(first[numbers[start]])
        if node == 0:
            continue
        rule, last, end = np.int64(rules[node]), start + 1, start + 1
        while end < stops[start]:
            number = numbers[end]
            following = value_of(steps, pair_of(node, number))
            end += 1
            if following == _NONE:
                if _has(adverbs, number):
                    continue
                following = value_of(steps, pair_of(node, any_word))
                if following == _NONE:
                    break
            node = following
            if rules[node] != _NONE:
                rule, last = np.int64(rules[node]), end
        if rule != _NONE:
            position = last
            if not (does_nothing[rule] or is_silent[start]):
                rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = start, last, rule, sentence[start]
                count += 1
                if speaks[rule] and (spoken == 0 or speaking[spoken - 1] != sentence[start]):
                    speaking[spoken] = sentence[start]
                    spoken += 1
    return rows[:count].copy(), speaking[:spoken].copy()


# ---- terms over seams, and terms whose words stand apart ----


@compiled
def _opens_longer(first, steps, sides, numbers, start):
    """Whether a longer phrase begins with this word and the next that is no side; most words begin none."""
    if numbers[start] >= len(first) or first[numbers[start]] == 0:
        return False
    following = start + 1
    while following < len(numbers) and _has(sides, numbers[following]):
        following += 1
    node = np.int64(first[numbers[start]])
    return following < len(numbers) and value_of(steps, pair_of(node, numbers[following])) != _NONE


@compiled
def _over_seam(first, steps, phrases, sides, numbers, stops, clauses, sentence, start, most_words):
    """The longest phrase from a word on, across commas and with sides left out: (word after it, phrase, its words)."""
    node, length = np.int64(first[numbers[start]]), 1
    found, last, found_length = np.int64(_NONE), start, 0
    if phrases[node] != _NONE:
        found, last, found_length = np.int64(phrases[node]), start + 1, 1
    for word in range(start + 1, min(len(numbers), start + most_words)):
        is_joined = stops[word - 1] > word or clauses[word] != clauses[word - 1]
        if sentence[word] != sentence[start] or not is_joined:
            break
        if _has(sides, numbers[word]):
            continue
        node = value_of(steps, pair_of(node, numbers[word]))
        if node == _NONE:
            break
        length += 1
        if phrases[node] != _NONE:
            found, last, found_length = np.int64(phrases[node]), word + 1, length
    return last, found, found_length


@compiled
def phrases_over_seams(
    first, steps, phrases, counts, sides, numbers, stops, clauses, sentence, longest,
    fewest_over_commas, fewest_over_side,
):  # fmt: skip
    """Phrases with a side in them, and long ones that commas part, left to right: int64 [N, 3] as `phrases_in`.

    counts: whether a phrase counts, bool [phrases]. sides: whether the word of a number is a side, bool [numbers].
    longest: words of the longest phrase. fewest_...: words of the shortest that may go over a comma, or a side alone.
    """
    rows = np.empty((len(numbers), 3), dtype=np.int64)
    count, free = 0, 0
    for seam in range(1, len(numbers)):
        has_comma = clauses[seam] != clauses[seam - 1] and sentence[seam] == sentence[seam - 1]
        if not (has_comma or _has(sides, numbers[seam])):
            continue
        for start in range(max(free, seam - longest), seam):
            if not _opens_longer(first, steps, sides, numbers, start):
                continue
            last, found, length = _over_seam(
                first, steps, phrases, sides, numbers, stops, clauses, sentence, start, longest + 3
            )
            if found == _NONE or not counts[found] or last <= seam:
                continue
            if length >= (fewest_over_commas if clauses[last - 1] != clauses[start] else fewest_over_side):
                rows[count, 0], rows[count, 1], rows[count, 2] = start, last, found
                count += 1
                free = last
                break
    return rows[:count].copy()


@compiled
def _grown(rows):
    larger = np.empty((2 * len(rows), rows.shape[1]), dtype=rows.dtype)
    larger[: len(rows)] = rows
    return larger


@compiled
def terms_apart(bounds, seconds, others, lacking, telling, sides, sideless, without, numbers, sentence, passed, widest):
    """Terms all of whose telling words stand within `widest` words of one sentence, in any order.

    The terms whose rarest word has number n are rows bounds[n] to bounds[n + 1] of `seconds`, `others` (padded with 0)
    and `lacking`, which has to agree with whether the word `without` stands between. By number of a word: `telling`,
    `sides`, and `sideless`, before which a side is none. By word: `passed`, 1 for one to look past.

    Returns int64 [N, 4]: first word, word after the last, telling words, row of the term.
    """
    rows = np.empty((64, 4), dtype=np.int64)
    count, begin, words = 0, 0, len(numbers)
    places = np.full(len(telling), _NONE, dtype=np.int64)
    distinct = np.empty(words, dtype=np.int64)
    while begin < words:
        end, different = begin, 0
        while end < words and sentence[end] == sentence[begin]:
            number = numbers[end]
            is_known = _has(telling, number) and not passed[end]
            if is_known and _has(sides, number) and end + 1 < words:
                is_known = not _has(sideless, numbers[end + 1])
            if is_known and places[number] == _NONE:
                places[number] = end
                distinct[different] = number
                different += 1
            end += 1
        for index in range(different):
            rarest = distinct[index]
            for row in range(bounds[rarest], bounds[rarest + 1]):
                place = places[seconds[row]]
                if place == _NONE:
                    continue
                first, last, number_of_words = min(place, places[rarest]), max(place, places[rarest]), 2
                for other in others[row]:
                    if other == 0:
                        break
                    place = places[other]
                    if place == _NONE:
                        number_of_words = 0
                        break
                    first, last, number_of_words = min(place, first), max(place, last), number_of_words + 1
                if number_of_words == 0 or last + 1 - first > widest:
                    continue
                is_lacking = False
                for word in range(first, last + 1):
                    is_lacking = is_lacking or numbers[word] == without
                if is_lacking == lacking[row]:
                    if count == len(rows):
                        rows = _grown(rows)
                    rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = (
                        first,
                        last + 1,
                        number_of_words,
                        row,
                    )
                    count += 1
        for index in range(different):
            places[distinct[index]] = _NONE
        begin = end
    return rows[:count].copy()


# ---- what the model sees ----


@compiled
def terms_in(singles, pairs, numbers, stops, hidden):
    """Terms of one word, in order, then those of two: int64 [N, 3], id, first word, word after the last.

    singles: ids by number of a word, 0 for none. pairs: `lookup_table` of ids by pair. hidden: by word.
    """
    rows = np.empty((2 * len(numbers), 3), dtype=np.int64)
    count = 0
    for word in range(len(numbers)):
        term = singles[numbers[word]] if numbers[word] < len(singles) else 0
        if term and not hidden[word]:
            rows[count, 0], rows[count, 1], rows[count, 2] = term, word, word + 1
            count += 1
    for word in range(len(numbers) - 1):
        if stops[word] > word + 1 and not hidden[word] and not hidden[word + 1]:
            term = value_of(pairs, pair_of(numbers[word], numbers[word + 1]))
            if term > 0:
                rows[count, 0], rows[count, 1], rows[count, 2] = term, word, word + 2
                count += 1
    return rows[:count].copy()


@compiled
def weights_of(terms, idf, least_length):
    """Shares of occurrences in the sublinear tf-idf vector of all of them, of length 1 or less. float32 [N]."""
    # By hash and not by id: a note has few of the terms, and an array of all would drive the tables from the caches.
    counts = lookup_table(terms, np.zeros(len(terms), dtype=np.int64))
    slots = np.empty(len(terms), dtype=np.int64)
    for index in range(len(terms)):
        slots[index] = slot_of(counts, terms[index])
        counts[slots[index], 1] += 1
    strengths = np.empty(len(terms), dtype=np.float64)
    square = 0.0
    for index in range(len(terms)):
        count = counts[slots[index], 1]
        strength = idf[terms[index]]
        if count > 1:  # as few are: logarithms take most of the time
            strength *= 1.0 + np.log(count)
        strengths[index] = strength / count
        # Each occurrence brings its part of the square of its term, so that the sum goes over terms.
        square += strength * strength / count
    length = max(np.sqrt(square), least_length)
    return (strengths / length).astype(np.float32)


@compiled
def _order_of(values):
    """Places of values that are not negative, by rising value, equal ones as they stand: sorted byte by byte."""
    order, sorted_ = np.arange(len(values)), np.empty(len(values), dtype=np.int64)
    largest, shift = 0, 0
    for value in values:
        largest = max(largest, value)
    while largest >> shift:
        ends = np.zeros(257, dtype=np.int64)
        for value in values:
            ends[((value >> shift) & 0xFF) + 1] += 1
        for byte in range(256):
            ends[byte + 1] += ends[byte]
        for place in order:
            byte = (values[place] >> shift) & 0xFF
            sorted_[ends[byte]] = place
            ends[byte] += 1
        order, sorted_ = sorted_, order
        shift += 8
    return order


@compiled
def distinct(terms, weights):
    """Each term once: (ids ascending, sums of their weights as float32, where each stands first in `terms`)."""
    order = _order_of(terms)
    ids = np.empty(len(terms), dtype=np.int64)
    sums = np.empty(len(terms), dtype=np.float64)
    firsts = np.empty(len(terms), dtype=np.int64)
    count = 0
    for position in order:
        if count and ids[count - 1] == terms[position]:
            sums[count - 1] += weights[position]
        else:
            ids[count], sums[count], firsts[count] = terms[position], weights[position], position
            count += 1
    return ids[:count].copy(), sums[:count].astype(np.float32), firsts[:count].copy()
