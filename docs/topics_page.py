"""Write docs/topics.md from proto/topics.yaml: `make docs`; a test holds the page equal to the registry."""

from services.common.settings import REPOSITORY
from services.common.topics import TopicSpec, registry

PAGE = REPOSITORY / "docs" / "topics.md"


def kept(spec: TopicSpec) -> str:
    return "compacted" if spec.cleanup == "compact" else f"{spec.retention_hours} h"


def page() -> str:
    """The page: a diagram of who writes and reads what, and a table."""
    flows = [
        f"    {producer} --> {topic}[[{topic}]]"
        for topic, spec in registry().items()
        for producer in spec.producers
        if not topic.endswith("-dlq")
    ] + [f"    {topic} --> {consumer}" for topic, spec in registry().items() for consumer in spec.consumers]
    rows = [
        f"| `{topic}` | {spec.description} | {spec.key} | `{spec.message}` | {', '.join(spec.producers)} "
        f"| {', '.join(spec.consumers) or 'operator, outputs'} | {spec.partitions} | {kept(spec)} |"
        for topic, spec in registry().items()
    ]
    return "\n".join(
        [
            "# Topics",
            "",
            "Made from `proto/topics.yaml` by `make docs`. Messages are protobuf (`proto/vigil/v1`); each carries the",
            "headers `type` and `traceparent`. Dead-letter topics are left out of the picture.",
            "",
            "```mermaid",
            "flowchart LR",
            *flows,
            "```",
            "",
            "| topic | what | key | message | written by | read by | partitions | kept |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
