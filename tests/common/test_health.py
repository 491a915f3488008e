import pytest

from services.common import health as module
from services.common.health import Health


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def health(now: list[float]) -> Health:
    return Health(lambda: now[0])


async def test_a_loop_that_stopped_turning_is_not_alive(now: list[float], health: Health) -> None:
    health.progress("bus", timeout_s=10).tick()
    assert health.stalled() == {}
    now[0] += 11
    assert "bus" in health.stalled()


async def test_a_service_is_ready_only_after_every_loop_has_turned(now: list[float], health: Health) -> None:
    loop = health.progress("bus")
    loop.last_tick = now[0]
    assert await health.unready() == {"bus": "not started"}
    loop.tick()
    assert await health.unready() == {}


async def test_a_failing_dependency_keeps_it_from_being_ready_but_alive(now: list[float], health: Health) -> None:
    async def away() -> None:
        raise ConnectionError("refused")

    health.dependency("triton", away)
    assert await health.unready() == {"triton": "ConnectionError: refused"}
    assert health.stalled() == {}


async def test_a_halted_loop_is_alive_and_never_ready(now: list[float], health: Health) -> None:
    loop = health.progress("bus", timeout_s=10)
    loop.tick()
    loop.halt("20 dead letters in a row")
    now[0] += 100
    assert health.stalled() == {}
    assert await health.unready() == {"bus": "20 dead letters in a row"}


async def test_a_probe_is_not_repeated_for_every_question(now: list[float], health: Health) -> None:
    calls = 0

    async def probe() -> None:
        nonlocal calls
        calls += 1

    health.dependency("triton", probe)
    await health.unready()
    await health.unready()
    assert calls == 1
    now[0] += module.PROBE_KEPT_S + 1
    await health.unready()
    assert calls == 2
