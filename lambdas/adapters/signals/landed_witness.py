"""Tables that need not be read: what landed and their pipes tell how new they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.signals import Table
from lambdas.core.errors import WarehouseError
from lambdas.core.freshness.landed import may_tell, table_of
from lambdas.core.freshness.watch import Watch
from lambdas.core.loading.status import PipeNow
from lambdas.core.pull.run import Run
from lambdas.core.sql import generation, names

LOG = logging.getLogger("catflap.freshness.landed")

MOST = 50
"""Datasets that are told of so in a check; of more, one statement reads all tables."""
RUNS = 5


class NewestRuns(Protocol):
    """What was pulled."""

    def latest_runs(self, dataset: str, limit: int) -> list[Run]:
        """The newest runs, the newest first."""


class PipeReports(Protocol):
    """What pipes say of themselves."""

    def now(self, pipe: str) -> PipeNow:
        """Raises WarehouseError."""

    def loading_whole(self, database: str) -> Collection[str]:
        """Those that load a file whole or not at all. Raises WarehouseError."""


class LandedWitness:
    """Asks pipes in a session without a warehouse."""

    def __init__(
        self,
        *,
        runs: NewestRuns,
        pipes: PipeReports,
        database: str,
        is_proven: Callable[[], bool],
    ) -> None:
        """`is_proven`: that a pipe's status needs no warehouse in this account."""
        self._runs = runs
        self._pipes = pipes
        self._database = database
        self._is_proven = is_proven

    def tables(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        *,
        now: datetime,
    ) -> Mapping[str, Table]:
        """All of them or none: one that must be read wakes the warehouse for all.
        Raises nothing that Snowflake says.
        """
        if not datasets or len(datasets) > MOST:
            return {}
        told: dict[str, Table] = {}
        for dataset in datasets:
            watch = watches.get(dataset.name)
            if watch is None or not may_tell(dataset, watch, now=now):
                return {}
        if not self._is_proven():
            return {}
        try:
            whole = self._pipes.loading_whole(self._database)
            for dataset in datasets:
                table = self._table(dataset, watches[dataset.name], whole, now)
                if table is None:
                    return {}
                told[dataset.name] = table
        except WarehouseError as error:
            LOG.warning("pipes do not say what they took: %s", error)
            return {}
        return told

    def _table(
        self, dataset: Dataset, watch: Watch, whole: Collection[str], now: datetime
    ) -> Table | None:
        pipe = names.pipe(self._database, dataset.name, generation(dataset))
        if pipe not in whole:
            return None
        runs = self._runs.latest_runs(dataset.name, RUNS)
        return table_of(dataset, watch, runs, self._pipes.now(pipe), now=now)
