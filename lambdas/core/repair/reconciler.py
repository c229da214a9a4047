"""One check of all that has landed and was not yet seen loaded.

::

    reconcile ── what is due, in which order; one dataset fails alone
        case         the runs that are awaited from one pipe
        settle       loaded, by the pipe's own report: no warehouse is woken
        by_history   not seen loaded in time: what landed against what was loaded
        reload       what failed is reloaded, or left to a person
        next_check   when to come back; old runs of a `replace` go
        problems     what a person has to see to

A healthy run is settled by its pipe's own report, and no warehouse is woken for it.
Whatever is done here may be done again: REFRESH loads only what the pipe never took,
what is reloaded has a name that follows from what failed, and a run is settled, and
its repair reported, by one conditional write.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from lambdas.core.errors import CatflapError, WarehouseError
from lambdas.core.loading.status import PipeNow
from lambdas.core.repair.by_history import ByHistory
from lambdas.core.repair.case import (
    NOTHING_DONE,
    Case,
    RepairContext,
    RepairCounts,
    cases_of,
)
from lambdas.core.repair.next_check import over, rest
from lambdas.core.repair.problems import Problems
from lambdas.core.repair.settle import Settlement

LOG = logging.getLogger("catflap.repair")

THREADS = 8
AT_WORK_FOR = timedelta(days=1)
"""A pipe that still has files to load is left alone for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairResult(RepairCounts):
    """What a check did, in figures."""

    awaited: int = 0
    troubles: int = 0
    left: int = 0


def reconcile(context: RepairContext, *, has_time: Callable[[], bool]) -> RepairResult:
    """Check every dataset that is due, while there is time for one more."""
    runs, before = context.watch.landed(), context.watch.problems()
    cases = cases_of(runs, context.watch.retries())
    due = sorted(
        (each for each in cases if each.is_due(context.now)),
        key=lambda each: each.due_at,
    )
    resting = {each.dataset for each in cases} - {each.dataset for each in due}
    problems = Problems(context, before, resting=resting)
    check = _Check(context, problems)
    statuses = _statuses(context, due)
    counts, done = NOTHING_DONE, 0
    for case in due:
        if not has_time():
            break
        done += 1
        try:
            counts += check.examine(case, statuses.get(case.name))
        except CatflapError as error:
            LOG.warning("%s: %s", case.dataset, error)
            counts += RepairCounts(failed=1)
            problems.stand(case.dataset)
    for case in due[done:]:
        problems.stand(case.dataset)
    context.watch.record_problems(before, problems.standing)
    return RepairResult(
        **dataclasses.asdict(counts),
        awaited=len(runs),
        troubles=len(problems.standing),
        left=len(due) - done,
    )


def _statuses(context: RepairContext, due: Sequence[Case]) -> dict[str, PipeNow]:
    """The pipes' own reports, in a few threads; one that fails is not there."""

    def ask(case: Case) -> PipeNow | None:
        try:
            return context.pipes.now(context.pipe(case))
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


class _Check:
    def __init__(self, context: RepairContext, problems: Problems) -> None:
        self._context = context
        self._problems = problems
        self._settlement = Settlement(context)
        self._by_history = ByHistory(context, self._settlement, problems)

    def examine(self, case: Case, pipe: PipeNow | None) -> RepairCounts:
        """Settle what is loaded, see to what is late; what was done."""
        context = self._context
        left = [
            run
            for run in case.runs
            if not self._settlement.settled_at_once(case, run, pipe)
        ]
        counts = RepairCounts(settled=len(case.runs) - len(left))
        late = [run for run in left if context.now - run.landed_at > context.grace]
        if not left:
            return counts + over(context, case)
        if not late:
            return counts
        if pipe is None:
            self._problems.unreadable(case)
            rest(context, case)
        elif not pipe.is_running and pipe.pending:
            self._problems.stopped(case, pipe)
        elif pipe.pending and context.now - late[0].landed_at < AT_WORK_FOR:
            rest(context, case)
        else:
            left_case = dataclasses.replace(case, runs=tuple(left))
            counts += self._by_history.judge(left_case, late, pipe)
        return counts
