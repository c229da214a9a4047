"""Runs that are seen loaded: by their pipe's own word, or with their run files."""

from __future__ import annotations

import logging
from datetime import timedelta

from lambdas.core.errors import WarehouseError
from lambdas.core.landing.names import RUNS, file_name
from lambdas.core.loading.status import REFRESH_REACH, PipeNow, seen_loaded
from lambdas.core.pull.run import LandedRun
from lambdas.core.repair.case import (
    NOTHING_DONE,
    Case,
    RepairContext,
    RepairCounts,
)
from lambdas.core.sql import names
from lambdas.core.sql import repair as repairing

LOG = logging.getLogger("catflap.repair")
_NOT_ASKED = ""


class Settlement:
    """Settles runs, each with what was done for it, by one conditional write.

    What the pipes report of all is asked once a check.
    """

    def __init__(self, context: RepairContext) -> None:
        self._context = context
        self._run_file: str | None = _NOT_ASKED
        self._whole: frozenset[str] | None = None

    def settled_at_once(self, case: Case, run: LandedRun, pipe: PipeNow | None) -> bool:
        """Whether its pipe's report says that it is loaded; then it is settled."""
        if pipe is None or not seen_loaded(run, pipe) or not self._loads_whole(case):
            return False
        if self._needs_file(run) and self._newest_run_file() != f"{run.run_id}.json":
            return False
        repaired = case.refreshed(run, [run.newest_key], self._context.now)
        self._context.watch.settle(run, repaired)
        return True

    def run_files(self, run: LandedRun) -> tuple[bool, RepairCounts]:
        """Whether RAW._RUNS holds the run's files, for `replace`, and what was done."""
        context = self._context
        if not self._needs_file(run):
            return True, NOTHING_DONE
        prefix = f"{RUNS}{run.dataset}/{run.run_id}"
        files = context.stored.below(prefix)
        wanted = {file_name(item.key) for item in files}
        statement = repairing.run_files_loaded(context.database, [run.run_id])
        known = {str(row[0]) for row in context.warehouse.query(statement)}
        if wanted <= known:
            return True, NOTHING_DONE
        overdue = [
            item
            for item in files
            if file_name(item.key) not in known
            and context.grace < context.now - item.modified_at < REFRESH_REACH
        ]
        if not overdue:
            return False, NOTHING_DONE
        pipe = names.runs_pipe(context.database)
        after = min(item.modified_at for item in overdue) - timedelta(minutes=1)
        taken = context.pipes.refresh(pipe, [f"{run.dataset}/"], after)
        return False, RepairCounts(refreshed=taken)

    def _loads_whole(self, case: Case) -> bool:
        """Whether its pipe never loads a file in part; asked once, of all."""
        if self._whole is None:
            try:
                self._whole = self._context.pipes.loading_whole(self._context.database)
            except WarehouseError as error:
                LOG.warning("could not read the pipes' ON_ERROR: %s", error)
                self._whole = frozenset()
        return self._context.pipe(case) in self._whole

    def _needs_file(self, run: LandedRun) -> bool:
        """`replace` shows a run only once its file is loaded."""
        dataset = self._context.catalogue.datasets.get(run.dataset)
        return dataset is not None and dataset.write_disposition == "replace"

    def _newest_run_file(self) -> str | None:
        """What the pipe of run files ingested last; asked once."""
        if self._run_file is _NOT_ASKED:
            try:
                pipe = names.runs_pipe(self._context.database)
                self._run_file = self._context.pipes.now(pipe).last_ingested
            except WarehouseError as error:
                LOG.warning("could not read the status of the run-file pipe: %s", error)
                self._run_file = None
        return self._run_file
