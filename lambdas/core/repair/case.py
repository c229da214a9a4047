"""What a check works on and with: runs that one pipe has still to load, and all that
is asked about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

from lambdas.core.dataset import Catalogue
from lambdas.core.landing.names import file_name, raw_name
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.reload import LandingReader, Reloader
from lambdas.core.loading.repair import LoadWatch, Repair, Repaired, RetryState
from lambdas.core.loading.status import PipeNow
from lambdas.core.ports import Warehouse
from lambdas.core.pull.run import LandedRun
from lambdas.core.sql import names


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A dataset's runs that one pipe has to load, and what earlier checks found."""

    dataset: str
    generation: int
    runs: tuple[LandedRun, ...]
    retry: RetryState | None

    @property
    def name(self) -> str:
        """What is remembered of it stands under this."""
        return f"{self.dataset}.g{self.generation}"

    @property
    def due_at(self) -> datetime:
        """When it is to be checked, or since when it waits for its first check."""
        return self.retry.next_at if self.retry else self.runs[0].landed_at

    def is_due(self, now: datetime) -> bool:
        """Whether it does not rest."""
        return self.retry is None or self.retry.next_at <= now

    def retry_from(self, now: datetime) -> RetryState:
        """What is remembered of it, or a first check."""
        return self.retry or RetryState(dataset=self.name, next_at=now)

    def refreshed(
        self, run: LandedRun, keys: Sequence[str], now: datetime
    ) -> tuple[Repaired, ...]:
        """What REFRESH did for a run, if it did anything."""
        known = set(self.retry.refreshed if self.retry is not None else ())
        files = tuple(key for key in keys if file_name(key) in known)
        if not files:
            return ()
        repaired = Repaired(
            dataset=run.dataset,
            run_id=run.run_id,
            repair=Repair.REFRESHED,
            at=now,
            files=files,
        )
        return (repaired,)


def cases_of(
    runs: Iterable[LandedRun], retries: Mapping[str, RetryState]
) -> list[Case]:
    """The runs by their pipes, in order."""

    def pipe_of(run: LandedRun) -> tuple[str, int]:
        name = raw_name(run.newest_key)
        return run.dataset, name.generation if name is not None else 0

    ordered = sorted(runs, key=lambda run: (*pipe_of(run), run.run_id))
    return [
        Case(
            dataset=dataset,
            generation=generation,
            runs=tuple(group),
            retry=retries.get(f"{dataset}.g{generation}"),
        )
        for (dataset, generation), group in groupby(ordered, key=pipe_of)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairCounts:
    """What was done, in figures; they add up."""

    settled: int = 0
    histories: int = 0
    refreshed: int = 0
    landed_again: int = 0
    pruned: int = 0
    failed: int = 0

    def __add__(self, other: RepairCounts) -> RepairCounts:
        """Both together."""
        return RepairCounts(
            **{
                one.name: getattr(self, one.name) + getattr(other, one.name)
                for one in fields(RepairCounts)
            }
        )


NOTHING_DONE = RepairCounts()


class PipeControl(Protocol):
    """What pipes report, and what they are asked to do."""

    def now(self, pipe: str) -> PipeNow:
        """What a pipe reports of itself. Raises WarehouseError."""

    def loading_whole(self, database: str) -> frozenset[str]:
        """The pipes that load a file whole or not at all. Raises WarehouseError."""

    def created_at(self, pipe: str) -> datetime | None:
        """When it was made; None is not known."""

    def refresh(self, pipe: str, prefixes: Sequence[str], after: datetime) -> int:
        """Tell it of what it never took; how many files it took now."""


class NotificationPath(Protocol):
    """What is between the bucket and the pipes."""

    def missing(self, channel: str | None) -> tuple[str, str] | None:
        """What of it is gone, and what to do; None if all is there."""


History = Callable[[str, datetime], Sequence[LoadRecord]]
"""(dataset, since) to the loads of its table, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairContext:
    """All that one check asks and changes, and its limits.

    A run is late after `grace`; the function checks `every` so long; `max_attempts` is
    how often an object is reloaded before a person has to see to it.
    """

    catalogue: Catalogue
    database: str
    watch: LoadWatch
    pipes: PipeControl
    warehouse: Warehouse
    history: History
    stored: LandingReader
    reloader: Reloader
    notifications: NotificationPath
    grace: timedelta
    every: timedelta
    max_attempts: int
    now: datetime

    def pipe(self, case: Case) -> str:
        """The pipe that loads a case."""
        return names.pipe(self.database, case.dataset, case.generation)
