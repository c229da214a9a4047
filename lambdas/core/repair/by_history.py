"""One case, judged by the history of its table's loads: this wakes the warehouse."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from lambdas.core.landing.names import file_name, run_prefix
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.reload import LandingReader
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
from lambdas.core.repair.case import Case, History, PipeControl, RepairCounts
from lambdas.core.repair.next_check import NextCheck
from lambdas.core.repair.problems import Problems
from lambdas.core.repair.reload import ObjectReload
from lambdas.core.repair.settle import Settlement

LOG = logging.getLogger("catflap.repair")


class ByHistory:
    """Holds what landed against what was loaded, and has the rest loaded once."""

    def __init__(
        self,
        *,
        database: str,
        pipes: PipeControl,
        history: History,
        stored: LandingReader,
        grace: timedelta,
        again: ObjectReload,
        settling: Settlement,
        next_look: NextCheck,
        troubles: Problems,
        tally: RepairCounts,
    ) -> None:
        self._database = database
        self._pipes = pipes
        self._history = history
        self._stored = stored
        self._grace = grace
        self._again = again
        self._settling = settling
        self._next_look = next_look
        self._troubles = troubles
        self._tally = tally

    def judge(
        self, case: Case, late: Sequence[LandedRun], pipe: PipeNow, now: datetime
    ) -> None:
        """Settle the late runs that are loaded, and see to the others."""
        self._tally.histories += 1
        records: dict[str, LoadRecord] = {}
        for record in self._history(case.dataset, since_when(late, now=now)):
            records.setdefault(record.name, record)
        missing: list[StoredObject] = []
        is_whole = True
        landed_again = self._tally.landed_again
        for run in late:
            found = self._stored.below(run_prefix(run.newest_key))
            objects = awaited_of(run, found)
            loads = loads_of(objects, records, now=now, grace=self._grace)
            is_left = self._again.failed(case, run, loads, now)
            missing += loads.missing
            is_left = is_left or bool(loads.waiting or loads.missing)
            if not is_left and self._settling.run_files_are_loaded(run, now):
                told = (
                    *case.refreshed(run, [item.key for item in objects], now),
                    *self._again.story(run, objects, loads, now),
                )
                self._settling.settle(run, told)
            else:
                is_whole = False
        if missing:
            self._bring(case, missing, pipe, now)
        elif is_whole and len(late) == len(case.runs):
            self._next_look.over(case, now)
        elif self._tally.landed_again > landed_again:
            self._next_look.soon(case, now)
        else:
            self._next_look.rest(case, now)

    def _bring(
        self,
        case: Case,
        missing: Sequence[StoredObject],
        pipe: PipeNow,
        now: datetime,
    ) -> None:
        """Have what no record names loaded, without a second load of anything."""
        if not pipe.is_running:
            self._troubles.stopped(case, pipe, now)
            # what says so next time wakes the warehouse
            self._next_look.rest(case, now)
            return
        refreshes = case.look_from(now).refreshes
        young = [item for item in missing if now - item.modified_at < REFRESH_REACH]
        for item in missing:
            if item not in young:
                self._again.beyond_refresh(case, item, now)
        if young and refreshes >= MAX_REFRESHES:
            self._troubles.add(
                "load_unseen",
                case,
                now,
                f"{len(young)} files are not loaded, and REFRESH does not bring them",
                f"compare `DESC PIPE {case.pipe(self._database)}` with "
                f"{young[0].key}; deploy the warehouse stack",
            )
        if not young or refreshes >= MAX_REFRESHES:
            self._next_look.rest(case, now)
            return
        days, after = refresh_bounds(young)
        taken = self._pipes.refresh(case.pipe(self._database), days, after)
        self._tally.refreshed += taken
        LOG.info("%s: REFRESH told the pipe of %s files", case.dataset, taken)
        self._troubles.look_at_wiring(pipe, now)
        self._next_look.after_refresh(case, {file_name(one.key) for one in young}, now)
