import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]

from cli.commands.send import Kind, find_files, messages_of, send
from cli.errors import CliError
from cli.senders import FhirAnswer, MllpClient, SendError, StoreAnswer, c_store, parse_ack

ACK = b"\x0bMSH|^~\\&|V|H|A|B|20261123||ACK|1|P|2.5\rMSA|AA|%s|\r\x1c\r"


async def server(handler: Any) -> Any:
    listening = await asyncio.start_server(handler, "127.0.0.1", 0)
    return listening, listening.sockets[0].getsockname()[1]


async def test_a_client_keeps_its_connection_and_matches_answers_in_order() -> None:
    connections = 0

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while frame := await reader.readuntil(b"\x1c\r"):
            writer.write(ACK % frame[1:-2])

    listening, port = await server(echo)
    async with MllpClient("127.0.0.1", port) as client:
        acks = await asyncio.gather(*(client.send(f"M{n}".encode()) for n in range(50)))
    assert [ack.control_id for ack in acks] == [f"M{n}" for n in range(50)]
    assert connections == 1
    listening.close()


async def test_a_client_sends_again_on_a_new_connection_when_asked_to() -> None:
    attempts = 0

    async def break_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        frame = await reader.readuntil(b"\x1c\r")
        if attempts > 1:
            writer.write(ACK % frame[1:-2])
            await writer.drain()
        writer.close()

    listening, port = await server(break_once)
    async with MllpClient("127.0.0.1", port, retry_delay_s=0.01) as client:
        with pytest.raises(SendError, match="closed the connection before it answered"):
            await client.send(b"M1")
        attempts = 0
        assert (await client.send(b"M1", retries=2)).accepted
    listening.close()


async def test_a_receiver_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    async with MllpClient("127.0.0.1", unused_tcp_port) as client:
        with pytest.raises(SendError, match=f"cannot reach 127.0.0.1:{unused_tcp_port}"):
            await client.send(b"M1")


async def test_a_receiver_that_does_not_answer_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    listening, port = await server(silent)
    async with MllpClient("127.0.0.1", port, timeout_s=0.1) as client:
        with pytest.raises(SendError, match="no answer"):
            await client.send(b"M1")
    listening.close()


def test_an_acknowledgement_is_read_with_its_reason() -> None:
    ack = parse_ack(b"MSH|^~\\&|V\rMSA|AE|C1\rERR||PID^1^3|101|E||||a\\S\\b\r")
    assert (ack.code, ack.control_id, ack.text, ack.accepted) == ("AE", "C1", "a^b", False)
    with pytest.raises(SendError):
        parse_ack(b"HTTP/1.1 400 Bad Request")


def test_a_batch_with_a_refused_entry_is_not_accepted() -> None:
    entries = [{"response": {"status": "201"}}, {"response": {"status": "422"}}]
    assert not FhirAnswer(200, "", {"entry": entries}).accepted
    assert FhirAnswer(200, "", {"entry": entries[:1]}).accepted
    assert not FhirAnswer(503, "", {}).accepted


def test_a_warning_of_a_store_is_stored() -> None:
    assert StoreAnswer("x", "1", 0xB000, "").accepted
    assert not StoreAnswer("x", "1", 0xA700, "").accepted
    assert not StoreAnswer("x", "1", None, "").accepted


def test_files_are_found_by_kind_in_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/2.hl7", "a/1.HL7", "b.json", "c.dcm", "notes.md"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "IM0").write_bytes(bytes(128) + b"DICM")
    found = [(path.name, kind) for path, kind in find_files([tmp_path])]
    assert found == [
        ("IM0", Kind.DICOM),
        ("1.HL7", Kind.HL7),
        ("2.hl7", Kind.HL7),
        ("b.json", Kind.FHIR),
        ("c.dcm", Kind.DICOM),
    ]
    with pytest.raises(CliError, match=r"notes\.md"):
        list(find_files([tmp_path / "notes.md"]))
    with pytest.raises(CliError, match="does not exist"):
        list(find_files([tmp_path / "none"]))


