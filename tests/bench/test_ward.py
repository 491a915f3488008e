import time
from collections import Counter
from dataclasses import replace

import pytest

from bench.pacing import due_times
from bench.ward import Step, conclusion, line, mixed_events
from ward.events import Kind

QUICK = {"p50": 0.02, "p95": 0.05, "p99": 0.2, "max": 0.3}
STEP = Step(
    rate=100.0,
    achieved=100.0,
    stages=dict.fromkeys(("acknowledged", "received", "coded", "read", "risk"), QUICK),
    by_kind={kind.value: QUICK for kind in Kind},
    unfinished=0,
    floor={"p50": 0.002, "p95": 0.004, "p99": 0.01, "max": 0.02},
    mix={"observations-received": 90, "notes-received": 10},
)


def slow(step: Step) -> Step:
    return replace(step, stages={**step.stages, "risk": {**QUICK, "p99": 1.01}})


@pytest.mark.parametrize(
    ("step", "sustained"),
    [
        (STEP, True),
        (slow(STEP), False),
        (replace(STEP, unfinished=1), False),
        (replace(STEP, achieved=90.0), False),
        (replace(STEP, stages={**STEP.stages, "risk": {}}), False),
    ],
)
def test_a_rate_is_sustained_when_everything_came_out_in_time_at_that_rate(step: Step, sustained: bool) -> None:
    assert step.sustained is sustained
    assert ("not sustained" in line(step)) is not sustained


def test_the_conclusion_names_the_last_sustained_rate_and_the_floor() -> None:
    said = conclusion([STEP, slow(replace(STEP, rate=125.0))])
    assert "Sustained: 100 messages a second" in said
    assert "10.0 times the floor" in said


def test_the_conclusion_says_when_nothing_was_sustained() -> None:
    assert "Not even 100" in conclusion([slow(STEP)])


def test_the_mix_is_mostly_vital_signs_with_some_notes_and_few_images() -> None:
    mix = Counter(event.kind for event in mixed_events(1000))
    assert mix.total() == 1000
    assert mix[Kind.OBSERVATIONS] > 800
    assert 50 <= mix[Kind.NOTE] <= 120
    assert 5 <= mix[Kind.IMAGE] <= 30
    assert mix[Kind.ENCOUNTER] > 10


async def test_messages_are_due_at_their_times_however_late_the_last_one_was() -> None:
    began, seen = time.time(), []
    async for number in due_times(began, 200.0, 20):
        seen.append((number, time.time() - began))
        if number == 5:
            time.sleep(0.03)  # noqa: ASYNC251 - the loop is held up on purpose
    assert [number for number, _ in seen] == list(range(20))
    assert all(at >= number / 200 for number, at in seen)
    assert seen[6][1] >= 0.055
