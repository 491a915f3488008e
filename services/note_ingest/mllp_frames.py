"""MLLP framing: 0x0B message 0x1C 0x0D, broken anywhere, with anything between frames."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

START, END = 0x0B, 0x1C
# The end mark, also with the other line end, or without one before the next frame. 0x1C before anything else is text.
END_MARK = re.compile(rb"\x1c(?:[\r\n]|(?=\x0b))")
HEAD_BYTES = 4096  # of a frame that is too large: enough for its MSH


class FrameState(Enum):
    """How a frame ended."""

    WHOLE = auto()
    CUT_OFF = auto()
    TOO_LARGE = auto()


@dataclass(frozen=True, slots=True)
class Frame:
    """body: without marks; of a frame that is too large only its head. arrived: when its first byte came."""

    body: bytes
    arrived: datetime
    state: FrameState = FrameState.WHOLE


@dataclass(slots=True)
class Framer:
    """Takes bytes as they come, gives frames as they end. `garbage` counts the bytes between frames.

    A frame ends with 0x1C and CR, LF or the next 0x0B, or with 0x1C alone when its sender then pauses (`paused`). One
    that is followed by 0x0B "MSH" before that was cut off by its sender.
    """

    max_bytes: int
    garbage: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _arrived: datetime | None = None
    _searched: int = 0
    _too_large: bool = False

    def feed(self, data: bytes, now: datetime) -> Iterator[Frame]:
        """Every frame that `data` completes, in order."""
        self._buffer += data
        while True:
            if self._arrived is None and not self._enter(now):
                return
            frame = self._next_frame()
            if frame is None:
                return
            yield frame

    @property
    def inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._arrived is not None

    @property
    def may_have_ended(self) -> bool:
        """Whether the last byte of the frame so far is 0x1C: a pause will tell."""
        return self.inside and self._buffer.endswith(bytes([END]))

    def paused(self) -> Iterator[Frame]:
        """The frame that has ended if its sender sends nothing more."""
        if self.may_have_ended:
            yield self._leave(len(self._buffer) - 1, len(self._buffer), FrameState.WHOLE)

    def _enter(self, now: datetime) -> bool:
        start = self._buffer.find(START)
        skipped = len(self._buffer) if start < 0 else start
        self.garbage += sum(byte not in b"\r\n" for byte in self._buffer[:skipped])
        del self._buffer[: skipped + (start >= 0)]
        if start < 0:
            return False
        self._arrived, self._searched, self._too_large = now, 0, False
        return True

    def _next_frame(self) -> Frame | None:
        end = END_MARK.search(self._buffer, self._searched)
        restart = self._buffer.find(b"\x0bMSH", self._searched, end.start() if end else len(self._buffer))
        if restart >= 0:
            return self._leave(restart, restart, FrameState.CUT_OFF)
        if end:
            return self._leave(end.start(), end.end(), FrameState.WHOLE)
        if len(self._buffer) > self.max_bytes:
            self._too_large = True
            # Only the head is kept, and the last bytes, which may be half of a mark.
            del self._buffer[min(HEAD_BYTES, self.max_bytes) : -3]
        self._searched = max(0, len(self._buffer) - 3)
        return None

    def _leave(self, length: int, used: int, state: FrameState) -> Frame:
        arrived = self._arrived
        assert arrived is not None
        too_large = self._too_large or length > self.max_bytes
        body = bytes(self._buffer[: min(length, HEAD_BYTES) if too_large else length])
        del self._buffer[:used]
        self._arrived = None
        return Frame(body, arrived, FrameState.TOO_LARGE if too_large else state)
