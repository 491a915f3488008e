"""`vigil alerts` and `vigil ack`: what is open, and saying that a person has seen it."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from cli.errors import CliError

TIMEOUT_S = 10.0
PAGE = 500
SEVERITIES = ("critical", "high", "medium", "low")
OPEN = ("firing", "acknowledged")

Alert = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(alerts)
    app.command()(ack)


def alerts(
    *,
    state: Annotated[
        str, typer.Option(help="Only these states, by commas, e.g. firing,acknowledged.", metavar="STATES")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="All fields, as GET /alerts gives them.")] = False,
) -> None:
    """Show the alerts: open ones first, the gravest on top.

    Example: vigil alerts --state firing
    """
    _require_states(state)
    found = sorted(_fetch(state), key=_urgency)
    if as_json:
        typer.echo(json.dumps({"alerts": found}))
        return
    for line in _lines(found):
        typer.echo(line)


def ack(
    alert: Annotated[
        str, typer.Argument(help="Id of the alert, or its first characters as `vigil alerts` shows them.")
    ],
    reason: Annotated[str, typer.Option(help="Why, e.g. seen_at_bedside, treatment_started, senior_called.")],
    by: Annotated[str, typer.Option(help="Your role or initials.")] = "",
    comment: Annotated[str, typer.Option(help="Anything else that others should know.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The alert as JSON.")] = False,
) -> None:
    """Acknowledge an alert.

    Example: vigil ack 5bc51d3f --reason seen_at_bedside --by RN
    """
    body = {"reason": reason, "by": by, "comment": comment}
    answer = _ask("POST", f"/alerts/{_full_id(alert)}/ack", json=body)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    done = answer["state"] == "acknowledged"
    typer.echo(f"{answer['id']}  {answer['state'] if done else 'written, and not applied yet'}")


def _require_states(states: str) -> None:
    from vigil.v1.alerts_pb2 import AlertState

    known = [name.removeprefix("ALERT_STATE_").lower() for name in AlertState.keys()[1:]]
    for state in filter(None, states.split(",")):
        if state.strip() not in known:
            raise typer.BadParameter(f"{state} is not one of {', '.join(known)}", param_hint="--state")


def _fetch(states: str = "") -> list[Alert]:
    found: list[Alert] = []
    after = ""
    while True:
        page = _ask("GET", "/alerts", params={"limit": PAGE, "state": states, "after": after})
        found += page["alerts"]
        after = page.get("next", "")
        if not after:
            return found


def _full_id(begin: str) -> str:
    matching = [alert["id"] for alert in _fetch() if alert["id"].startswith(begin)]
    if not matching:
        raise CliError(f"no alert begins with {begin}; `vigil alerts` shows those there are")
    if len(matching) > 1 and begin not in matching:
        raise CliError(f"{len(matching)} alerts begin with {begin}; give more characters")
    return begin if begin in matching else str(matching[0])


def _ask(method: str, path: str, **options: Any) -> dict[str, Any]:
    import httpx

    from services.alerting.config import AlertingSettings

    settings = AlertingSettings()
    host = "127.0.0.1" if settings.shared.bind_host == "0.0.0.0" else settings.shared.bind_host  # noqa: S104
    url = f"http://{host}:{settings.http_port}"
    try:
        answer = httpx.request(method, f"{url}{path}", timeout=TIMEOUT_S, **options)
    except httpx.TransportError:
        raise CliError(f"alerting does not answer at {url}; start the stack with `vigil up`") from None
    if answer.is_success:
        body: dict[str, Any] = answer.json()
        return body
    said = answer.json().get("error", "") if "json" in answer.headers.get("content-type", "") else ""
    raise CliError(said or f"alerting answered {answer.status_code}; see `vigil logs alerting`")


def _urgency(alert: Alert) -> tuple[bool, int, str]:
    return alert["state"] not in OPEN, SEVERITIES.index(alert["severity"]), alert["opened_at"] or ""


def _lines(found: list[Alert]) -> Iterator[str]:
    if not found:
        yield "no alerts"
    for alert in found:
        bed = f"{alert['ward']} {alert['bed']}".strip() or "?"
        yield f"{alert['id'][:8]}  {alert['severity']:<8}  {alert['state']:<12}  {bed:<8}  {alert['reason']}"
