"""Metrics that every service has. Units are Prometheus base units; labels are bounded and never a person."""

from prometheus_client import Counter, Gauge, Histogram
from vigil.v1.meta_pb2 import Meta

from services.common.clock import Clock, from_timestamp

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)

STAGE_LATENCY = Histogram(
    "vigil_stage_latency_seconds",
    "From the sender's first byte to the end of a stage.",
    ["stage"],
    buckets=SECONDS,
)
BUS_MESSAGES = Counter("vigil_bus_messages_total", "Messages taken from Kafka, by outcome.", ["topic", "outcome"])
BUS_BATCH_SECONDS = Histogram(
    "vigil_bus_batch_seconds", "From taking a batch to its commit.", ["service"], buckets=SECONDS
)
BUS_BATCH_MESSAGES = Histogram(
    "vigil_bus_batch_messages",
    "Messages in a batch.",
    ["service"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
BUS_LAG = Gauge("vigil_bus_lag_messages", "Messages not yet taken, over all partitions of a topic.", ["topic"])
PUBLISHED = Counter("vigil_bus_published_total", "Messages that Kafka acknowledged (acks=all).", ["topic"])
PUBLISH_SECONDS = Histogram("vigil_bus_publish_seconds", "From sending to Kafka's acknowledgement.", buckets=SECONDS)
INFERENCES = Counter("vigil_triton_inferences_total", "Calls of a model, by outcome.", ["model", "outcome"])
INFERENCE_SECONDS = Histogram(
    "vigil_triton_inference_seconds",
    "One call of a model, waiting for a place included.",
    ["model"],
    buckets=SECONDS,
)


def observe_stage(stage: str, meta: Meta, clock: Clock) -> None:
    """Record how long after the sender's first byte `stage` ended; nothing when that time is not known."""
    if meta.HasField("ingest_time"):
        seconds = (clock() - from_timestamp(meta.ingest_time)).total_seconds()
        STAGE_LATENCY.labels(stage).observe(max(seconds, 0.0))
