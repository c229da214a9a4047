"""A trial that stays up: schedules tick, queues are emptied, changes are deployed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urljoin

import urllib3

from lambdas.core.dataset import Api
from lambdas.core.errors import BadInput
from local.stack import Project
from local.trial.trial import SentMessage, Trial

CLOCK = "/-/clock"
IDLE_S = 0.5
"""Between two looks at what is due."""
SAVE_EVERY_S = 10.0
"""So much is lost at most when its process is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialClock:
    """It was `start` at the real time `began_at`; time passes `speed` times as fast."""

    start: datetime
    began_at: datetime
    speed: float = 1.0
    is_real: bool = True
    """Whether it is simply the time: then no clock is set."""

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
            for path in folder.glob("*.*")
            if path.suffix in (".yaml", ".sql") and path.is_file()
        }


class UpstreamClocks:
    """The clocks of a project's APIs, where they have one: `GET /-/clock` answers
    `{"now": …}`, and a POST of the same sets it. No real API has: it cannot send the
    rows of tomorrow.
    """

    def __init__(self, project: Project) -> None:
        clients = {
            name: dataset.source.client
            for name, dataset in project.catalogue.datasets.items()
        }
        self._urls = {
            name: urljoin(client.base_url, CLOCK)
            for name, client in clients.items()
            if isinstance(client, Api)
        }
        self._http = urllib3.PoolManager(retries=False, timeout=10.0)

    def refuse_others(self) -> None:
        """Raise BadInput for the datasets whose API has no clock."""
        without = sorted(name for name, url in self._urls.items() if not self._has(url))
        if without:
            raise BadInput(
                f"{', '.join(without)}: the API does not follow a clock, so "
                "time cannot pass for it; leave out --for, --start and --speed to pull "
                "what it has now, or try them on `catflap example-api`"
            )

    def set(self, now: datetime) -> None:
        """Let the rows up to `now` appear."""
        for url in sorted(set(self._urls.values())):
            self._http.request("POST", url, json={"now": now.isoformat()})

    def _has(self, url: str) -> bool:
        try:
            answer = self._http.request("GET", url)
            return answer.status == HTTPStatus.OK and "now" in answer.json()
        except (urllib3.exceptions.HTTPError, ValueError):
            return False


def live_through(
    trial: Trial, clocks: UpstreamClocks, *, end: datetime
) -> Iterator[datetime]:
    """From one moment at which something is due to the next, until `end`."""
    while (now := trial.stack.fabric.next_due()) is not None and now < end:
        trial.stack.set_clock(now)
        clocks.set(now)
        trial.stack.fabric.tick(now)
        trial.stack.fabric.drain(now)
        trial.read_messages(now)
        yield now


def live(
    trial: Trial,
    clock: TrialClock,
    *,
    clocks: UpstreamClocks,
    redeploy: Callable[[], None],
    save: Callable[[], None],
    watch: FileWatch,
) -> Iterator[list[SentMessage]]:
    """Let time pass for ever; what was told at each step."""
    saved_at = 0.0
    while True:
        if watch.has_changed():
            redeploy()
        now = clock.now()
        if not clock.is_real:
            trial.stack.set_clock(now)
            clocks.set(now)
        trial.stack.fabric.tick(now)
        trial.stack.fabric.drain(now)
        yield trial.read_messages(now)
        if time.monotonic() - saved_at > SAVE_EVERY_S:
            save()
            saved_at = time.monotonic()
        time.sleep(IDLE_S)
