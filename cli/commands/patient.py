"""`vigil patient`: what is known of one patient now."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from cli.errors import CliError

TIMEOUT_S = 10.0
MINUTE_S = 60
HOUR_S = 3600


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(patient)


def patient(
    key: Annotated[str, typer.Argument(help="Patient key, 32 hex digits, as alerts and messages show it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The whole state as JSON.")] = False,
) -> None:
    """Show a patient's state: place, scores with their inputs and ages by now, risks, syndromes, critical findings.

    Example: vigil patient 3f9a0c61d7e84b52a1c0ffee12345678
    """
    state = _fetch(key)
    typer.echo(json.dumps(state) if as_json else "\n".join(_lines(state)))


def _fetch(key: str) -> dict[str, Any]:
    import httpx

    from services.fusion.config import FusionSettings

    settings = FusionSettings()
    host = "127.0.0.1" if settings.shared.bind_host == "0.0.0.0" else settings.shared.bind_host  # noqa: S104
    url = f"http://{host}:{settings.http_port}"
    try:
        answer = httpx.get(f"{url}/patients/{key}", timeout=TIMEOUT_S)
    except httpx.TransportError:
        raise CliError(f"fusion does not answer at {url}; start the stack with `vigil up`") from None
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise CliError("no patient has this key; `vigil tail patient-risk --from-beginning` shows the keys there are")
    if answer.status_code != httpx.codes.OK:
        raise CliError(f"fusion answered {answer.status_code}; see `vigil logs fusion`")
    state: dict[str, Any] = answer.json()
    return state


def _lines(state: dict[str, Any]) -> Iterator[str]:
    risk = state["risk"]
    status = risk["encounter_status"].removeprefix("ENCOUNTER_STATUS_").replace("_", " ").lower()
    place = f"{risk['ward']} bed {risk['bed']}" if risk["ward"] or risk["bed"] else "place not known"
    yield f"{state['patient_key']}  {place}, {status}, as of {risk['as_of']}, {_span(state['as_of_age_s'])} ago"
    for score in risk["scores"]:
        yield from _score_lines(score, state["input_ages_now_s"])
    for estimate in risk["estimates"]:
        yield from _risk_lines(estimate)
    for syndrome in risk["syndromes"]:
        yield f"! {syndrome['sentence']}  [{syndrome['basis']}]"
    for finding in risk["critical_findings"]:
        yield f"! {finding['sentence']}"
    counts = ((len(state[kind]), kind) for kind in ("observations", "notes", "images"))
    yield ", ".join(f"{count} {kind}" for count, kind in counts) + f", revision {state['revision']}"


def _score_lines(score: dict[str, Any], ages: dict[str, float]) -> Iterator[str]:
    if score["abstained"]:
        yield f"{score['name']}  does not apply: {score['abstained']}"
        return
    spread = f", could be {score['lowest']} to {score['highest']}" if score["partial"] else ""
    yield f"{score['name']}  {score['total']} {score['band'].replace('_', '-')}{spread}"
    for part in score["components"]:
        shown = f"missing: {part['missing_reason']}" if part["missing"] else part["value"]
        measured = part["value"].split(" ")[0] if part["value"].split(" ")[0] in ages else part["name"]
        age = "" if part["missing"] else f"  {_span(ages.get(measured, 0.0))} old"
        yield f"  {part['points']}  {part['name']:<14} {shown}{age}"


def _risk_lines(estimate: dict[str, Any]) -> Iterator[str]:
    if "probability" not in estimate:
        because = estimate["abstained"] or estimate["degraded_reason"] or "not asked yet"
        yield f"{estimate['name']}  {'does not apply' if estimate['abstained'] else 'no model'}: {because}"
        return
    alarm = f", alarm from {estimate['operating_point']:.1%}" if estimate["alarm"] else ""
    yield f"{estimate['name']}  {estimate['probability']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%}){alarm}"
    for driver in estimate["drivers"]:
        yield f"  {driver['weight']:+.2f}  {driver['sentence']}"


def _span(seconds: float) -> str:
    if seconds < HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.1f} h"
