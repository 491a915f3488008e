from datetime import UTC, datetime

import pytest

from ward.generate import Plan, Ward, generate

START = datetime(2026, 11, 22, 6, 30, 15, 250_000, tzinfo=UTC)


@pytest.fixture(scope="session")
def plan() -> Plan:
    return Plan(seed=7, start=START, run="BCDFG")


@pytest.fixture(scope="session")
def ward(plan: Plan) -> Ward:
    return generate(plan)
