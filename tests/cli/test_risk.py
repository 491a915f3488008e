"""What `vigil risk` takes and prints; tests/integration runs it against the service."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner
from vigil.v1.fusion_service_pb2_grpc import add_FusionServiceServicer_to_server

from cli.commands.risk import _asked
from cli.errors import CliError
from cli.main import create_app
from cli.stays import Asked, parsed, scored
from services.common.stateful import States
from services.fusion.grpc_api import FusionServicer
from services.fusion.scoring import Scorer
from services.fusion.state import PatientRecord
from services.fusion.views import Patients
from services.fusion.vitals import Staleness
from tests.fusion.making import NOON, SEPTIC
from tests.fusion.models_of import MODELS, FakeTriton

STAY = {
    "id": "s",
    "age": 58,
    "sex": "F",
    "unit": "MICU",
    "observations": [*([60, name, value] for name, value in SEPTIC.items()), [65, "Lactate", 4.1], [66, "avpu", "V"]],
    "at": [70, 120.5],
}


@asynccontextmanager
async def fusion(triton: FakeTriton) -> AsyncIterator[str]:
    """The address of a fusion that has no patients."""
    patients = Patients(States(PatientRecord, {}), Staleness(), lambda: NOON, lambda: True)
    server = grpc.aio.server()
    servicer = FusionServicer(patients, Scorer(triton, MODELS, 1.0, "stay"))
    add_FusionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def printed(*lines: Any, triton: FakeTriton | None = None) -> list[dict[str, Any]]:
    asked = (parsed(one if isinstance(one, str) else json.dumps(one), f"line {at}") for at, one in enumerate(lines))
    async with fusion(triton or FakeTriton()) as target:
        return [json.loads(json.dumps(row)) async for row in scored(asked, target)]


async def test_a_line_has_scores_and_risks_at_each_minute() -> None:
    (row,) = await printed(STAY)
    assert row["id"] == "s"
    first, second = row["at"]
    assert (first["minute"], second["minute"]) == (70, 120.5)
    assert first["scores"] == {"news2": 19, "qsofa": 3}
    assert set(first["risks"]) == {"mortality", "sepsis"}
    risk = first["risks"]["mortality"]
    assert risk["low"] < risk["p"] < risk["high"]
    assert risk["alarm"] is True
    assert first["missing"] == sorted(first["missing"])
    assert "bilirubin" in first["missing"]


async def test_a_driver_says_which_risk_it_moves_where_to_and_why() -> None:
    (row,) = await printed(STAY)
    driver = next(one for one in row["at"][0]["drivers"] if one["name"] == "lactate" and one["risk"] == "mortality")
    assert driver["weight"] > 0
    assert (driver["value"], driver["unit"], driver["age_minutes"]) == (4.1, "mmol/L", 5)
    assert driver["text"] == "lactate 4.1 mmol/L, 5 min ago"


async def test_a_partial_score_says_what_it_could_be() -> None:
    (row,) = await printed(STAY | {"observations": [[60, "HR", 135]]})
    assert row["at"][0]["scores"]["news2"] == 3
    assert row["at"][0]["score_ranges"]["news2"] == [3, 20]


async def test_a_model_that_abstains_says_why() -> None:
    (row,) = await printed(STAY | {"observations": [[60, "HR", 135]]})
    assert row["at"][0]["risks"]["sepsis"]["abstained"].startswith("too little measured")
    (child,) = await printed(STAY | {"age": 3})
    assert child["at"][0]["scores"]["news2"] is None
    assert child["at"][0]["risks"]["sepsis"] == {
        "p": None,
        "low": None,
        "high": None,
        "alarm": False,
        "abstained": "under 16 years of age",
    }


async def test_without_triton_the_risks_say_so() -> None:
    (row,) = await printed(STAY, triton=FakeTriton(away="icu_mortality: StatusCode.UNAVAILABLE"))
    assert row["at"][0]["scores"]["news2"] == 19
    assert row["at"][0]["risks"]["mortality"]["degraded"] == "icu_mortality: StatusCode.UNAVAILABLE"


async def test_lines_come_back_in_their_order_with_the_ids_as_they_were() -> None:
    ids = [7, "x", None, {"a": 1}, *range(20)]
    rows = await printed(*(STAY | {"id": one} for one in ids))
    assert [row["id"] for row in rows] == ids


async def test_names_that_nobody_reads_and_impossible_values_are_told() -> None:
    (row,) = await printed(STAY | {"observations": [[60, "HR", 9000], [60, "shoe_size", 43], [60, "sbp", None]]})
    assert (row["unknown_names"], row["impossible"]) == (["shoe_size"], {"heart_rate": 1})


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("fever", "is not a stay"),
        ("[]", "is not a stay"),
        ("5", "is not a stay"),
        ("[" * 100_000, "is not a stay"),
        (f'{{"id":1,"age":5,"observations":[[1,"HR",{10**400}]],"at":[]}}', "is not a stay"),
        ('{"id":1,"observations":[],"at":[]}', "no 'age'"),
        ('{"id":1,"age":5,"at":[]}', "no 'observations'"),
        ('{"age":5,"observations":[],"at":[]}', "no 'id'"),
        ('{"id":1,"age":"old","observations":[],"at":[]}', "age is a number"),
        ('{"id":1,"age":5,"observations":{},"at":[]}', "observations is a list"),
        ('{"id":1,"age":5,"observations":[[1,"HR"]],"at":[]}', "[minute, name, value]"),
        ('{"id":1,"age":5,"observations":[[1,2,3]],"at":[]}', "name of an observation"),
        ('{"id":1,"age":5,"observations":[["a","HR",3]],"at":[]}', "minute is a number"),
        ('{"id":1,"age":5,"observations":[[1,"HR",[]]],"at":[]}', "HR is a number"),
        ('{"id":1,"age":5,"observations":[[NaN,"HR",3]],"at":[]}', "not a number of minutes"),
        ('{"id":1,"age":5,"observations":[],"at":["now"]}', "at is a number"),
    ],
)
async def test_a_line_that_is_no_stay_has_its_error_and_the_next_is_scored(line: str, wrong: str) -> None:
    bad, good = await printed(line, STAY)
    assert set(bad) == {"id", "error"}
    assert wrong in bad["error"]
    assert good["at"]


async def test_stays_are_read_only_as_far_as_they_are_worked_on() -> None:
    taken = 0

    def endless() -> Iterator[Asked]:
        nonlocal taken
        while True:
            taken += 1
            yield parsed(json.dumps(STAY), "line")

    async with fusion(FakeTriton()) as target:
        rows = scored(endless(), target)
        for _ in range(3):
            await anext(rows)
        await rows.aclose()  # type: ignore[attr-defined]
    assert taken < 20


async def test_a_fusion_that_is_away_is_said_in_one_sentence() -> None:
    with pytest.raises(CliError, match="start it with `vigil up`"):
        [row async for row in scored([parsed(json.dumps(STAY), "line")], "127.0.0.1:1")]


def test_lines_come_from_files(tmp_path: Path) -> None:
    path = tmp_path / "stays.jsonl"
    path.write_text(f"{json.dumps(STAY)}\n\nnothing\n")
    good, bad = _asked([path])
    assert good.request is not None
    assert bad.error == f"{path}, line 3 is not a stay: Expecting value: line 1 column 1 (char 0)"


def test_other_formats_than_lines_of_json_are_wrong_usage() -> None:
    done = CliRunner().invoke(create_app(), ["risk"])
    assert done.exit_code == 2
    assert "--jsonl" in done.output
