"""Tables that need not be read: what landed and their pipes tell how new they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.signals import Table
from lambdas.core.errors import WarehouseError, WarehouseUnreachable
from lambdas.core.freshness.landed import (
    Witnessed,
    is_about_cursor,
    is_confirmed,
    may_tell,
    table_of,
)
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


class TableChanges(Protocol):
    """Whether tables changed."""

    def of(self, datasets: Sequence[str]) -> Mapping[str, int]:
        """The marks that are known. Raises WarehouseError."""


class LandedWitness:
    """Asks pipes and tables' marks in a session without a warehouse."""

    def __init__(
        self,
        *,
        runs: NewestRuns,
        pipes: PipeReports,
        changes: TableChanges,
        database: str,
        is_proven: Callable[[], bool],
    ) -> None:
        """`is_proven`: that what is asked needs no warehouse in this account."""
        self._runs = runs
        self._pipes = pipes
        self._changes = changes
        self._database = database
        self._is_proven = is_proven

    def tables(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        *,
        now: datetime,
    ) -> Mapping[str, Witnessed]:
        """All of them or none: one that must be read wakes the warehouse for all.
        Raises nothing that Snowflake says.
        """
        if not datasets or len(datasets) > MOST:
            return {}
        may = all(may_tell(one, watches.get(one.name), now=now) for one in datasets)
        if not may or not self._is_proven():
            return {}
        try:
            return self._witnessed(datasets, watches, now)
        except WarehouseError as error:
            LOG.warning("tables have to be read: %s", error)
            return {}

    def _witnessed(
        self, datasets: Sequence[Dataset], watches: Mapping[str, Watch], now: datetime
    ) -> Mapping[str, Witnessed]:
        told: dict[str, Table] = {}
        whole = self._pipes.loading_whole(self._database)
        for dataset in datasets:
            table = self._table(dataset, watches[dataset.name], whole, now)
            if table is None:
                return {}
            told[dataset.name] = table
        # last: what raises a mark later came after what pipes say now
        marks = self._changes.of(list(told))
        found = {
            name: Witnessed(table=table, change_mark=marks.get(name))
            for name, table in told.items()
        }
        is_all = all(
            is_confirmed(watches[name], one.table, one.change_mark)
            for name, one in found.items()
        )
        return found if is_all else {}

    def marks(self, datasets: Sequence[Dataset]) -> Mapping[str, int]:
        """The marks of tables that were just read and may be told of next time, as far
        as they are known. Raises nothing that Snowflake says.
        """
        names_of = [one.name for one in datasets if is_about_cursor(one)]
        if not names_of or not self._is_proven():
            return {}
        found: dict[str, int] = {}
        for start in range(0, len(names_of), MOST):
            try:
                found |= self._changes.of(names_of[start : start + MOST])
            except WarehouseError as error:
                LOG.warning("tables do not say whether they changed: %s", error)
                if isinstance(error, WarehouseUnreachable):
                    break
        return found

    def _table(
        self, dataset: Dataset, watch: Watch, whole: Collection[str], now: datetime
    ) -> Table | None:
        pipe = names.pipe(self._database, dataset.name, generation(dataset))
        if pipe not in whole:
            return None
        runs = self._runs.latest_runs(dataset.name, RUNS)
        return table_of(dataset, watch, runs, self._pipes.now(pipe), now=now)
