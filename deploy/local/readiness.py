"""Whether a component can do its work, and waiting until it can."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

from deploy.local.components import Component

PROBE_TIMEOUT_S = 4.0
BROKEN_MODEL = "model "  # begins the reason when Triton is up and a model is not


def why_not_ready(component: Component, bootstrap: str) -> str:
    """One short reason, or an empty string when the component is ready."""
    return _why_no_kafka(bootstrap) if not component.ready_url else _why_no_answer(component.ready_url)


def _why_no_kafka(bootstrap: str) -> str:
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=PROBE_TIMEOUT_S):
            return ""
    except OSError as error:
        return f"no connection to {bootstrap}: {error.strerror or error}"


def _why_no_answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT_S):  # noqa: S310 - a URL of ours
            return ""
    except urllib.error.HTTPError as error:
        return _reasons(error.read()) or _unloaded_models(url) or f"{url} answers {error.code}"
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return f"no answer at {url}: {getattr(reason, 'strerror', None) or reason}"


def _reasons(body: bytes) -> str:
    """The reasons in a service's /readyz answer."""
    try:
        said: Any = json.loads(body)
    except ValueError:
        return ""
    reasons = said.get("reasons") if isinstance(said, dict) else None
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) if isinstance(reasons, dict) else ""


def _unloaded_models(ready_url: str) -> str:
    """What Triton says about models that are not available; empty for anything but Triton."""
    if not ready_url.endswith("/v2/health/ready"):
        return ""
    index = ready_url.replace("/v2/health/ready", "/v2/repository/index")
    request = urllib.request.Request(index, method="POST")  # noqa: S310 - a URL of ours
    try:
        with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S) as answer:  # noqa: S310
            models = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    bad = [model for model in models if model.get("state") != "READY"]
    return "; ".join(
        f"{BROKEN_MODEL}{model['name']}: {_first_line(model.get('reason') or model.get('state', 'not loaded'))}"
        for model in bad
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")


def wait_until(pending: Callable[[], Iterable[str]], timeout_s: float, show: Callable[[list[str]], None]) -> list[str]:
    """Poll `pending` until it is empty; returns what is still pending after `timeout_s` seconds.

    `show` is called with what is pending after every look. Whatever `pending` raises ends the wait.
    """

    def look() -> list[str]:
        waiting = list(pending())
        show(waiting)
        return waiting

    retrying = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_delay(timeout_s),
        wait=wait_exponential(multiplier=0.05, max=0.5),
    )
    try:
        return retrying(look)
    except RetryError as error:
        return list(error.last_attempt.result())