def test_a_file_may_hold_several_messages_or_a_batch() -> None:
    assert messages_of(b"\xef\xbb\xbfMSH|1\nPID|1\n\nMSH|2\n") == [b"MSH|1\rPID|1\r", b"MSH|2\r"]
    assert messages_of(b"FHS|x\rBHS|x\rMSH|1\rBTS|1\rFTS|1\r") == [b"MSH|1\r"]
    assert messages_of(b"MSH|1\nOBX|1|TX|||one\ntwo\n") == [b"MSH|1\rOBX|1|TX|||one\rtwo\r"]
    assert messages_of(b"nonsense") == [b"nonsense\r"]


@pytest.fixture
def scp(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A DICOM SCP that stores CT and refuses what is from this test's bad series."""
    # image-router switches this on for its whole process, which is also that of its tests.
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", False)

    def store(event: Any) -> int:
        return 0xA700 if event.dataset.SeriesInstanceUID == "1.2.3" else 0x0000

    entity = AE(ae_title="VIGIL")
    entity.add_supported_context(CTImageStorage, ALL_TRANSFER_SYNTAXES)
    listening = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert listening is not None
    yield listening.server_address[1]
    listening.shutdown()


async def test_images_are_stored_and_each_has_its_own_answer(scp: int) -> None:
    path = Path(str(get_testdata_file("CT_small.dcm")))
    refused, foreign = dcmread(path), dcmread(str(get_testdata_file("MR_small.dcm")))
    refused.SeriesInstanceUID = "1.2.3"
    answers = await c_store([path, refused, foreign], "127.0.0.1", scp)
    assert [answer.status for answer in answers] == [0x0000, 0xA700, None]
    assert [answer.accepted for answer in answers] == [True, False, False]
    assert answers[0].name == "CT_small.dcm"
    assert answers[2].text


async def test_without_an_association_every_image_is_told_so(unused_tcp_port: int) -> None:
    [answer] = await c_store([dcmread(str(get_testdata_file("CT_small.dcm")))], "127.0.0.1", unused_tcp_port)
    assert not answer.accepted
    assert answer.text == f"no association with VIGIL at 127.0.0.1:{unused_tcp_port}"


@pytest.mark.parametrize("missing", ["SOPClassUID", "SOPInstanceUID", "TransferSyntaxUID"])
async def test_an_image_without_a_uid_that_the_protocol_needs_is_named_and_hides_no_other(
    missing: str, scp: int, tmp_path: Path
) -> None:
    good = Path(str(get_testdata_file("CT_small.dcm")))
    dataset = dcmread(good)
    delattr(dataset.file_meta if missing == "TransferSyntaxUID" else dataset, missing)
    bad, no_dicom = tmp_path / "bad.dcm", tmp_path / "none.dcm"
    dataset.save_as(bad, implicit_vr=False, little_endian=True)
    no_dicom.write_bytes(b"x")
    answers = await c_store([bad, good, no_dicom], "127.0.0.1", scp)
    assert [(answer.name, answer.accepted) for answer in answers] == [
        ("bad.dcm", False),
        ("CT_small.dcm", True),
        ("none.dcm", False),
    ]
    assert (answers[0].text, answers[2].text) == (
        f"not sent: it has no valid {missing}",
        "not sent: this is no DICOM file",
    )


def test_messages_are_counted_and_one_refusal_is_exit_code_1(
    tmp_path: Path, scp: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "three.hl7").write_bytes(b"MSH|1\rMSH|2\rMSH|3\r")
    (tmp_path / "none.dcm").write_bytes(b"x")

    async def run() -> int:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError):
                while frame := await reader.readuntil(b"\x1c\r"):
                    writer.write(ACK % frame[1:-2])
            writer.close()

        listening, port = await server(accept)
        with pytest.raises(typer.Exit) as exit_:
            await asyncio.to_thread(send, [tmp_path], mllp_port=port, dicom_port=scp)
        listening.close()
        return exit_.value.exit_code

    assert asyncio.run(run()) == 1
    assert capsys.readouterr().out.endswith("2 files: 3 accepted, 1 refused\n")
