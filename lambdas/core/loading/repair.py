"""What is found out about the loads of landed runs, and what is told of it.

A repair that worked is told once, and wakes nobody. What needs a person is a problem:
it stands in the state until it is gone, and one incident tells of all there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lambdas.core.pull.run import LandedRun

ALL = "(all datasets)"
RELATION_NOT_MADE = "relation_not_made"
"""The code of a problem that is none of the diagnosis: rows are loaded, and shown as
they were before."""
WORDS = {
    RELATION_NOT_MADE: "Its relation could not be made; what is read of it lacks what "
    "is new."
}


class Repair(StrEnum):
    """How a run that was not loaded came to be."""

    REFRESHED = "refreshed"
    """The pipe had not been told of objects; REFRESH told it."""
    LANDED_AGAIN = "landed_again"
    """Objects failed to load and landed again, without the rows that are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """How many rows were refused for one reason."""

    reason: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A run that a repair loaded: `rows` landed, `refused` of them in quarantine."""

    dataset: str
    run_id: str
    repair: Repair
    at: datetime
    files: tuple[str, ...]
    rows: int = 0
    refused: tuple[Refused, ...] = ()

    @property
    def repair_id(self) -> str:
        """The same for the same repair."""
        return f"{self.dataset}.{self.run_id}.{self.repair.value}.{len(self.files)}"

    @property
    def refused_rows(self) -> int:
        """Rows in quarantine."""
        return sum(one.rows for one in self.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What keeps rows from being loaded and is not mended by itself.

    `code` is a cause of the diagnosis, or one of `WORDS`; `dataset` is None where it
    concerns all.
    """

    code: str
    dataset: str | None
    sentence: str
    next_step: str
    since: datetime

    @property
    def name(self) -> str:
        """What tells it from every other."""
        return f"{self.code} {self.dataset or ALL}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryState:
    """What is remembered of a dataset whose loads had to be asked for.

    `refreshed` are the names that the pipe was told of by REFRESH.
    """

    dataset: str
    next_at: datetime
    looks: int = 0
    refreshes: int = 0
    refreshed: tuple[str, ...] = ()
    pruned_at: datetime | None = None


class LoadWatch(Protocol):
    """The records of loads that are awaited, and of what was done about them."""

    def landed(self) -> Sequence[LandedRun]:
        """Every run that has landed and was not yet seen loaded."""

    def retries(self) -> dict[str, RetryState]:
        """What is remembered, by dataset."""

    def remember(self, retry: RetryState) -> None:
        """Keep it."""

    def forget(self, dataset: str) -> None:
        """The dataset needs no check any more."""

    def watch(self, run: LandedRun) -> None:
        """Have a run's loads checked (again)."""

    def settle(self, run: LandedRun, repaired: Sequence[Repaired]) -> None:
        """The run is loaded; what was done for it is told, once, whoever settles it."""

    def problems(self) -> Sequence[Problem]:
        """All that stand."""

    def record_problems(
        self, before: Sequence[Problem], after: Sequence[Problem]
    ) -> None:
        """Let `after` stand instead of `before`."""
