"""What runs in a stack, as `vigil status` shows it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError

from deploy.local import supervision
from deploy.local.components import NAMES, SERVICES, components
from deploy.local.readiness import why_not_ready
from deploy.local.settings import LocalSettings
from deploy.local.supervision import Home
from services.common.topics import registry

KAFKA_TIMEOUT_MS = 3000
# supervisord's words for what does not run; everything else is "stopped"
WORDS = {"BACKOFF": "restarting", "EXITED": "restarting", "STOPPING": "stopping", "FATAL": "failed"}


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process. `uptime` in seconds; `lag` in messages, None where there is none or Kafka does not answer.

    `state`: running, not ready (see `reason`), restarting, stopping, failed or stopped.
    """

    name: str
    state: str
    pid: int | None
    uptime: int | None
    restarts: int
    lag: int | None
    reason: str = ""


def status(settings: LocalSettings) -> list[ProcessStatus]:
    """Every process of the stack, running or not."""
    home = Home(settings.data_dir)
    if supervision.running(home) is None:
        return [ProcessStatus(name, "stopped", None, None, 0, None) for name in NAMES]
    infos = {info["name"]: info for info in supervision.connect(home).getAllProcessInfo()}
    parts = components(settings)
    with ThreadPoolExecutor(len(NAMES) + 1) as threads:
        lagging = threads.submit(lags, settings.kafka_bootstrap)
        reasons = {
            name: threads.submit(why_not_ready, part, settings.kafka_bootstrap)
            for name, part in parts.items()
            if infos.get(name, {}).get("statename") in {"STARTING", "RUNNING"}
        }
        why = {name: reason.result() for name, reason in reasons.items()}
    starts = supervision.starts(home)
    return [_describe(name, infos.get(name), why, lagging.result(), starts.get(name, 0)) for name in NAMES]


def _describe(name: str, info: Any, why: Mapping[str, str], lag: Mapping[str, int], starts: int) -> ProcessStatus:
    supervised = info["statename"] if info else "STOPPED"
    pid = info["pid"] or None if info else None
    uptime = max(info["now"] - info["start"], 0) if pid else None
    restarts, waiting = max(starts - 1, 0), lag.get(name)
    if name in why:
        state = "not ready" if why[name] else "running"
        return ProcessStatus(name, state, pid, uptime, restarts, waiting, why[name])
    reason = info["spawnerr"] if supervised in {"BACKOFF", "FATAL"} else ""
    return ProcessStatus(name, WORDS.get(supervised, "stopped"), pid, uptime, restarts, waiting, reason)


def lags(bootstrap: str) -> dict[str, int]:
    """Messages each service has not handled yet, over all its topics; empty when Kafka does not answer."""
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap, request_timeout_ms=KAFKA_TIMEOUT_MS, bootstrap_timeout_ms=KAFKA_TIMEOUT_MS
        )
    except KafkaError:
        return {}
    try:
        return _lags(admin)
    except KafkaError:
        return {}
    finally:
        admin.close()


def _lags(admin: KafkaAdminClient) -> dict[str, int]:
    consumed = {
        name: {
            TopicPartition(str(topic), number)
            for topic, spec in registry().items()
            if name in spec.consumers
            for number in range(spec.partitions)
        }
        for name in SERVICES
    }
    everything = set().union(*consumed.values())
    begins = admin.list_partition_offsets(dict.fromkeys(everything, OffsetSpec.EARLIEST))
    ends = admin.list_partition_offsets(dict.fromkeys(everything, OffsetSpec.LATEST))
    committed = admin.list_group_offsets({name: None for name, partitions in consumed.items() if partitions})
    result: dict[str, int] = {}
    for name, partitions in consumed.items():
        done = {partition: entry.offset for partition, entry in committed.get(name, {}).items()}
        if partitions:
            result[name] = sum(max(ends[p].offset - max(done.get(p, 0), begins[p].offset), 0) for p in partitions)
    return result
