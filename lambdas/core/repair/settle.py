"""Runs that are seen loaded: by their pipe's own word, or with their run files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import WarehouseError
from lambdas.core.landing.names import RUNS, file_name
from lambdas.core.loading.reload import LandingReader
from lambdas.core.loading.repair import LoadWatch, Repaired
from lambdas.core.loading.status import REFRESH_REACH, PipeNow, seen_loaded
from lambdas.core.ports import Warehouse
from lambdas.core.pull.run import LandedRun
from lambdas.core.repair.case import Case, PipeControl, RepairCounts
from lambdas.core.sql import names
from lambdas.core.sql import repair as repairing

LOG = logging.getLogger("catflap.repair")
_NOT_ASKED = ""


class Settlement:
    """Settles runs, each with what was done for it, by one conditional write."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: str,
        watch: LoadWatch,
        pipes: PipeControl,
        warehouse: Warehouse,
        stored: LandingReader,
        grace: timedelta,
        tally: RepairCounts,
    ) -> None:
        self._catalogue = catalogue
        self._database = database
        self._watch = watch
        self._pipes = pipes
        self._warehouse = warehouse
        self._stored = stored
        self._grace = grace
        self._tally = tally
        self._run_file: str | None = _NOT_ASKED
        self._whole: frozenset[str] | None = None

    def settle(self, run: LandedRun, repaired: Sequence[Repaired]) -> None:
        """It is loaded, and this was done for it."""
        self._watch.settle(run, repaired)
        self._tally.settled += 1

    def settled_at_once(
        self, case: Case, run: LandedRun, pipe: PipeNow | None, now: datetime
    ) -> bool:
        """Whether its pipe's report says that it is loaded; then it is settled."""
        if pipe is None or not seen_loaded(run, pipe) or not self._loads_whole(case):
            return False
        if self._needs_file(run) and self._newest_run_file() != f"{run.run_id}.json":
            return False
        self.settle(run, case.refreshed(run, [run.newest_key], now))
        return True

    def run_files_are_loaded(self, run: LandedRun, now: datetime) -> bool:
        """Whether RAW._RUNS holds the run's file and its amendments, for `replace`."""
        if not self._needs_file(run):
            return True
        prefix = f"{RUNS}{run.dataset}/{run.run_id}"
        files = self._stored.below(prefix)
        wanted = {file_name(item.key) for item in files}
        statement = repairing.run_files_loaded(self._database, [run.run_id])
        known = {str(row[0]) for row in self._warehouse.query(statement)}
        if wanted <= known:
            return True
        overdue = [
            item
            for item in files
            if file_name(item.key) not in known
            and self._grace < now - item.modified_at < REFRESH_REACH
        ]
        if overdue:
            pipe = names.runs_pipe(self._database)
            after = min(item.modified_at for item in overdue) - timedelta(minutes=1)
            self._tally.refreshed += self._pipes.refresh(
                pipe, [f"{run.dataset}/"], after
            )
        return False

    def _loads_whole(self, case: Case) -> bool:
        """Whether its pipe never loads a file in part; asked once a look, of all."""
        if self._whole is None:
            try:
                self._whole = self._pipes.loading_whole(self._database)
            except WarehouseError as error:
                LOG.warning("what the pipes do with errors is not known: %s", error)
                self._whole = frozenset()
        return case.pipe(self._database) in self._whole

    def _needs_file(self, run: LandedRun) -> bool:
        """`replace` shows a run only once its file is loaded."""
        dataset = self._catalogue.datasets.get(run.dataset)
        return dataset is not None and dataset.write_disposition == "replace"

    def _newest_run_file(self) -> str | None:
        """What the pipe of run files ingested last; asked once a look."""
        if self._run_file is _NOT_ASKED:
            try:
                pipe = self._pipes.now(names.runs_pipe(self._database))
                self._run_file = pipe.last_ingested
            except WarehouseError as error:
                LOG.warning("the pipe of run files: %s", error)
                self._run_file = None
        return self._run_file
