"""Whole stays in intensive care, between lines of JSON and the running fusion: what `vigil risk` sends and prints."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.calls import in_order
from cli.errors import CliError

if TYPE_CHECKING:
    from vigil.v1.fusion_service_pb2 import ScoreStayRequest, ScoreStayResponse, StayScores
    from vigil.v1.risk_pb2 import RiskDriver, RiskEstimate

DEADLINE_S = 300.0
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
PROBABILITY_DIGITS = 6
VALUE_DIGITS = 4

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A line: a request with the caller's own id, any JSON value; or what is wrong with it."""

    id: Any
    request: "ScoreStayRequest | None" = None
    error: str = ""


def parsed(line: str, where: str) -> Asked:
    """A line of input. where: of the line, for what is wrong with it."""
    own_id = None
    try:
        entry = json.loads(line)
        own_id = entry.get("id")
        return Asked(entry["id"], _request(entry))
    except KeyError as error:
        return Asked(own_id, error=f"{where}: the stay has no {error}")
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        return Asked(own_id, error=f"{where} is not a stay: {error}")


def _request(entry: Row) -> "ScoreStayRequest":
    from vigil.v1.fusion_service_pb2 import ScoreStayRequest

    age = entry["age"]
    request = ScoreStayRequest(
        id=str(entry["id"]),
        age=None if age is None else _number(age, "age"),
        sex=_word(entry.get("sex")),
        unit=_word(entry.get("unit")),
        at=[_number(minute, "at") for minute in _listed(entry["at"], "at")],
    )
    for observation in _listed(entry["observations"], "observations"):
        if not isinstance(observation, list) or len(observation) != 3:  # noqa: PLR2004 - minute, name, value
            raise ValueError("an observation is [minute, name, value]")
        minute, name, value = observation
        if not isinstance(name, str):
            raise TypeError(f"the name of an observation is text, not {name!r}")
        if value is None:
            continue  # not measured
        text = value if isinstance(value, str) else ""
        number = 0.0 if text else _number(value, name)
        request.observations.add(minute=_number(minute, "minute"), name=name, value=number, text=text)
    return request


def _number(value: Any, what: str) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{what} is a number, not {value!r}")
    return float(value)


def _listed(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{what} is a list, not {value!r}")
    return value


def _word(value: Any) -> str:
    return "" if value is None else str(value)


async def scored(asked: Iterable[Asked], target: str) -> AsyncIterator[Row]:
    """A line of output for each line, in order, with bounded concurrency. A line that is no stay has its error.

    Raises CliError when fusion is away.
    """
    import grpc
    from vigil.v1.fusion_service_pb2_grpc import FusionServiceStub

    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        stub = FusionServiceStub(channel)
        try:
            async with aclosing(in_order(_row(stub, one) for one in asked)) as rows:
                async for row in rows:
                    yield row
        except grpc.aio.AioRpcError as error:
            raise CliError(_failure(error, target)) from error


async def _row(stub: Any, asked: Asked) -> Row:
    import grpc

    if asked.request is None:
        return {"id": asked.id, "error": asked.error}
    try:
        answer = await stub.ScoreStay(asked.request, timeout=DEADLINE_S)
    except grpc.aio.AioRpcError as error:
        if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            return {"id": asked.id, "error": error.details()}
        raise
    return as_json(answer) | {"id": asked.id}


def _failure(error: Any, target: str) -> str:
    import grpc

    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return f"fusion does not answer at {target}: start it with `vigil up`."
    return f"fusion refused: {error.code().name.lower()}: {error.details()}"


def as_json(answer: "ScoreStayResponse") -> Row:
    """One line of output, as the interface documents it."""
    row: Row = {"id": answer.id, "at": [_at(scores) for scores in answer.at]}
    if answer.unknown_names:
        row["unknown_names"] = list(answer.unknown_names)
    if answer.impossible:
        row["impossible"] = dict(sorted(answer.impossible.items()))
    return row


def _at(scores: "StayScores") -> Row:
    whole = int(scores.minute) if scores.minute.is_integer() else scores.minute
    totals = {score.name: None if score.abstained else score.total for score in scores.scores}
    spread = {score.name: [score.lowest, score.highest] for score in scores.scores if score.partial}
    return {
        "minute": whole,
        "scores": totals,
        "risks": {estimate.name: _risk(estimate) for estimate in scores.risks},
        "drivers": list(_drivers(scores.risks)),
        "missing": list(scores.missing),
        **({"score_ranges": spread} if spread else {}),
    }


def _risk(estimate: "RiskEstimate") -> Row:
    is_known = estimate.HasField("probability")
    numbers = {"p": estimate.probability, "low": estimate.low, "high": estimate.high}
    risk: Row = {name: round(value, PROBABILITY_DIGITS) if is_known else None for name, value in numbers.items()}
    risk["alarm"] = estimate.alarm
    if estimate.abstained:
        risk["abstained"] = estimate.abstained
    if estimate.degraded:
        risk["degraded"] = estimate.degraded_reason
    return risk


def _drivers(estimates: Iterable["RiskEstimate"]) -> Iterator[Row]:
    for estimate in estimates:
        for driver in estimate.drivers:
            yield {"risk": estimate.name, **_driver(driver)}


def _driver(driver: "RiskDriver") -> Row:
    shown: Row = {"name": driver.name, "weight": round(driver.weight, VALUE_DIGITS)}
    for field in ("value", "change", "age_minutes"):
        if driver.HasField(field):
            shown[field] = round(getattr(driver, field), VALUE_DIGITS)
    if driver.unit and driver.HasField("value"):
        shown["unit"] = driver.unit
    return shown | {"text": driver.sentence}
