from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.note_ingest.mllp_frames import Frame, Framer, FrameState

NOW = datetime(2026, 11, 23, tzinfo=UTC)
bodies = st.lists(
    st.binary(max_size=50).map(lambda b: b"MSH|" + b.replace(b"\x1c", b"").replace(b"\x0b", b"")), max_size=5
)


@settings(deadline=None)
@given(bodies, st.lists(st.integers(1, 7), min_size=1), st.binary(max_size=5).map(lambda b: b.replace(b"\x0b", b"")))
def test_frames_are_found_wherever_they_are_broken_and_whatever_lies_between(
    sent: Any, cuts: list[int], between: bytes
) -> None:
    stream = b"".join(between + b"\x0b" + body + b"\x1c\r" for body in sent)
    framer, at, turn = Framer(1000), 0, 0
    got: list[Frame] = []
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        got += framer.feed(stream[at : at + step], NOW)
        at, turn = at + step, turn + 1
    assert [frame.body for frame in got] == sent
    assert all(frame.state is FrameState.WHOLE for frame in got)


def test_several_messages_in_one_segment_are_several_frames() -> None:
    got = list(Framer(100).feed(b"\x0bone\x1c\r\x0btwo\x1c\r\n\x0bthree\x1c\r", NOW))
    assert [frame.body for frame in got] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("end", [b"\x1c\r", b"\x1c\n", b"\x1c\r\n", b"\x1c"])
@pytest.mark.parametrize("step", [1, 2, 3, 100])
def test_an_end_mark_may_lack_its_line_end_before_the_next_frame(end: bytes, step: int) -> None:
    stream = b"\x0bMSH|one" + end + b"\x0bMSH|two\x1cthree" + end
    framer = Framer(100)
    got = [frame for at in range(0, len(stream), step) for frame in framer.feed(stream[at : at + step], NOW)]
    got += framer.paused()
    assert [(frame.body, frame.state) for frame in got] == [
        (b"MSH|one", FrameState.WHOLE),
        (b"MSH|two\x1cthree", FrameState.WHOLE),
    ]
    assert (framer.garbage, framer.inside, list(framer.paused())) == (0, False, [])


def test_a_pause_ends_nothing_that_does_not_end_with_a_mark() -> None:
    framer = Framer(100)
    assert list(framer.feed(b"\x0bMSH|one\x1c", NOW)) == []
    assert framer.may_have_ended
    assert list(framer.feed(b"more", NOW)) == []
    assert (framer.may_have_ended, list(framer.paused())) == (False, [])


def test_a_frame_that_another_one_cuts_off_is_told_and_the_other_is_whole() -> None:
    got = list(Framer(100).feed(b"\x0bMSH|half\x0bMSH|whole\x1c\r", NOW))
    assert [(frame.body, frame.state) for frame in got] == [
        (b"MSH|half", FrameState.CUT_OFF),
        (b"MSH|whole", FrameState.WHOLE),
    ]


def test_a_frame_that_is_too_large_keeps_its_head_and_the_next_is_whole() -> None:
    framer = Framer(5000)
    got = [frame for _ in range(100) for frame in framer.feed((b"\x0bMSH|" if _ == 0 else b"") + b"x" * 1000, NOW)]
    assert got == []
    assert len(framer._buffer) < 8000
    got = list(framer.feed(b"\x1c\r\x0bnext\x1c\r", NOW))
    assert [(frame.body[:4], frame.state) for frame in got] == [
        (b"MSH|", FrameState.TOO_LARGE),
        (b"next", FrameState.WHOLE),
    ]


def test_bytes_between_frames_are_counted() -> None:
    framer = Framer(100)
    list(framer.feed(b"GET / HTTP/1.1\r\n\x0bone\x1c\rxx", NOW))
    assert framer.garbage == len("GET / HTTP/1.1") + 2


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=10))
def test_no_bytes_break_the_framer(chunks: list[bytes]) -> None:
    framer = Framer(64)
    for chunk in chunks:
        list(framer.feed(chunk, NOW))
    ending = list(framer.feed(b"\x1c\r\x0bMSH|last\x1c\r", NOW))
    assert ending[-1].body == b"MSH|last"
