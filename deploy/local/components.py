"""What a local stack is made of: every process, its ports and how it tells that it is ready."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic_settings import BaseSettings

from deploy.local import kafka, triton
from deploy.local.errors import StackError
from deploy.local.settings import LocalSettings
from services.common.settings import ServiceSettings

SERVICES = ("note-ingest", "nlp-coder", "image-router", "fusion", "alerting")
NAMES = ("kafka", "triton", *SERVICES)


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port that a component listens on, and the setting that moves it."""

    number: int
    setting: str


@dataclass(frozen=True, slots=True)
class Component:
    """One supervised process. `command` prepares its files, and may raise StackError."""

    name: str
    command: Callable[[], Sequence[str]]
    ports: tuple[Port, ...]
    ready_url: str  # empty for Kafka, which answers by its own protocol
    environment: Mapping[str, str] = field(default_factory=dict)


def components(settings: LocalSettings) -> dict[str, Component]:
    """Every component by name, in the order they are started."""
    return {"kafka": _kafka(settings), "triton": _triton(settings)} | {
        name: _service(name, settings) for name in SERVICES
    }


def settings_class(service: str) -> type[ServiceSettings]:
    """The settings class in a service's `config` module. Raises StackError if there is none."""
    module = importlib.import_module(f"services.{_module(service)}.config")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, ServiceSettings) and value is not ServiceSettings:
            return value
    raise StackError(f"{module.__name__} defines no ServiceSettings.")


def _module(service: str) -> str:
    return service.replace("-", "_")


def _ports(settings: BaseSettings, prefix: str, begin: str = "") -> tuple[Port, ...]:
    names = [name for name in type(settings).model_fields if name.endswith("_port") and name.startswith(begin)]
    return tuple(Port(getattr(settings, name), f"{prefix}{name.upper()}") for name in names)


def _reachable(bind_host: str) -> str:
    """Where this machine reaches a server that listens on `bind_host`."""
    return "127.0.0.1" if bind_host in {"0.0.0.0", "::", ""} else bind_host  # noqa: S104 - compared, not bound


def _kafka(settings: LocalSettings) -> Component:
    return Component("kafka", lambda: kafka.prepare(settings), _ports(settings, "VIGIL_", "kafka_"), "")


def _triton(settings: LocalSettings) -> Component:
    return Component(
        "triton",
        lambda: triton.prepare(settings),
        _ports(settings, "VIGIL_", "triton_"),
        f"http://127.0.0.1:{settings.triton_http_port}/v2/health/ready",
        triton.environment(settings),
    )


def _service(name: str, shared: LocalSettings) -> Component:
    settings = settings_class(name)(shared=shared)
    prefix = str(type(settings).model_config.get("env_prefix"))
    return Component(
        name,
        lambda: [sys.executable, "-m", f"services.{_module(name)}"],
        _ports(settings, prefix),
        f"http://{_reachable(shared.bind_host)}:{settings.http_port}/readyz",
        {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
    )
