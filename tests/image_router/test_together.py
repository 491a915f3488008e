import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.common.triton import ModelUnavailable
from services.image_router.together import MOST, UNDER_WAY, Together
from tests.image_router.fakes import LocalModels


class Doubling(LocalModels):
    """Answers when told to, with the double of what it was asked, and notes how many it was asked at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.go = asyncio.Event()

    async def infer(
        self, model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        self.sizes.append(len(inputs["image"]))
        await self.go.wait()
        self._answer_or_fail(model)
        return dict.fromkeys(outputs, inputs["image"] * 2)


async def asked(together: Together, value: float, rows: int = 1) -> NDArray[Any]:
    answer = await together.infer("brain_mri_tumour", {"image": np.full((rows, 1), value)}, ["outline"])
    return answer["outline"]


async def all_of(triton: Doubling, *rows: int) -> list[NDArray[Any]]:
    together = Together(triton)
    tasks = [asyncio.create_task(asked(together, place, count)) for place, count in enumerate(rows)]
    await asyncio.sleep(0.01)
    triton.go.set()
    return await asyncio.gather(*tasks)


async def test_who_waits_at_the_same_time_shares_a_call_and_gets_his_own_answer() -> None:
    triton = Doubling()
    answers = await all_of(triton, *[1] * 9)
    assert [answer.tolist() for answer in answers] == [[[2 * place]] for place in range(9)]
    assert triton.sizes == [MOST, MOST, 9 - 2 * MOST]


async def test_several_images_of_one_reading_stay_in_one_call() -> None:
    triton = Doubling()
    answers = await all_of(triton, 1, 1, 3, 3, MOST + 1)
    assert [len(answer) for answer in answers] == [1, 1, 3, 3, MOST + 1]
    assert triton.sizes == [2, 3, 3, MOST + 1]


async def test_all_who_share_a_call_hear_that_it_failed_and_the_next_call_is_made() -> None:
    triton = Doubling()
    triton.away = 1
    together = Together(triton)
    first = [asyncio.create_task(asked(together, 1)) for _ in range(MOST)]
    later = asyncio.create_task(asked(together, 3))
    await asyncio.sleep(0.01)
    triton.go.set()
    for task in first:
        with pytest.raises(ModelUnavailable):
            await task
    assert (await later).tolist() == [[6]]


async def test_who_gave_up_is_not_asked_for() -> None:
    triton = Doubling()
    together = Together(triton)
    tasks = [asyncio.create_task(asked(together, place)) for place in range(UNDER_WAY * MOST + 2)]
    await asyncio.sleep(0.01)
    tasks[-1].cancel()
    await asyncio.sleep(0)
    triton.go.set()
    await asyncio.gather(*tasks[:-1])
    assert sum(triton.sizes) == UNDER_WAY * MOST + 1
