"""One Kafka node: its storage, its configuration, its command line."""

import base64
import shlex
import shutil
import string
import subprocess
import uuid
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.java import java, kafka_jars
from deploy.local.settings import LocalSettings

HERE = Path(__file__).parent
# What formatting writes. A folder that holds nothing else never held a message.
FORMATTED_FILES = {"meta.properties", "bootstrap.checkpoint"}


def prepare(settings: LocalSettings) -> list[str]:
    """Make Kafka ready to start, and return its command line.

    Raises StackError without Java or jars, or when the data folder is damaged.
    """
    home = settings.data_dir / "kafka"
    home.mkdir(parents=True, exist_ok=True)
    runtime, jars = java(), kafka_jars(settings.cache_dir)
    command = [
        runtime,
        f"-Xmx{settings.kafka_heap_mb}m",
        *shlex.split(settings.kafka_java_options),
        "-Xlog:disable",  # the log is JSON; the machine's own warnings are not
        f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
        "-cp",
        f"{jars}/*",
    ]
    _format_once(home, command, settings)
    properties = home / "server.properties"
    properties.write_text(_properties(settings, home / "data"))
    return [*command, "kafka.Kafka", str(properties)]


def _properties(settings: LocalSettings, log_dir: Path) -> str:
    template = string.Template((HERE / "server.properties").read_text())
    return template.substitute(
        port=settings.kafka_port,
        controller_port=settings.kafka_controller_port,
        log_dir=log_dir,
    )


def _format_once(home: Path, command: list[str], settings: LocalSettings) -> None:
    """Format the storage beside its place and move it in, so that `data` is whole or absent."""
    data, partial = home / "data", home / "data.formatting"
    if _is_formatted(data):
        return
    shutil.rmtree(data, ignore_errors=True)
    shutil.rmtree(partial, ignore_errors=True)
    properties = home / "format.properties"
    properties.write_text(_properties(settings, partial))
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", f"--config={properties}"]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StackError(f"Kafka could not format {partial}: {said[-1] if said else done.returncode}")
    partial.rename(data)


def _is_formatted(data: Path) -> bool:
    """Whether `data` is whole; False when it is missing or half formatted and never held a message."""
    if not data.exists():
        return False
    meta = data / "meta.properties"
    if meta.is_file() and "cluster.id=" in meta.read_text(errors="replace"):
        return True
    if {entry.name for entry in data.iterdir()} <= FORMATTED_FILES | {".lock"}:
        return False
    raise StackError(
        f"{data} holds messages but its meta.properties is missing or damaged; "
        f"restore that file, or move the folder away to begin with an empty Kafka."
    )
