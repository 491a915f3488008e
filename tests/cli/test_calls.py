"""Calls for many inputs: in order, a few at a time, and none left behind."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import aclosing

import pytest

from cli.calls import CONCURRENT, in_order


async def test_answers_come_in_the_order_of_the_inputs_whichever_is_done_first() -> None:
    async def answer(number: int) -> int:
        for _turn in range(20 - number):
            await asyncio.sleep(0)
        return number

    assert [one async for one in in_order(answer(number) for number in range(20))] == list(range(20))


async def test_no_more_than_a_few_are_under_way_however_many_are_asked_for() -> None:
    begun: list[int] = []

    def calls() -> Iterator[Coroutine[None, None, int]]:
        for number in range(1000):
            begun.append(number)
            yield asyncio.sleep(0, number)

    async with aclosing(in_order(calls())) as answers:
        async for answer in answers:
            assert len(begun) - answer <= CONCURRENT
            if answer == 3:
                break
    assert len(begun) <= 3 + CONCURRENT


async def test_what_is_under_way_is_cancelled_when_one_fails() -> None:
    cancelled = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        async for _answer in in_order([fail(), wait(), wait()]):
            pass
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(cancelled) == 2
