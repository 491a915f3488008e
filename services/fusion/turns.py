"""Which patients the models look at, so that bedside scores never wait behind them for long."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import nsmallest


@dataclass(slots=True)
class Turns:
    """Patients take turns: at most `most` a batch, and all together no more than `share` of the time.

    Time that nobody took is saved, up to `saved_s` seconds: on a ward everybody has a turn each time, and only a
    lasting flood of messages, or a backlog after an outage, makes some go without. Whoever has waited longest goes
    first; a patient without a turn is asked for again with the next measurement. seconds: a clock that only goes on.
    """

    share: float = 1.0
    most: int = 64
    saved_s: float = 0.5
    seconds: Callable[[], float] = time.monotonic
    _waiting_since: dict[str, float] = field(default_factory=dict)
    _left_s: float = field(init=False)
    _counted_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._left_s, self._counted_at = self.saved_s, self.seconds()

    def of(self, wanted: Collection[str]) -> Sequence[str]:
        """Those of the patients (keys) who have a turn now, sorted."""
        now, since = self.seconds(), self._waiting_since
        self._left_s = min(self.saved_s, self._left_s + self.share * (now - self._counted_at))
        self._counted_at = now
        for key in wanted:
            since.setdefault(key, now)
        if self._left_s <= 0:
            return []
        return sorted(nsmallest(self.most, wanted, key=lambda key: (since[key], key)))

    @contextmanager
    def taken(self, patients: Sequence[str]) -> Iterator[None]:
        """Within it the patients have their turn; how long it takes says when the next one begins."""
        began = self.seconds()
        for key in patients:
            self._waiting_since.pop(key, None)
        try:
            yield
        finally:
            self._left_s -= self.seconds() - began
