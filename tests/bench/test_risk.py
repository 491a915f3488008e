import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from numpy.typing import NDArray

from bench.risk import MINUTES, Figures, live, made_up, table
from services.common.triton import Tensors
from tests.fusion.models_of import MODELS, FakeTriton

SLOW_S = 0.2


def test_the_table_says_what_is_beside_triton_and_how_many_times_the_floor() -> None:
    said = table(Figures([0.012] * 3, [0.004] * 3, [0.005] * 3, 100, 6.0, 1.5, 0.3, 2))
    assert "beside Triton's own time                             8.0      8.0" in said
    assert "Live score p99 beside Triton's own time: 5.0 ms (goal: at most 20)." in said
    assert "100 stays at 3 times each, 8 at a time: 6.0 s, 50 scores a second." in said
    assert "The median of one score is 3.0 times the floor." in said
    assert "fusion 5.0 ms, Triton 1.0 ms." in said
    assert "Without a model: 2 estimates." in said


def test_made_up_stays_are_the_same_again_and_last_two_days() -> None:
    one, again = made_up(3), made_up(3)
    assert one == again
    assert len(one.observations) == pytest.approx(400, abs=60)
    assert max(observation.minute for observation in one.observations) <= MINUTES[-1]


class SlowTriton(FakeTriton):
    async def infer(self, model: str, inputs: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        await asyncio.sleep(SLOW_S)
        return await super().infer(model, inputs, outputs)


def test_the_time_in_which_triton_is_asked_is_no_part_of_a_live_score() -> None:
    triton = SlowTriton()
    took = asyncio.run(live(triton, MODELS, made_up(1)))
    assert [model for model, _ in triton.calls] == ["icu_mortality", "sepsis_onset"]
    assert 0 < took < SLOW_S
