import pytest

from services.common import triton
from services.common.triton import CircuitBreaker, ModelUnavailable


def test_repeated_failures_open_the_circuit_and_time_lets_one_call_try() -> None:
    now = [1000.0]
    breaker = CircuitBreaker(lambda: now[0])
    for _ in range(triton.FAILURES_TO_OPEN):
        breaker.check("m")
        breaker.failed()
    with pytest.raises(ModelUnavailable, match="in a row"):
        breaker.check("m")
    now[0] += triton.OPEN_S + 0.1
    breaker.check("m")


def test_a_success_closes_the_circuit() -> None:
    breaker = CircuitBreaker()
    for _ in range(triton.FAILURES_TO_OPEN - 1):
        breaker.failed()
    breaker.succeeded()
    breaker.failed()
    breaker.check("m")
