from pathlib import Path

import pytest

from services.common.blobs import BlobStore
from services.common.outcomes import Invalid


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(f"file://{tmp_path}/blobs")


def test_what_was_put_comes_back(store: BlobStore) -> None:
    blob = store.put(b"pixels", "application/dicom")
    assert (blob.size, blob.media_type) == (6, "application/dicom")
    assert store.get(blob) == b"pixels"


def test_the_same_content_is_kept_once(store: BlobStore, tmp_path: Path) -> None:
    assert store.put(b"pixels", "a/b").uri == store.put(b"pixels", "a/b").uri
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_half_written_file_is_written_again(store: BlobStore) -> None:
    blob = store.put(b"pixels", "a/b")
    Path(blob.uri.removeprefix("file://")).write_bytes(b"pix")
    assert store.get(store.put(b"pixels", "a/b")) == b"pixels"


def test_changed_content_is_refused(store: BlobStore) -> None:
    blob = store.put(b"pixels", "a/b")
    Path(blob.uri.removeprefix("file://")).write_bytes(b"PIXELS")
    with pytest.raises(Invalid, match="SHA-256"):
        store.get(blob)


def test_a_claim_check_cannot_point_outside_the_store(store: BlobStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    for uri in (f"file://{secret}", f"file://{tmp_path}/blobs/../secret", f"file://{tmp_path}/blobs-other/x"):
        blob = store.put(b"x", "a/b")
        blob.uri = uri
        with pytest.raises(Invalid, match="outside"):
            store.get(blob)


def test_a_missing_file_is_named_as_such(store: BlobStore) -> None:
    blob = store.put(b"pixels", "a/b")
    Path(blob.uri.removeprefix("file://")).unlink()
    with pytest.raises(Invalid, match="nothing"):
        store.get(blob)
