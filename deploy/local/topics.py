"""Creates the topics of proto/topics.yaml."""

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from services.common.topics import TopicSpec, registry

HOUR_MS = 3_600_000
REQUEST_TIMEOUT_MS = 5000
# A compacted topic is a table that is read from its beginning: keep it short.
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": str(4 * 1024 * 1024),
    "segment.ms": str(HOUR_MS // 4),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": str(HOUR_MS),
}


def topic_config(spec: TopicSpec) -> dict[str, str]:
    """Kafka's settings of one topic."""
    if spec.cleanup == "compact":
        return COMPACTED
    return {"cleanup.policy": spec.cleanup, "retention.ms": str((spec.retention_hours or 0) * HOUR_MS)}


def create_topics(bootstrap: str) -> bool:
    """Create the topics that are missing; True once all are there and have leaders, False to try again."""
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    except KafkaError:
        return False
    try:
        present = set(admin.list_topics())
        missing = [
            NewTopic(str(topic), spec.partitions, 1, topic_configs=topic_config(spec))
            for topic, spec in registry().items()
            if topic not in present
        ]
        if missing:
            admin.create_topics(missing, wait_for_metadata=True)
    except KafkaError:
        return False
    finally:
        admin.close()
    return True
