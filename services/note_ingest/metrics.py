"""Metrics of note-ingest. `kind` is an HL7 event or a resource type that is known, never text of a message."""

from prometheus_client import Counter, Gauge, Histogram

from services.common.metrics import SECONDS

MESSAGES = Counter(
    "vigil_note_ingest_messages_total",
    "Messages received, by outcome: accepted, refused, unavailable.",
    ["protocol", "kind", "outcome"],
)
REFUSED = Counter(
    "vigil_note_ingest_refused_total", "Messages refused, by fault (HL7 table 0357).", ["protocol", "fault"]
)
ANSWER_SECONDS = Histogram(
    "vigil_note_ingest_answer_seconds", "From a message's first byte to its answer.", ["protocol"], buckets=SECONDS
)
CONNECTIONS = Gauge("vigil_note_ingest_connections", "Open connections and streams.", ["protocol"])
IN_FLIGHT = Gauge("vigil_note_ingest_in_flight_messages", "Messages received and not yet answered.", ["protocol"])
RECEIVED_BYTES = Counter("vigil_note_ingest_received_bytes_total", "Bytes of messages.", ["protocol"])
GARBAGE_BYTES = Counter("vigil_note_ingest_garbage_bytes_total", "Bytes between MLLP frames, skipped.")
DEAD_LETTERS_LOST = Counter(
    "vigil_note_ingest_dead_letters_lost_total", "Refused messages that could not be kept; their senders know."
)
OUT_OF_RANGE = Counter(
    "vigil_note_ingest_out_of_range_total", "Values kept but flagged: impossible, or in a unit that is none.", ["name"]
)
