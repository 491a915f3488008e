from typing import Any

import hl7 as python_hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.note_ingest.hl7v2.er7 import Message, Segment, read
from services.note_ingest.refusals import Refused


def first(message: Message, name: str) -> Segment:
    segment = message.first(name)
    assert segment is not None
    return segment


HEADER = r"MSH|^~\&|A|B|C|D|20260101||ADT^A01|1|P|2.5"


def test_fields_components_and_repetitions_are_numbered_as_in_the_standard() -> None:
    message = read((HEADER + "\rPID|1||A^^^W^MR~B&C^D\r").encode())
    pid = first(message, "PID")
    assert message.header.text(1) == "|"
    assert message.header.text(9, 2) == "A01"
    assert pid.text(3, 4) == "W"
    assert pid.repetitions(3) == ["A^^^W^MR", "B&C^D"]
    assert pid.part("B&C^D", 1, 2) == "C"
    assert pid.text(40) == ""


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_segments_may_end_with_any_line_end(end: str) -> None:
    message = read(f"{HEADER}{end}PID|1||A{end}PV1|1|I{end}".encode())
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "PV1"]


def test_a_line_that_begins_no_segment_goes_on_with_the_text_before() -> None:
    message = read((HEADER + "\rOBX|1|TX|||first line\nsecond line\rOBX|2|TX|||x\r").encode())
    assert first(message, "OBX").whole(5) == "first line\nsecond line"


NOTE_LINES = "Seen today.\nHPI\nShort of breath with pneumonia.\nPMH|COPD\nROS|\nCXR\n\nPV1\nClear."


@pytest.mark.parametrize("kind", ["TX", "FT", "ST", "ED"])
@pytest.mark.parametrize("after", ["", "||||||F", "|||A|||F|||20261123"])
@pytest.mark.parametrize("before", ["", "||||||F"])
def test_no_line_of_a_note_is_lost_even_one_that_looks_like_a_segment(kind: str, after: str, before: str) -> None:
    first_line, rest = NOTE_LINES.split("\n", 1)
    body = f"{HEADER}\rOBX|1|{kind}|||{first_line}{before}\n{rest}{after if not before else ''}\n\nZAB|1\nNTE|1||n\n"
    message = read(body.encode())
    assert [segment.name for segment in message.segments] == ["MSH", "OBX", "ZAB", "NTE"]
    obx = first(message, "OBX")
    assert obx.whole(5) == NOTE_LINES
    assert obx.text(11) == ("F" if before or after else "")


def test_a_table_in_a_note_is_text() -> None:
    message = read((HEADER + "\rOBX|1|TX|||Labs:\nNa | 140 | K | 4.0 | Cl | 100 | F\nNa|140|K|4.0|Cl|100|F\r").encode())
    assert first(message, "OBX").whole(5).splitlines()[1:] == [
        "Na | 140 | K | 4.0 | Cl | 100 | F",
        "Na|140|K|4.0|Cl|100|F",
    ]


@pytest.mark.parametrize("line", ["EVN", "XYZ|1|what a neighbour made up", "PV1"])
def test_below_what_is_no_text_a_segment_without_content_or_name_spoils_nothing(line: str) -> None:
    message = read(f"{HEADER}\rOBX|1|NM|8867-4||80|/min|||||F\r{line}\r".encode())
    assert (len(message.segments), first(message, "OBX").text(11)) == (3, "F")


def test_the_senders_own_separators_are_used() -> None:
    message = read(b"MSH#*!?%#A#B#C#D###ADT*A01#1#P#2.5\rPID#1##A***W!B\r")
    assert message.header.text(9, 2) == "A01"
    assert first(message, "PID").text(3, 4) == "W"
    assert first(message, "PID").repetitions(3) == ["A***W", "B"]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"line\.br\next\.sp2\third", "line\nnext\n\nthird"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"caf\XC3A9\ ", "café "),
        (r"50 \ 100", r"50 \ 100"),
        (r"C:\Users\name", r"C:\Users\name"),
        (r"\Zlocal\x", r"\Zlocal\x"),
    ],
)
def test_escapes_are_resolved_and_what_is_none_stays(sent: Any, meant: Any) -> None:
    message = read(f"{HEADER}\rOBX|1|TX|||{sent}\r".encode())
    assert first(message, "OBX").whole(5) == meant


@pytest.mark.parametrize(
    ("stated", "codec"), [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("8859/15", "iso8859-15"), ("", "cp1252")]
)
def test_the_character_set_of_msh_18_is_used(stated: str, codec: str) -> None:
    body = f"{HEADER}|||||| {stated}\rOBX|1|TX|||Müller\r".replace("|| ", "||").encode(codec)
    assert first(read(body), "OBX").text(5) == "Müller"


def test_a_character_set_that_is_not_true_is_refused_at_msh_18() -> None:
    with pytest.raises(Refused) as refused:
        read(f"{HEADER}||||||UNICODE UTF-8\rOBX|1|TX|||Müller\r".encode("latin-1"))
    assert refused.value.location == "MSH^1^18"


@pytest.mark.parametrize("body", [b"", b"MSH", b"PID|1\r", b"MSH|^^^^|x\r", b"\xff\xfe\x00", b"MSH\rPID|1||A"])
def test_what_is_no_hl7_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        read(body)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tail: bytes) -> None:
    for body in (tail, HEADER.encode() + b"\r" + tail):
        try:
            message = read(body)
        except Refused:
            continue
        for segment in message.segments:
            for number in range(len(segment.fields) + 1):
                segment.text(number, 2, 2)
                segment.whole(number)


text = st.text(st.characters(blacklist_characters="|^~\\&\r\n", blacklist_categories=["C", "Z"]), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(st.lists(text, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=5))
def test_it_reads_as_python_hl7_does(fields: list[list[list[str]]]) -> None:
    line = "ZZZ|" + "|".join("~".join("^".join(components) for components in field) for field in fields)
    body = f"{HEADER}\r{line}\r"
    ours, theirs = first(read(body.encode()), "ZZZ"), python_hl7.parse(body).segment("ZZZ")
    for number, field in enumerate(fields, start=1):
        assert ours.raw(number) == str(theirs[number]) or ours.raw(number) == ""
        for index, components in enumerate(field):
            for place, component in enumerate(components, start=1):
                repetitions = ours.repetitions(number)
                got = ours.part(repetitions[index], place) if repetitions else ""
                assert got == component.strip()
