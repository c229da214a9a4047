"""One look at all that has landed and was not yet seen loaded.

::

    Reconciler ── what is due, in which order; one dataset fails alone
        case            the runs that are awaited from one pipe
        settling        loaded, by the pipe's own report: no warehouse is woken
        by_history      not seen loaded in time: what landed against what was loaded
        landing_again   what failed lands again, or is given up to a person
        next_look       when to come back; old runs of a `replace` go
        troubles        what a person has to see to

A healthy run is settled by its pipe's own report, and no warehouse is woken for it.
Whatever is done here may be done again: REFRESH loads only what the pipe never took,
what lands again has a name that follows from what failed, and a run is settled, and
its repair told, by one conditional write.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import CatflapError, WarehouseError
from lambdas.core.loading.reload import LandingReader, Reloader
from lambdas.core.loading.repair import LoadWatch
from lambdas.core.loading.status import PipeNow
from lambdas.core.ports import Warehouse
from lambdas.core.repair.by_history import ByHistory
from lambdas.core.repair.case import (
    Case,
    History,
    NotificationPath,
    PipeControl,
    RepairCounts,
    cases_of,
)
from lambdas.core.repair.next_check import NextCheck
from lambdas.core.repair.problems import Problems
from lambdas.core.repair.reload import ObjectReload
from lambdas.core.repair.settle import Settlement

LOG = logging.getLogger("catflap.repair")

THREADS = 8
AT_WORK_FOR = timedelta(days=1)
"""A pipe that still has files to load is left alone for so long."""


@dataclass(slots=True, kw_only=True)
class RepairResult(RepairCounts):
    """What a look did, in figures."""

    awaited: int = 0
    troubles: int = 0
    left: int = 0


class Reconciler:
    """Looks once. Each dataset can fail alone."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: str,
        watch: LoadWatch,
        pipes: PipeControl,
        warehouse: Warehouse,
        history: History,
        stored: LandingReader,
        relanding: Reloader,
        wiring: NotificationPath,
        grace: timedelta,
        every: timedelta,
        max_attempts: int,
        has_time: Callable[[], bool],
    ) -> None:
        """`every` is how often it looks, `max_attempts` how often an object lands again
        before a person has to look, `has_time` whether there is time for one more
        dataset.
        """
        self._database = database
        self._watch = watch
        self._pipes = pipes
        self._grace = grace
        self._has_time = has_time
        self._tally = tally = RepairCounts()
        self._troubles = Problems(database=database, pipes=pipes, wiring=wiring)
        self._settling = Settlement(
            catalogue=catalogue,
            database=database,
            watch=watch,
            pipes=pipes,
            warehouse=warehouse,
            stored=stored,
            grace=grace,
            tally=tally,
        )
        self._next_look = NextCheck(
            catalogue=catalogue,
            database=database,
            watch=watch,
            warehouse=warehouse,
            every=every,
            tally=tally,
        )
        self._by_history = ByHistory(
            database=database,
            pipes=pipes,
            history=history,
            stored=stored,
            grace=grace,
            again=ObjectReload(
                database=database,
                pipes=pipes,
                warehouse=warehouse,
                relanding=relanding,
                max_attempts=max_attempts,
                troubles=self._troubles,
                tally=tally,
            ),
            settling=self._settling,
            next_look=self._next_look,
            troubles=self._troubles,
            tally=tally,
        )

    def run(self, *, now: datetime) -> RepairResult:
        """Look at every dataset that is due."""
        runs = self._watch.landed()
        looks = self._watch.looks()
        before = self._watch.troubles()
        cases = cases_of(runs, looks)
        due = sorted(
            (each for each in cases if each.is_due(now)), key=lambda each: each.due_at
        )
        resting = {each.dataset for each in cases} - {each.dataset for each in due}
        self._troubles.begin(before, resting=resting)
        statuses = self._statuses(due)
        done = 0
        for case in due:
            if not self._has_time():
                break
            done += 1
            try:
                self._examine(case, statuses.get(case.name), now)
            except CatflapError as error:
                LOG.warning("%s: %s", case.dataset, error)
                self._tally.failed += 1
                self._troubles.stand(case.dataset)
        for case in due[done:]:
            self._troubles.stand(case.dataset)
        self._watch.record_troubles(before, self._troubles.standing)
        return RepairResult(
            **dataclasses.asdict(self._tally),
            awaited=len(runs),
            troubles=len(self._troubles.standing),
            left=len(due) - done,
        )

    def _statuses(self, due: Sequence[Case]) -> dict[str, PipeNow]:
        """The pipes' own reports, in a few threads; one that fails is not there."""

        def ask(case: Case) -> PipeNow | None:
            try:
                return self._pipes.now(case.pipe(self._database))
            except WarehouseError as error:
                LOG.warning("%s: %s", case.dataset, error)
                return None

        if not due:
            return {}
        with ThreadPoolExecutor(THREADS, thread_name_prefix="pipes") as pool:
            answers = pool.map(ask, due)
            return {
                case.name: answer
                for case, answer in zip(due, answers, strict=True)
                if answer is not None
            }

    def _examine(self, case: Case, pipe: PipeNow | None, now: datetime) -> None:
        left = [
            run
            for run in case.runs
            if not self._settling.settled_at_once(case, run, pipe, now)
        ]
        late = [run for run in left if now - run.landed_at > self._grace]
        if not left:
            self._next_look.over(case, now)
            return
        if not late:
            return
        if pipe is None:
            self._troubles.unreadable(case, now)
            self._next_look.rest(case, now)
            return
        if not pipe.is_running and pipe.pending:
            self._troubles.stopped(case, pipe, now)
            return
        if pipe.pending and now - late[0].landed_at < AT_WORK_FOR:
            self._next_look.rest(case, now)
            return
        self._by_history.judge(case, late, pipe, now)
