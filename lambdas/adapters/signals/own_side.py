"""Our own pulls: the cursor, the runs, the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from lambdas.adapters.snowflake.load_history import load_records
from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import DeployedSchedule, PullFacts
from lambdas.core.loading.objects import HISTORY, LandedObjects, LoadRecord
from lambdas.core.ports import Warehouse
from lambdas.core.pull.run import DatasetState, Run

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


class ObjectListing(Protocol):
    """The objects under `raw/`, of all generations."""

    def recent(self, dataset: str, *, now: datetime) -> LandedObjects:
        """Those of the newest day there is, and of the last days."""


class LandingSource:
    """Lists the bucket: Snowpipe sees what is there, not what we recorded."""

    def __init__(self, *, listing: ObjectListing) -> None:
        self._listing = listing

    def collect(self, dataset: Dataset, *, now: datetime) -> LandedObjects:
        """What landed lately. Raises LandingError if the bucket cannot be listed."""
        return self._listing.recent(dataset.name, now=now)


class LoadSource:
    """Reads COPY_HISTORY: it needs the warehouse, so only suspects are asked for."""

    def __init__(self, *, warehouse: Warehouse, database: str) -> None:
        self._warehouse = warehouse
        self._database = database

    def collect(self, dataset: Dataset, *, now: datetime) -> Sequence[LoadRecord]:
        """The loads of the last two weeks, the newest first. Raises WarehouseError."""
        return load_records(
            self._warehouse, self._database, dataset.name, now - HISTORY
        )
