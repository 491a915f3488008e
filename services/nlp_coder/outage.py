"""How long notes wait for a model that is away: for the outage together, not each for itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# A failure this long ago says nothing about now; the next note finds out.
STALE_S = 10.0
# Between two trials whether the model is back.
TRIAL_EVERY_S = 1.0


@dataclass(slots=True)
class Outage:
    """State of one model's outage. Notes wait until it has lasted `wait_s` seconds; later ones do not wait at all."""

    wait_s: float
    now: Callable[[], float] = time.monotonic
    _since: float | None = field(default=None)
    _last_failure: float = field(default=0.0)

    def ended(self) -> None:
        """The model answered."""
        self._since = None

    def failed(self) -> None:
        """The model did not answer."""
        self._last_failure = self.now()
        if self._since is None:
            self._since = self._last_failure

    def has_been_waited_for(self) -> bool:
        """Whether a note that has just failed should give up."""
        return self._since is not None and self.now() - self._since >= self.wait_s

    def is_known(self) -> bool:
        """Whether there is no point in trying: it was waited for, and the last trial failed only just now."""
        return self.has_been_waited_for() and self.now() - self._last_failure < STALE_S

    def is_trial_due(self) -> bool:
        """Whether it is time to find out, beside the notes, if the model is back."""
        return self.is_known() and self.now() - self._last_failure >= TRIAL_EVERY_S
