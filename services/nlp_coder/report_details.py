"""What a report says of a finding or device: how much, which side, where, since when, how large, and where it ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.nlp_coder.document import Document
from services.nlp_coder.report_mentions import Found, Mention, within
from services.nlp_coder.report_terms import SUPPORT_DEVICES, BodyRegion, Cue, Place

# "Increased in size" is said of what stands before, "an increase in" of what follows.
_OF_FOLLOWING = frozenset({"in", "of"})
_OF_ITSELF = frozenset(
    {"size", "extent", "number", "volume", "prominence", "interval", "appearance", "severity", "conspicuity"}
)
_PREDICATES = frozenset({"is", "are", "was", "were", "now", "appear", "appears", "remain", "remains", "of"})
# Words between a predicate and the degree that it tells, and between a side and its region.
_PREDICATE_WORDS, _SIDE_WORDS = 3, 4
# Words from the beginning of a clause, or from what leads to a place, within which it still belongs to a mention.
_CLAUSE_WORDS, _LEADING_WORDS = 4, 6
_LEADING = frozenset({"in", "within", "at", "throughout", "over", "involving", "of"})
_LENGTH = re.compile(
    r"(?<![\w.])(\d{1,3}(?:\.\d{1,2})?)((?:\s*(?:x|by)\s*\d{1,3}(?:\.\d{1,2})?){0,2})[\s-]*(mm|cm|millimet\w{1,3}|centimet\w{1,3})\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DIRECTION = re.compile(
    r"\s*(above|below|from|proximal to|distal to|superior to|cranial to|beyond|past|into|cephalad to|within)\s",
    re.IGNORECASE,
)
_DIRECTIONS: Mapping[str, str] = {
    "proximal to": "above",
    "superior to": "above",
    "cranial to": "above",
    "cephalad to": "above",
    "distal to": "below",
    "beyond": "below",
    "past": "below",
    "within": "from",
}
_MORE = frozenset({"worse", "improved"})
# Findings that are measured by their largest diameter, or by how far something is moved.
_MEASURED = frozenset(
    {"nodule", "mass", "lung_lesion", "pneumothorax", "pleural_effusion", "brain_mass", "brain_haemorrhage"}
    | {"brain_midline_shift", "brain_infarct", "hernia"}
)
ANY_DEVICE = "support_device"
_MM = 10.0  # millimetres of a centimetre


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing said of a mention. span: characters of the words that say it; value: normalised.

    name: severity, laterality, location, change, size, device or position.
    """

    name: str
    span: tuple[int, int]
    value: str


def details_of(document: Document, mention: Mention, regions: Mapping[str, BodyRegion]) -> list[Detail]:
    """All that is said of a mention, in the order of the names above. Of what is denied: side, place, end."""
    is_device = mention.label == SUPPORT_DEVICES
    places = list(_places(document, mention, regions, is_device=is_device))
    details = []
    if mention.status != "negative":
        details += [] if is_device else _severity(document, mention)
    details += _laterality(document, mention, places, is_device=is_device)
    if not is_device:
        details += [Detail("location", document.span(place.first, place.last), name) for place, name in places]
    details += _change(document, mention)
    if mention.status != "negative" and mention.label in _MEASURED:
        details += _size(document, mention)
    if is_device:
        if mention.device != ANY_DEVICE:
            details.append(Detail("device", document.span(mention.first, mention.last), mention.device))
        if mention.status != "negative":
            details += _position(document, mention, places)
    return details


def _cues(mention: Mention, kind: str) -> Iterator[Found]:
    return (cue for cue in mention.cues if isinstance(cue.value, Cue) and cue.value.kind == kind)


def _detail(name: str, document: Document, cue: Found) -> Detail:
    assert isinstance(cue.value, Cue)
    return Detail(name, document.span(cue.first, cue.last), cue.value.value)


def _severity(document: Document, mention: Mention) -> list[Detail]:
    norms = document.words.norms
    # "Minimally displaced" and "slightly larger" say nothing of how much there is.
    changes = {cue.first for cue in _cues(mention, "change") if isinstance(cue.value, Cue) and cue.value.value in _MORE}
    cues = [
        cue
        for cue in _cues(mention, "severity")
        if cue.last not in changes and norms[cue.last : cue.last + 1] != ["displaced"]
    ]
    beside = [cue for cue in cues if within(cue, mention.zones.noun)]
    if beside:
        return [_detail("severity", document, beside[-1])]
    told = [cue for cue in cues if within(cue, mention.zones.after) and _is_predicate(document, cue, mention)]
    return [_detail("severity", document, told[0])] if told else []


