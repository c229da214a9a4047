"""One case, judged by the history of its table's loads: this wakes the warehouse."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from lambdas.core.landing.names import file_name, run_prefix
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.status import (
    MAX_REFRESHES,
    REFRESH_REACH,
    PipeNow,
    StoredObject,
    awaited_of,
    loads_of,
    refresh_bounds,
    since_when,
)
from lambdas.core.pull.run import LandedRun
from lambdas.core.repair.case import NOTHING_DONE, Case, RepairContext, RepairCounts
from lambdas.core.repair.next_check import over, rest, soon
from lambdas.core.repair.problems import Problems
from lambdas.core.repair.reload import ObjectReload
from lambdas.core.repair.settle import Settlement
from lambdas.core.text.count import counted

LOG = logging.getLogger("catflap.repair")


class ByHistory:
    """Holds what landed against what was loaded, and has the rest loaded once."""

    def __init__(
        self, context: RepairContext, settlement: Settlement, problems: Problems
    ) -> None:
        self._context = context
        self._settlement = settlement
        self._problems = problems
        self._reload = ObjectReload(context, problems)

    def judge(
        self, case: Case, late: Sequence[LandedRun], pipe: PipeNow
    ) -> RepairCounts:
        """Settle the late runs that are loaded, and see to the others."""
        records = self._records(case.dataset, late)
        missing: list[StoredObject] = []
        counts = RepairCounts(histories=1)
        for run in late:
            found, done = self._settled(case, run, records)
            missing += found
            counts += done
        if missing:
            return counts + self._bring(case, missing, pipe)
        if counts.settled == len(case.runs):
            return counts + over(self._context, case)
        if counts.landed_again:
            soon(self._context, case)
        else:
            rest(self._context, case)
        return counts

    def _records(
        self, dataset: str, late: Sequence[LandedRun]
    ) -> dict[str, LoadRecord]:
        """The newest record of each name."""
        since = since_when(late, now=self._context.now)
        records: dict[str, LoadRecord] = {}
        for record in self._context.history(dataset, since):
            records.setdefault(record.name, record)
        return records

    def _settled(
        self, case: Case, run: LandedRun, records: Mapping[str, LoadRecord]
    ) -> tuple[tuple[StoredObject, ...], RepairCounts]:
        """Settle a run that is loaded; what of it is missing, and what was done."""
        context = self._context
        objects = awaited_of(run, context.stored.below(run_prefix(run.newest_key)))
        loads = loads_of(objects, records, now=context.now, grace=context.grace)
        is_left, counts = self._reload.failed(case, run, loads)
        if is_left or loads.waiting or loads.missing:
            return loads.missing, counts
        are_loaded, done = self._settlement.run_files(run)
        counts += done
        if are_loaded:
            keys = [item.key for item in objects]
            repaired = (
                *case.refreshed(run, keys, context.now),
                *self._reload.story(run, objects, loads),
            )
            context.watch.settle(run, repaired)
            counts += RepairCounts(settled=1)
        return loads.missing, counts

    def _bring(
        self, case: Case, missing: Sequence[StoredObject], pipe: PipeNow
    ) -> RepairCounts:
        """Have what no record names loaded, without a second load of anything."""
        context, counts = self._context, NOTHING_DONE
        if not pipe.is_running:
            self._problems.stopped(case, pipe)
            # what says so next time wakes the warehouse
            rest(context, case)
            return counts
        young = [
            item for item in missing if context.now - item.modified_at < REFRESH_REACH
        ]
        for item in missing:
            if item not in young:
                counts += self._reload.beyond_refresh(case, item)
        is_in_vain = case.retry_from(context.now).refreshes >= MAX_REFRESHES
        if young and is_in_vain:
            self._problems.add(
                "load_unseen",
                case.dataset,
                f"{counted(len(young), 'file')} not loaded, and REFRESH did not help",
                f"compare `DESC PIPE {context.pipe(case)}` with "
                f"{young[0].key}; if it is missing or another one, `catflap "
                f"restore-sql {case.dataset}` prints the SQL that makes it",
            )
        if not young or is_in_vain:
            rest(context, case)
            return counts
        days, after = refresh_bounds(young)
        taken = context.pipes.refresh(context.pipe(case), days, after)
        LOG.info("%s: REFRESH queued %s files for the pipe", case.dataset, taken)
        self._problems.check_notifications(pipe)
        soon(context, case, refreshed=[file_name(one.key) for one in young])
        return counts + RepairCounts(refreshed=taken)
