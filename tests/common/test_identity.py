import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.identity import (
    NAMESPACE,
    PatientKeys,
    authority_of,
    canonical_aliases,
    load_patient_keys,
    message_id,
)
from services.common.settings import SharedSettings
from services.common.startup import CannotStart

SECRET = b"a secret of the tests"


@given(st.lists(st.text(max_size=20), max_size=3))
def test_a_message_id_is_the_uuid_of_what_caused_it(parts: list[str]) -> None:
    parts = [part.encode("utf-8", "ignore").decode() for part in parts]
    assert message_id(*parts) == str(uuid.uuid5(NAMESPACE, "\x1f".join(parts)))


def test_the_same_cause_gives_the_same_id() -> None:
    assert message_id("coded", "a") == message_id("coded", "a")
    assert message_id("coded", "a") != message_id("risk", "a")


def test_parts_do_not_run_into_each_other() -> None:
    assert message_id("ab", "c") != message_id("a", "bc")


@given(st.text(), st.text(min_size=1))
def test_a_key_is_32_hex_digits_that_do_not_hold_the_identifier(authority: str, identifier: str) -> None:
    key = PatientKeys(SECRET).key(authority, identifier)
    assert key == "" if not identifier.strip() else len(key) == 32
    assert set(key) <= set("0123456789abcdef")


def test_another_secret_gives_another_key() -> None:
    assert PatientKeys(SECRET).key("A", "1") != PatientKeys(SECRET + b"!").key("A", "1")


def test_case_and_outer_blanks_do_not_make_another_patient() -> None:
    assert PatientKeys(SECRET).key("hosp", " mrn1 ") == PatientKeys(SECRET).key("HOSP", "MRN1")


@pytest.mark.parametrize("stated", ["urn:oid:1.2.3", "1.2.3", "URN:OID:1.2.3", " 1.2.3 "])
def test_an_oid_is_one_authority_however_it_is_written(stated: str) -> None:
    assert authority_of(stated, {}, "VIGIL") == "URN:OID:1.2.3"
    assert authority_of(stated, canonical_aliases({"1.2.3": "ward"}), "VIGIL") == "WARD"
    assert authority_of("Ward", canonical_aliases({"WARD": stated}), "VIGIL") == "URN:OID:1.2.3"


@pytest.mark.parametrize(("stated", "name"), [("ward", "WARD"), ("1.2.x", "1.2.X"), ("3", "3"), (" ", "VIGIL")])
def test_what_is_no_oid_is_a_name_and_nothing_is_the_default(stated: str, name: str) -> None:
    assert authority_of(stated, {}, "Vigil") == name


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        PatientKeys(b"short")


@pytest.mark.parametrize(
    ("held", "why"), [(None, "no patient key secret"), (b"", "fewer than 16 bytes"), (b"ab\n", "fewer")]
)
def test_a_secret_that_is_missing_or_not_whole_is_said_with_its_file(
    tmp_path: Path, held: bytes | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIGIL_PATIENT_KEY_SECRET", raising=False)
    settings = SharedSettings(_env_file=None, data_dir=tmp_path)
    if held is not None:
        settings.patient_key_file.parent.mkdir()
        settings.patient_key_file.write_bytes(held)
    with pytest.raises(CannotStart, match=why) as raised:
        load_patient_keys(settings)
    assert str(settings.patient_key_file) in str(raised.value)
