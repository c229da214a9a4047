"""A trial that stays up: schedules tick, queues are emptied, changes are deployed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.trial.trial import SentMessage, Trial

IDLE_S = 0.5
"""Between two looks at what is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialClock:
    """It was `start` at the real time `began_at`; time passes `speed` times as fast."""

    start: datetime
    began_at: datetime
    speed: float = 1.0

    @property
    def is_real(self) -> bool:
        """Whether it is simply the time."""
        return self.speed == 1.0 and self.start == self.began_at

    def now(self) -> datetime:
        """What time it is."""
        passed: timedelta = (datetime.now(UTC) - self.began_at) * self.speed
        return self.start + passed


class FileWatch:
    """Notices that files of folders were changed, added or removed."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = folders
        self._seen = self._stamps()

    def has_changed(self) -> bool:
        """Whether anything is other than at the last call."""
        before, self._seen = self._seen, self._stamps()
        return before != self._seen

    def _stamps(self) -> dict[Path, int]:
        return {
            path: path.stat().st_mtime_ns
            for folder in self._folders
            for path in folder.glob("*.yaml")
            if path.is_file()
        }


def live(
    trial: Trial,
    clock: TrialClock,
    *,
    redeploy: Callable[[], None],
    watch: FileWatch,
) -> Iterator[list[SentMessage]]:
    """Let time pass for ever; what was told at each step."""
    while True:
        if watch.has_changed():
            redeploy()
        now = clock.now()
        if not clock.is_real:
            trial.stack.set_clock(now)
        trial.stack.fabric.tick(now)
        trial.stack.fabric.drain(now)
        yield trial.read_messages(now)
        time.sleep(IDLE_S)