def _is_predicate(document: Document, cue: Found, mention: Mention) -> bool:
    start = max(mention.zones.after[0], cue.first - _PREDICATE_WORDS)
    # "Effusion small" needs no verb.
    return cue.first == mention.last or not _PREDICATES.isdisjoint(document.words.norms[start : cue.first])


def _laterality(
    document: Document, mention: Mention, places: list[tuple[Found, str]], *, is_device: bool
) -> list[Detail]:
    zones = [mention.zones.noun] if is_device else [mention.zones.noun, mention.zones.after, mention.zones.before]
    # The right main bronchus is where the tube is, and no side of the tube.
    of_ends = {place.first for place, _name in places} if is_device else set()
    told = [
        cue for cue in _cues(mention, "side") if any(within(cue, zone) for zone in zones) and cue.last not in of_ends
    ]
    spans = [(document.span(cue.first, cue.last), cue.value.value) for cue in told if isinstance(cue.value, Cue)]
    if not is_device:
        for place, name in places:
            side = next((side for side in ("left", "right") if name.startswith(side + "_")), None)
            if side is not None:
                spans.append((document.span(place.first, place.last), side))
    sides = {side for _span, side in spans}
    if not sides:
        return []
    first = min(span[0] for span, _side in spans)
    last = max(span[1] for span, _side in spans)
    if len(sides) > 1:
        return [Detail("laterality", (first, last), "bilateral")]
    return [Detail("laterality", spans[0][0], spans[0][1])]


def _places(
    document: Document, mention: Mention, regions: Mapping[str, BodyRegion], *, is_device: bool
) -> Iterator[tuple[Found, str]]:
    """Places with the names of their regions, sides included; a place on both sides gives two."""
    zones = mention.zones
    for found in mention.cues:
        if not isinstance(found.value, Place):
            continue
        body = regions[found.value.region].body
        if is_device:
            is_own = within(found, zones.after) or (body != "chest" and within(found, zones.noun))
        else:
            is_own = _is_of_body(mention.label, body) and (
                within(found, zones.noun)
                or (within(found, zones.after) and _is_close(document, found, mention))
                or (within(found, zones.before) and _is_led_to(document, found))
            )
        if is_own:
            for name in _sided(document, found, found.value, mention, regions, is_device=is_device):
                yield found, name


def _is_of_body(label: str, body: str) -> bool:
    if label == "fracture":
        return body != "device"
    return body == ("brain" if label.startswith("brain_") else "chest")


def _is_close(document: Document, found: Found, mention: Mention) -> bool:
    """Whether what follows a mention stands in its clause, or begins the next one."""
    clauses, opens = document.clauses, found.first
    if clauses[opens] == clauses[mention.last - 1]:
        return True
    while opens > mention.last and clauses[opens - 1] == clauses[found.first]:
        opens -= 1
    return found.first - opens < _CLAUSE_WORDS


def _is_led_to(document: Document, found: Found) -> bool:
    """Whether a place before a mention is where it lies: "In the right lower lobe there is a nodule"."""
    return not _LEADING.isdisjoint(document.words.norms[max(0, found.first - _CLAUSE_WORDS) : found.first])


def _sided(
    document: Document,
    found: Found,
    place: Place,
    mention: Mention,
    regions: Mapping[str, BodyRegion],
    *,
    is_device: bool,
) -> list[str]:
    if not regions[place.region].is_sided:
        return [place.region]
    side = place.side or _side_beside(document, found, mention, is_device=is_device)
    if side in ("both", "bilateral"):
        return [f"left_{place.region}", f"right_{place.region}"]
    return [f"{side}_{place.region}" if side else place.region]


def _side_beside(document: Document, found: Found, mention: Mention, *, is_device: bool) -> str:
    """The side told right before a place, behind it ("base on the left"), or with the mention; "" for none."""
    norms = document.words.norms
    sides = list(_cues(mention, "side"))
    for cue in reversed(sides):
        assert isinstance(cue.value, Cue)
        if 0 <= found.first - cue.last <= _SIDE_WORDS:
            return cue.value.value
    for cue in sides:
        assert isinstance(cue.value, Cue)
        if 0 < cue.first - found.last <= _SIDE_WORDS and norms[found.last] in ("on", "of"):
            return cue.value.value
    if _is_plural(document, found):
        return "both"
    if is_device:
        return ""
    beside = {cue.value.value for cue in sides if isinstance(cue.value, Cue) and within(cue, mention.zones.noun)}
    return next(iter(beside)) if len(beside) == 1 else "bilateral" if beside else ""


