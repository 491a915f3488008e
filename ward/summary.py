"""What a run of the ward showed, for people at a terminal and for tests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ward.account import Result, end_to_end, quantiles
from ward.follow import Seen
from ward.truth import Verdict
from ward.warnings import Lead
from ward.warnings import lines as warning_lines

STAGES = {
    "acknowledged": "sender has its acknowledgement",
    "received": "on the first topic",
    "coded": "note coded",
    "read": "image read",
    "risk": "patient's risk fused",
    "alert": "alert raised",
}
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Summary:
    """The outcome of a run. `stages`: quantiles in seconds from the sender's first byte, by stage."""

    results: tuple[Result, ...]
    verdicts: tuple[Verdict, ...]
    topics: Mapping[str, int]
    dead_letters: tuple[tuple[str, str], ...]
    degraded: int
    stages: Mapping[str, Mapping[str, float]]
    leads: tuple[Lead, ...] = ()

    @property
    def refused(self) -> list[Result]:
        """Messages that no receiver took."""
        return [result for result in self.results if result.sent.acknowledged_at is None]

    @property
    def missing(self) -> list[Result]:
        """Messages that were taken, and whose result did not come."""
        return [result for result in self.results if result.missing and result.sent.acknowledged_at is not None]

    @property
    def duplicates(self) -> int:
        """Visible results beyond the first."""
        return sum(result.duplicates for result in self.results)

    @property
    def replays(self) -> int:
        """Results published again under the same id."""
        return sum(result.replays for result in self.results)

    @property
    def complete(self) -> bool:
        """Every message that was sent came out, exactly once visible."""
        return not (self.refused or self.missing or self.duplicates or any(v.duplicates for v in self.verdicts))

    @property
    def truthful(self) -> bool:
        """What should have been found was, and nothing else."""
        return all(verdict.right for verdict in self.verdicts)


def summarise(
    results: Iterable[Result], verdicts: Iterable[Verdict], seen: Seen, leads: Iterable[Lead] = ()
) -> Summary:
    """The summary of what was sent, seen and judged."""
    results = tuple(results)
    return Summary(
        results=results,
        verdicts=tuple(verdicts),
        topics=dict(sorted(seen.counts.items())),
        dead_letters=tuple(seen.dead),
        degraded=seen.degraded,
        stages=dict(_stages(results, seen)),
        leads=tuple(leads),
    )


def _stages(results: tuple[Result, ...], seen: Seen) -> Iterator[tuple[str, dict[str, float]]]:
    acknowledged = [
        r.sent.acknowledged_at - r.sent.first_byte_at for r in results if r.sent.acknowledged_at is not None
    ]
    yield "acknowledged", quantiles(acknowledged)
    for stage in ("received", "coded", "read"):
        yield stage, quantiles(result.stages[stage] for result in results if stage in result.stages)
    yield "risk", quantiles(end_to_end(results))
    yield "alert", quantiles(_alert_delays(seen))


def _alert_delays(seen: Seen) -> Iterator[float]:
    """From the first byte at the edge to the first sight of each alert."""
    for risk_id, at in seen.alert_caused.values():
        if risk_id in seen.ingested:
            yield at - seen.ingested[risk_id]


def text(summary: Summary) -> str:
    """The summary as lines for a terminal."""
    return "\n".join(
        [
            *_count_lines(summary),
            "",
            *_found_lines(summary),
            "",
            *warning_lines(summary.leads),
            "",
            *_time_lines(summary),
            "",
            *_conclusion(summary),
        ]
    )


def _count_lines(summary: Summary) -> Iterator[str]:
    retried = sum(result.sent.attempts > 1 for result in summary.results)
    yield f"Sent {len(summary.results)} messages{f', {retried} of them more than once' if retried else ''}."
    yield "Messages by topic:"
    width = max((len(topic) for topic in summary.topics), default=0)
    for topic, count in summary.topics.items():
        yield f"  {topic:<{width}}  {count:>6}"
    for topic, reason in summary.dead_letters[:SHOWN]:
        yield f"  dead letter on {topic}: {reason}"


def _found_lines(summary: Summary) -> Iterator[str]:
    yield "What should have been found, and what was:"
    for verdict in sorted(summary.verdicts, key=lambda verdict: (verdict.patient.bed, verdict.patient.number)):
        expected = ", ".join(verdict.patient.course.truth.must) or "no alert"
        mark = "ok  " if verdict.right else "DIFF"
        yield f"  {mark} bed {verdict.patient.bed}, {verdict.patient.course.title}: {expected}"
        for rule, reason in verdict.found.items():
            note = " (FALSE ALARM)" if rule in verdict.false_alarms else ""
            yield f"         {rule}{note}: {reason}"
        for rule, meaning in verdict.missed.items():
            yield f"         MISSED {rule}: {meaning}"
        for rule in verdict.duplicates:
            yield f"         TWICE {rule}"


def _time_lines(summary: Summary) -> Iterator[str]:
    yield "Seconds from the sender's first byte:        p50      p95      p99      max"
    for stage, values in summary.stages.items():
        if values:
            yield f"  {STAGES[stage]:<34}" + "".join(f"{value:9.3f}" for value in values.values())
    for stage, end in (("risk", "fused risk"), ("alert", "raised alert")):
        if quantile := summary.stages.get(stage):
            shown = ", ".join(f"{name} {quantile[name]:.3f} s" for name in ("p50", "p95", "p99"))
            yield f"End to end, first byte to {end}: {shown}."


def _conclusion(summary: Summary) -> Iterator[str]:
    for result in summary.refused[:SHOWN]:
        yield f"NOT ACCEPTED: {_name(result)}: {result.sent.said}"
    for result in summary.missing[:SHOWN]:
        yield f"NO RESULT ({result.missing}): {_name(result)}"
    if summary.degraded:
        yield f"{summary.degraded} results came without a model, and say so."
    came = len(summary.results) - len(summary.refused) - len(summary.missing)
    once = "each exactly once" if not summary.duplicates else f"with {summary.duplicates} DUPLICATES"
    yield f"{came} of {len(summary.results)} messages came out, {once} ({summary.replays} replays under the same id)."
    right = sum(verdict.right for verdict in summary.verdicts)
    yield f"{right} of {len(summary.verdicts)} patients were judged as their story says."


def _name(result: Result) -> str:
    event = result.sent.event
    return f"{event.kind.value} of patient {event.patient} at {event.at:%H:%M:%S} by {event.protocol.value}"
