"""Looks for what may not be seen."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def leaks(secrets: Iterable[str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where a secret is seen. Case does not matter."""
    together: dict[str, list[bytes]] = {}
    for place, content in places:
        together.setdefault(place, []).append(content.lower())
    contents = {place: b"\n".join(parts) for place, parts in together.items()}
    wanted = [secret.lower().encode() for secret in secrets]
    found = ((place, secret, content.find(secret)) for place, content in contents.items() for secret in wanted)
    return [f"{place}: {contents[place][max(0, at - 60) : at + 60]!r}" for place, _, at in found if at >= 0][:20]


def logs_and_names(data_dir: Path) -> Iterator[tuple[str, bytes]]:
    """Every log of a stack, and the names of all its files."""
    for path in sorted((data_dir / "logs").iterdir()):
        yield f"log {path.name}", path.read_bytes()
    names = [name for folder, folders, files in os.walk(data_dir) for name in (folder, *folders, *files)]
    yield "names of files", "\n".join(names).encode()
