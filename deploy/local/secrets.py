"""Secrets of one stack, made on its first start."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from deploy.local.errors import StackError
from services.common.settings import MIN_SECRET_BYTES


def make_patient_key(path: Path) -> None:
    """Make the secret of the patient keys (32 random bytes in hex), whole or not at all, for its owner alone.

    An existing one stays: a new secret would give every patient another key. Raises StackError for one that is not
    whole.
    """
    path.parent.mkdir(exist_ok=True, mode=0o700)
    if path.exists():
        _require_whole(path)
        return
    partial = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(partial, path)  # of two at once, the first stays
    partial.unlink()


def _require_whole(path: Path) -> None:
    if len(path.read_bytes().strip()) < MIN_SECRET_BYTES:
        raise StackError(
            f"{path} holds fewer than {MIN_SECRET_BYTES} bytes, so it was not written whole; put its secret back from "
            f"a copy (another one gives every patient another key), or delete it if this stack never received anything."
        )
