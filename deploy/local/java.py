"""The Java and Maven of this machine, and Kafka's jars."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import StackError

POM = Path(__file__).with_name("pom.xml")
MIN_JAVA = 17  # Kafka 4 brokers
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


def java() -> str:
    """Path of a Java of at least version 17, from JAVA_HOME or PATH. Raises StackError if there is none."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise StackError(f"Kafka needs Java {MIN_JAVA} or newer and there is none {where}; install it and try again.")
    version = _java_version(found)
    if version < MIN_JAVA:
        raise StackError(
            f"Kafka needs Java {MIN_JAVA} or newer and {found} is {version}; install it or set JAVA_HOME to it."
        )
    return found


def _java_version(path: str) -> int:
    """Feature release, e.g. 17; 8 for "1.8.0"."""
    said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    if match is None:
        raise StackError(f"{path} does not say its version; set JAVA_HOME to a Java {MIN_JAVA} or newer.")
    return int(match.group(1))


def kafka_jars(cache_dir: Path) -> Path:
    """Folder of Kafka's jars, downloaded by Maven the first time.

    The folder appears complete or not at all, however many stacks ask at once.
    Raises StackError without Maven, or when it cannot download.
    """
    pom = POM.read_bytes()
    version = re.search(rb"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)", pom)
    if version is None:
        raise StackError(f"{POM} names no version of kafka_2.13.")
    jars = cache_dir / f"kafka-{version.group(1).decode()}-{hashlib.sha256(pom).hexdigest()[:8]}"
    if jars.is_dir():
        return jars
    cache_dir.mkdir(parents=True, exist_ok=True)
    with locked(cache_dir / "kafka.lock"):
        if not jars.is_dir():
            _download(jars)
    return jars


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; waits for its holder, and ends with this process at the latest."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(jars: Path) -> None:
    """Have Maven copy the jars beside their place, then move them in."""
    maven = shutil.which("mvn")
    if maven is None:
        raise StackError("Kafka is downloaded by Maven and there is no mvn on the PATH; install Maven and try again.")
    with tempfile.TemporaryDirectory(prefix="download-", dir=jars.parent) as partial:
        output = Path(partial) / "jars"
        command = [maven, "-q", "-B", "-f", str(POM), COPY_DEPENDENCIES, f"-DoutputDirectory={output}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not output.is_dir():
            said = next((line for line in done.stdout.splitlines() if "ERROR" in line), f"exit {done.returncode}")
            raise StackError(f"Maven could not download Kafka: {said.strip()}")
        output.rename(jars)
