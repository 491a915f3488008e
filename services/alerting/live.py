"""What followers of the alerts are told: a bounded log of changes that each reads at its own pace."""

import asyncio
import itertools
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from vigil.v1.alerts_pb2 import Alert


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a follower has read: `epoch` names the life of the process, `number` the change.

    told: within the alerts as they are, which go by id, the last one it has; empty once it has them all.
    """

    epoch: str
    number: int
    told: str = ""

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}" + (f".{self.told}" if self.told else "")


def parse_cursor(text: str | None) -> Cursor | None:
    """The cursor of a `Last-Event-ID`; None for none and for what is no cursor of ours."""
    change, _, told = (text or "").partition(".")
    epoch, _, number = change.rpartition("-")
    return Cursor(epoch, int(number), told) if epoch and number.isascii() and number.isdigit() else None


@dataclass(slots=True)
class _Numbered:
    """Counts changes and wakes those who wait for the next one."""

    number: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self) -> int:
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()
        return self.number

    async def wait(self, number: int, timeout_s: float) -> bool:
        """Until more than `number` changes are counted; False when there was none for `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.number <= number:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


@dataclass(slots=True)
class AlertLog:
    """Numbered changes of alerts, the newest `kept` of them.

    A follower never holds up the service: one that fell behind the log, or comes from before a restart, is told to
    take everything anew (`since` gives None).
    """

    epoch: str
    kept: int
    _numbered: _Numbered = field(default_factory=_Numbered)
    _alerts: deque[tuple[int, Alert]] = field(default_factory=deque)
    _forgotten: int = 0

    def now(self) -> Cursor:
        return Cursor(self.epoch, self._numbered.number)

    def add(self, alert: Alert) -> None:
        self._alerts.append((self._numbered.count(), alert))
        if len(self._alerts) > self.kept:
            self._forgotten = self._alerts.popleft()[0]

    def since(self, cursor: Cursor) -> list[tuple[Cursor, Alert]] | None:
        """Changes after `cursor`, oldest first; None when the log does not reach back so far."""
        if cursor.epoch != self.epoch or not self._forgotten <= cursor.number <= self._numbered.number:
            return None
        newer: list[tuple[Cursor, Alert]] = []
        for number, alert in reversed(self._alerts):
            if number <= cursor.number:
                break
            newer.append((Cursor(self.epoch, number), alert))
        return newer[::-1]

    async def wait(self, cursor: Cursor, timeout_s: float) -> bool:
        """Until something changed after `cursor`; False when nothing did for `timeout_s` seconds."""
        return await self._numbered.wait(cursor.number, timeout_s)


@dataclass(slots=True)
class PatientChanges:
    """Which patients changed, by the number of their last change."""

    _numbered: _Numbered = field(default_factory=_Numbered)
    _patients: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def now(self) -> int:
        return self._numbered.number

    def add(self, patient_key: str) -> None:
        self._patients[patient_key] = self._numbered.count()
        self._patients.move_to_end(patient_key)

    def since(self, number: int) -> list[str]:
        """Keys of patients that changed after that many changes, last changed first."""
        return list(itertools.takewhile(lambda key: self._patients[key] > number, reversed(self._patients)))

    async def wait(self, number: int, timeout_s: float) -> bool:
        """Until more than `number` changes happened; False when none did for `timeout_s` seconds."""
        return await self._numbered.wait(number, timeout_s)


@dataclass(frozen=True, slots=True)
class Live:
    """What is told while the process lives."""

    alerts: AlertLog
    patients: PatientChanges


def create_live(kept: int) -> Live:
    """Empty logs, under an epoch that no other life of the process has."""
    return Live(AlertLog(secrets.token_hex(4), kept), PatientChanges())
