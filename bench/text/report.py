"""What was measured, as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.text.batches import Batching
from bench.text.measure import CORE, CORE_TOGETHER, PIPED, SHIPPED, WITH_ENTITIES, WITH_ENTITIES_TOGETHER
from bench.text.service import Load, Service
from bench.text.subject import Subject
from ward.account import quantiles

GOAL = 15.0
# Who is held against whom: a note at a time, and as many at a time as each can make use of.
PAIRS = (
    (CORE, SHIPPED),
    (CORE_TOGETHER, SHIPPED),
    (CORE_TOGETHER, PIPED),
    (WITH_ENTITIES, SHIPPED),
    (WITH_ENTITIES_TOGETHER, PIPED),
)
NO_PEER = "medspaCy could not be had (that takes uv and a package index, or uv's cache): nothing to compare with."


def as_json(
    origin: str, subjects: Sequence[Subject], service: Service, batchings: Sequence[Batching]
) -> dict[str, Any]:
    """Everything that the table says, in base units."""
    return {
        "notes": origin,
        "one_process_each": {
            subject.name: {
                "notes_per_second": subject.notes_per_s,
                "note_seconds": quantiles(subject.note_s),
                "processor_seconds_a_note": subject.cpu_ms / 1000,
                "startup_seconds": subject.startup_s,
                "memory_mb": subject.memory_mb,
                "output_a_note": subject.output,
            }
            for subject in subjects
        },
        "ratios": ratios(subjects),
        "service": _service(service),
        "triton": [asdict(batching) for batching in batchings],
    }


def ratios(subjects: Sequence[Subject]) -> dict[str, dict[str, float]]:
    """How many times the notes that nlp-coder reads: by the clock, and by processor time; the name says of what."""
    by_name = {subject.name: subject for subject in subjects}
    return {
        f"{own} / {peer}": {
            "clock": by_name[own].notes_per_s / by_name[peer].notes_per_s,
            "processor": by_name[peer].cpu_ms / by_name[own].cpu_ms,
        }
        for own, peer in PAIRS
        if own in by_name and peer in by_name
    }


def _service(service: Service) -> dict[str, Any]:
    return {
        "loads": [
            {
                "notes_at_a_time": load.at_a_time,
                "notes": len(load.note_s),
                "notes_per_second": load.notes_per_s,
                "note_seconds": quantiles(load.note_s),
                "nlp_coder_processor_seconds_a_note": load.coder_cpu_s / len(load.note_s),
                "triton_processor_seconds_a_note": load.triton_cpu_s / len(load.note_s),
                "degraded": load.degraded,
            }
            for load in service.loads
        ],
        "nlp_coder_memory_mb": service.coder_mb,
        "triton_memory_mb": service.triton_mb,
    }


def table(origin: str, subjects: Sequence[Subject], service: Service, batchings: Sequence[Batching]) -> str:
    """For people."""
    lines = [f"{origin}.", "", "One process each, the same notes, some at a turn:", HEADER]
    lines += [_row(subject) for subject in subjects]
    lines += [
        f"{one.name} gives a note: {one.output}." for one in subjects if one.name in (CORE, WITH_ENTITIES, SHIPPED)
    ]
    found = ratios(subjects)
    lines += [
        f"{name}: {ratio['clock']:.1f} times the notes by the clock, {ratio['processor']:.1f} times by processor time"
        f" (goal {GOAL:g})."
        for name, ratio in found.items()
    ]
    if not found:
        lines.append(NO_PEER)
    lines += ["", "Through the running service and Triton, by gRPC:", SERVICE_HEADER]
    lines += [_load(load) for load in service.loads]
    lines.append(f"Memory: nlp-coder {service.coder_mb:.0f} MB, Triton with all its models {service.triton_mb:.0f} MB.")
    lines += ["", "The model alone on Triton, eight notes under way:", TRITON_HEADER]
    lines += [
        f"{one.notes_a_call:14} {one.notes_per_s:9.1f} {one.caller_ms:14.2f}, {one.triton_ms:.2f}" for one in batchings
    ]
    return "\n".join(lines)


HEADER = f"{'':32} notes/s   ms a note p50/p99   processor ms   start-up s   memory MB"
SERVICE_HEADER = "  at a time   notes/s   ms a note p50/p99   processor ms: nlp-coder, Triton"

TRITON_HEADER = "  notes a call   notes/s   processor ms: caller, Triton"


def _row(subject: Subject) -> str:
    times = quantiles(subject.note_s)
    return (
        f"{subject.name:32} {subject.notes_per_s:7.1f} {1000 * times['p50']:11.1f}/{1000 * times['p99']:<7.1f}"
        f"{subject.cpu_ms:14.1f} {subject.startup_s:12.1f} {subject.memory_mb:11.0f}"
    )


def _load(load: Load) -> str:
    times, count = quantiles(load.note_s), len(load.note_s)
    said = f"   {load.degraded} were coded without the model" if load.degraded else ""
    return (
        f"{load.at_a_time:11} {load.notes_per_s:9.1f} {1000 * times['p50']:11.1f}/{1000 * times['p99']:<7.1f}"
        f"{1000 * load.coder_cpu_s / count:14.1f}, {1000 * load.triton_cpu_s / count:.1f}{said}"
    )
