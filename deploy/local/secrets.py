"""Secrets of one stack, made on its first start."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def make_patient_key(path: Path) -> None:
    """Make the secret of the patient keys (32 random bytes in hex), whole or not at all, for its owner alone.

    An existing one stays: a new secret would give every patient another key.
    """
    path.parent.mkdir(exist_ok=True, mode=0o700)
    if path.exists():
        return
    partial = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(partial, path)  # of two at once, the first stays
    partial.unlink()
