"""Where a report and an image say that a finding lies, in one small anatomy. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from vigil.v1.images_pb2 import FindingPlace
from vigil.v1.notes_pb2 import ReportFinding

SIDES = ("left", "right")
LEVELS = ("upper", "mid", "lower")
# Thirds of the frontal chest film, by height, that regions of reports lie in; lobes overlap on it (local policy). What
# is not named lies nowhere in particular.
ZONES: Mapping[str, tuple[str, ...]] = {
    "lung": LEVELS,
    "upper_lobe": ("upper", "mid"),
    "middle_lobe": ("mid", "lower"),
    "lingula": ("mid", "lower"),
    "lower_lobe": ("mid", "lower"),
    "upper_lung": ("upper",),
    "lung_apex": ("upper",),
    "mid_lung": ("mid",),
    "hilum": ("mid",),
    "lower_lung": ("lower",),
    "lung_base": ("lower",),
    "costophrenic_angle": ("lower",),
    "hemidiaphragm": ("lower",),
}
ALWAYS_SIDED = {"retrocardiac": "left_lung_base"}
ALL_ZONES = len(SIDES) * len(LEVELS)
MOST = 0.5

Zones = frozenset[str]


def said_places(finding: ReportFinding) -> list[str]:
    """Locations of the mentions that decided a finding's status, else their sides; each once, in the text's order."""
    details = [one for mention in finding.mentions if mention.status == finding.status for one in mention.details]
    for name in ("location", "laterality"):
        values = [one.value for one in details if one.name == name]
        if values:
            return list(dict.fromkeys(values))
    return []


def sides_of(places: Iterable[str]) -> Zones:
    """Sides that places name; both for "bilateral"."""
    named = [ALWAYS_SIDED.get(place, place) for place in places]
    sides = {side for place in named for side in SIDES if place == side or place.startswith(f"{side}_")}
    return frozenset(SIDES) if "bilateral" in named else frozenset(sides)


def zones_of(places: Iterable[str]) -> Zones:
    """Zones of a chest film, e.g. "left_lower_lung", that places of a report take in."""
    return frozenset(zone for place in places for zone in _zones(ALWAYS_SIDED.get(place, place)))


def _zones(place: str) -> list[str]:
    side, _, region = place.partition("_")
    if side not in SIDES:
        side, region = "", place
    levels = LEVELS if region in ("", "bilateral") else ZONES.get(region, ())
    return [f"{one}_{level}_lung" for one in ((side,) if side else SIDES) for level in levels]


def most_of(places: Sequence[FindingPlace]) -> list[str]:
    """The fewest parts that hold half of what speaks for a finding, the first with most."""
    regions, held = [], 0.0
    for place in sorted(places, key=lambda one: (-one.share, one.region)):
        if held >= MOST:
            break
        regions.append(place.region)
        held += place.share
    return regions


def share_in(zones: Zones, places: Iterable[FindingPlace]) -> float:
    """Of what speaks for a finding, how much lies in the zones, 0 to 1."""
    return sum(place.share for place in places if place.region in zones)
