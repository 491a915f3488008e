import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.commands import alerts
from cli.errors import CliError


def alert(identity: str, severity: str, state: str, bed: str, reason: str) -> dict[str, Any]:
    shown = {"id": identity, "severity": severity, "state": state, "ward": "ICU", "bed": bed}
    return shown | {"reason": reason, "opened_at": identity}


ALERTS = [
    alert("aaaa1", "high", "firing", "04", "NEWS2 is 9."),
    alert("aabb2", "critical", "resolved", "02", "Over."),
    alert("cccc3", "critical", "firing", "07", "Bleeding."),
]


class Alerting(BaseHTTPRequestHandler):
    """The service's answers, two alerts a page."""

    asked: list[tuple[str, Any]]

    def do_GET(self) -> None:
        later = "after=2" in self.path
        self.say({"alerts": ALERTS[2:]} if later else {"alerts": ALERTS[:2], "next": "2"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, body))
        known = "cccc3" in self.path
        self.say(
            ALERTS[2] | {"state": "acknowledged"} if known else {"error": "the alert is already resolved"},
            200 if known else 409,
        )

    def say(self, body: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    Alerting.asked = []
    server = HTTPServer(("127.0.0.1", 0), Alerting)
    monkeypatch.setenv("VIGIL_ALERTING_HTTP_PORT", str(server.server_port))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Alerting.asked
    server.shutdown()
    thread.join()
    server.server_close()


def vigil(*arguments: str) -> str:
    app = typer.Typer()
    alerts.register(app)
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout


def test_open_alerts_come_first_and_the_gravest_on_top(asked: list[tuple[str, Any]]) -> None:
    lines = vigil("alerts").splitlines()
    assert [line.split()[0] for line in lines] == ["cccc3", "aaaa1", "aabb2"]
    assert "ICU 07" in lines[0]
    assert "Bleeding." in lines[0]


def test_json_has_every_field_of_every_page(asked: list[tuple[str, Any]]) -> None:
    assert sorted(json.loads(vigil("alerts", "--json"))["alerts"], key=str) == sorted(ALERTS, key=str)


def test_an_alert_is_acknowledged_by_its_first_characters(asked: list[tuple[str, Any]]) -> None:
    assert vigil("ack", "ccc", "--reason", "seen_at_bedside", "--by", "RN") == "cccc3  acknowledged\n"
    assert asked == [("/alerts/cccc3/ack", {"reason": "seen_at_bedside", "by": "RN", "comment": ""})]


@pytest.mark.parametrize(
    ("begin", "sentence"),
    [("x", "no alert begins with x"), ("aa", "2 alerts begin with aa"), ("aabb2", "the alert is already resolved")],
)
def test_what_cannot_be_acknowledged_is_said_in_one_sentence(
    asked: list[tuple[str, Any]], begin: str, sentence: str
) -> None:
    with pytest.raises(CliError, match=sentence):
        vigil("ack", begin, "--reason", "seen_at_bedside")


def test_a_stack_that_is_down_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_ALERTING_HTTP_PORT", "9")
    with pytest.raises(CliError, match="start the stack with `vigil up`"):
        vigil("alerts")
