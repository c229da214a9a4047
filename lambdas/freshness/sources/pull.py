"""Our own pulls: the cursor, the runs, the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from lambdas.core.dataset import Dataset
from lambdas.core.facts import DeployedSchedule, PullFacts
from lambdas.core.run import DatasetState, Run

RUNS = 20
"""Runs that tell how long one usually takes."""


class RunHistory(Protocol):
    """The state of datasets, and their runs."""

    def read(self, dataset: str) -> DatasetState:
        """The state item; a fresh one if there is none."""

    def latest_runs(self, dataset: str, limit: int) -> Sequence[Run]:
        """The newest runs, newest first."""


class Schedules(Protocol):
    """The schedules that were deployed."""

    def schedule(self, dataset: str) -> DeployedSchedule:
        """The dataset's schedule; its fields are None if nobody may know."""


class PullSource:
    """Reads the state table and the dataset's schedule."""

    def __init__(self, *, history: RunHistory, schedules: Schedules) -> None:
        self._history = history
        self._schedules = schedules

    def collect(self, dataset: Dataset, *, now: datetime) -> PullFacts:
        """The state, the newest runs, and the schedule as it stands."""
        del now
        return PullFacts(
            state=self._history.read(dataset.name),
            runs=tuple(self._history.latest_runs(dataset.name, RUNS)),
            schedule=self._schedules.schedule(dataset.name),
        )