def _is_plural(document: Document, found: Found) -> bool:
    last = found.last - 1
    word = document.text[document.words.starts[last] : document.words.ends[last]].lower()
    return word in ("bases", "lobes", "lungs", "zones", "hila", "angles", "hemispheres", "fields", "ventricles")


def _change(document: Document, mention: Mention) -> list[Detail]:
    norms, zones = document.words.norms, mention.zones
    cues = list(_cues(mention, "change"))
    told = [cue for cue in cues if within(cue, zones.noun)]
    told += [cue for cue in cues if within(cue, zones.before) and _is_of_all(cue)]
    told += [
        cue
        for cue in cues
        if within(cue, zones.after) and not _is_of_following(norms, cue) and _is_close(document, cue, mention)
    ]
    told += [cue for cue in cues if _is_of_following(norms, cue) and 0 <= zones.noun[0] - cue.last <= _LEADING_WORDS]
    return _stated(document, mention, told[0]) if told else []


def _is_of_all(cue: Found) -> bool:
    """Whether a change is said of all that follows: "again seen is", but not "increased attenuation"."""
    return isinstance(cue.value, Cue) and cue.value.value in {"new", "unchanged"}


def _stated(document: Document, mention: Mention, cue: Found) -> list[Detail]:
    """A change that goes with the status: what is absent is at most resolved, what is there is not."""
    assert isinstance(cue.value, Cue)
    is_gone = cue.value.value == "resolved"
    return [_detail("change", document, cue)] if is_gone == (mention.status == "negative") else []


def _is_of_following(norms: Sequence[str], cue: Found) -> bool:
    """Whether a change is said of what follows: "an increase in the size of", but not "increased in size"."""
    after = norms[cue.last : cue.last + _LEADING_WORDS]
    if not after or after[0] not in _OF_FOLLOWING:
        return False
    own = next((index for index, word in enumerate(after) if word in _OF_ITSELF), None)
    return own is None or "of" in after[own + 1 : own + 2]


def _size(document: Document, mention: Mention) -> list[Detail]:
    for first, last in (mention.zones.noun, mention.zones.after, mention.zones.before):
        if last > first:
            start, end = document.span(first, last)
            match = _LENGTH.search(document.text, start, _unit_end(document, last, end))
            if match:
                return [Detail("size", match.span(), f"{_millimetres(match):g} mm")]
    return []


def _unit_end(document: Document, last: int, end: int) -> int:
    """A unit that the zone's last number ends before still belongs to it."""
    return document.words.ends[last] if last < len(document.words) else end


def _millimetres(match: re.Match[str]) -> float:
    largest = max(float(number) for number in _NUMBER.findall(match[1] + match[2]))
    return round(largest * (_MM if match[3].lower().startswith("c") else 1.0), 2)


def _position(document: Document, mention: Mention, places: list[tuple[Found, str]]) -> Iterator[Detail]:
    measured = set()
    for match, direction in _distances(document, mention):
        ends = document.words.starts
        place = next((one for one in places if ends[one[0].first] >= direction.end()), None)
        if place is not None:
            found, name = place
            measured.add(found.first)
            said = direction[1].lower()
            value = f"{_millimetres(match):g} mm {_DIRECTIONS.get(said, said)} {name}"
            yield Detail("position", (match.start(), document.span(found.first, found.last)[1]), value)
    for found, name in places:
        if found.first not in measured:
            yield Detail("position", document.span(found.first, found.last), name)
    for cue in _cues(mention, "placement"):
        if within(cue, mention.zones.after) or within(cue, mention.zones.before):
            yield _detail("position", document, cue)


def _distances(document: Document, mention: Mention) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """Lengths behind a device, with the word that tells their direction."""
    first, last = mention.zones.after
    if last > first:
        start, end = document.span(first, last)
        for match in _LENGTH.finditer(document.text, start, end):
            direction = _DIRECTION.match(document.text, match.end())
            if direction is not None:
                yield match, direction
