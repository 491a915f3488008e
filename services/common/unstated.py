"""Says that a feed names no assigning authority: the usual reason why its patients are not those of the other feeds."""

import structlog
from prometheus_client import Counter

log = structlog.get_logger()

WITHOUT_AUTHORITY = Counter(
    "vigil_without_authority_total",
    "Messages and images whose patient identifier states no assigning authority.",
    ["protocol"],
)
_told: set[str] = set()


def no_authority_stated(protocol: str, place: str, default: str) -> None:
    """Count it, and log it once a protocol. place: where the protocol would state it. default: what counts instead."""
    WITHOUT_AUTHORITY.labels(protocol).inc()
    if protocol not in _told:
        _told.add(protocol)
        log.warning(
            "a patient identifier states no assigning authority; it joins other feeds only where they state "
            "VIGIL_DEFAULT_AUTHORITY or none",
            protocol=protocol,
            place=place,
            default_authority=default,
        )
