"""What is awaited: the runs of a dataset that one pipe has still to load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Protocol

from lambdas.core.landing.names import file_name, raw_name
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.repair import Repair, Repaired, RetryState
from lambdas.core.loading.status import PipeNow
from lambdas.core.pull.run import LandedRun
from lambdas.core.sql import names


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The runs of a dataset that are awaited from one pipe, and what is remembered of
    the looks at it.
    """

    dataset: str
    generation: int
    runs: tuple[LandedRun, ...]
    look: RetryState | None

    @property
    def name(self) -> str:
        """What is remembered of it stands under this."""
        return f"{self.dataset}.g{self.generation}"

    @property
    def due_at(self) -> datetime:
        """When it is to be looked at, or since when it waits for its first look."""
        return self.look.next_at if self.look else self.runs[0].landed_at

    def is_due(self, now: datetime) -> bool:
        """Whether it does not rest."""
        return self.look is None or self.look.next_at <= now

    def pipe(self, database: str) -> str:
        """The pipe that loads it."""
        return names.pipe(database, self.dataset, self.generation)

    def look_from(self, now: datetime) -> RetryState:
        """What is remembered of it, or a first look."""
        return self.look or RetryState(dataset=self.name, next_at=now)

    def refreshed(
        self, run: LandedRun, keys: Sequence[str], now: datetime
    ) -> tuple[Repaired, ...]:
        """What REFRESH did for a run, if it did anything."""
        told_of = set(self.look.refreshed if self.look is not None else ())
        files = tuple(key for key in keys if file_name(key) in told_of)
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


def cases_of(runs: Iterable[LandedRun], looks: Mapping[str, RetryState]) -> list[Case]:
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
            look=looks.get(f"{dataset}.g{generation}"),
        )
        for (dataset, generation), group in groupby(ordered, key=pipe_of)
    ]


@dataclass(slots=True, kw_only=True)
class RepairCounts:
    """Counted by whoever does it."""

    settled: int = 0
    histories: int = 0
    refreshed: int = 0
    landed_again: int = 0
    pruned: int = 0
    failed: int = 0


class PipeControl(Protocol):
    """What pipes say, and what they are told."""

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
