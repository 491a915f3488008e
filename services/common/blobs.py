"""Claim checks: pixels lie in a blob store, and Kafka carries where and what they are."""

import hashlib
import os
import posixpath
import uuid
from pathlib import PurePosixPath

import fsspec
from vigil.v1.meta_pb2 import Blob

from services.common.outcomes import Invalid, Transient


class BlobStore:
    """Content-addressed files under an fsspec location (`file:///data/blobs`, `s3://bucket/blobs`).

    The same content is stored once. All methods block: call them from a thread.
    """

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._is_local = "file" in self._fs.protocol

    def put(self, content: bytes, media_type: str) -> Blob:
        """Store and return the claim check; on local disks the content is fsynced before this returns.

        Raises Transient when the store does not take it.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = str(PurePosixPath(self._root) / digest[:2] / digest)
        try:
            if not (self._fs.exists(path) and self._fs.size(path) == len(content)):
                self._write(path, content)
        except OSError as error:
            raise Transient(f"the blob store did not take {len(content)} bytes: {type(error).__name__}") from error
        return Blob(uri=self._fs.unstrip_protocol(path), sha256=digest, size=len(content), media_type=media_type)

    def get(self, blob: Blob) -> bytes:
        """The content. Raises Invalid when it is not what the claim check says, Transient when it cannot be read."""
        path = self._fs._strip_protocol(blob.uri)  # noqa: SLF001 - fsspec's way from a URI to a path
        if not posixpath.normpath(path).startswith(f"{self._root.rstrip('/')}/"):
            raise Invalid("the claim check points outside the blob store")
        try:
            content = self._fs.cat_file(path)
        except FileNotFoundError as error:
            raise Invalid("the claim check points to nothing") from error
        except OSError as error:
            raise Transient(f"the blob store did not answer: {type(error).__name__}") from error
        if hashlib.sha256(content).hexdigest() != blob.sha256:
            raise Invalid("the stored content does not have the SHA-256 of its claim check")
        return bytes(content)

    def _write(self, path: str, content: bytes) -> None:
        self._fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        partial = f"{path}.{uuid.uuid4().hex}.partial"
        with self._fs.open(partial, "wb") as file:
            file.write(content)
            file.flush()
            if self._is_local:  # an object store has no descriptor, and stores when the file is closed
                os.fsync(file.fileno())
        self._fs.mv(partial, path)
        if self._is_local:  # the new name must survive a power cut as well as the content
            folder = os.open(PurePosixPath(path).parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
