"""What failed to load is reloaded under a new name, or left to a person."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

from lambdas.core.errors import CatflapError
from lambdas.core.landing.names import raw_name, unmarked_key
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.repair import Repair, Repaired
from lambdas.core.loading.status import HISTORY_REACH, Failed, RunLoads, StoredObject
from lambdas.core.pull.run import LandedRun
from lambdas.core.repair.case import (
    NOTHING_DONE,
    Case,
    RepairContext,
    RepairCounts,
)
from lambdas.core.repair.problems import Problems
from lambdas.core.sql import names
from lambdas.core.sql import repair as repairing

LOG = logging.getLogger("catflap.repair")


class ObjectReload:
    """Reloads objects, never one of which a row may be in the table."""

    def __init__(self, context: RepairContext, problems: Problems) -> None:
        self._context = context
        self._problems = problems

    def failed(
        self, case: Case, run: LandedRun, loads: RunLoads
    ) -> tuple[bool, RepairCounts]:
        """Reload what failed: whether some is yet to load, and how many were."""
        is_left, counts = False, NOTHING_DONE
        for failed in loads.failed:
            waits, done = self._one(case, run, failed)
            is_left, counts = is_left or waits, counts + done
        return is_left, counts

    def beyond_refresh(self, case: Case, item: StoredObject) -> RepairCounts:
        """Reload what REFRESH does not reach, if it was never loaded for certain:
        the history reaches back so far, this pipe is older, and no row is of it.
        """
        made_at = self._context.pipes.created_at(self._context.pipe(case))
        failed = _never_loaded(item)
        is_certain = (
            self._context.now - item.modified_at < HISTORY_REACH
            and made_at is not None
            and made_at < item.modified_at
            and self._doubt(case.dataset, failed) is None
        )
        if not is_certain:
            self._problems.add(
                "load_unseen",
                case.dataset,
                f"{item.key} landed on {item.modified_at:%Y-%m-%d}, and nothing shows "
                "whether it was ever loaded",
                "compare its rows with the table; load it by hand only if none is "
                "there: a second load would double them",
            )
            return NOTHING_DONE
        self._context.reloader.land_again(failed)
        return RepairCounts(landed_again=1)

    def story(
        self,
        run: LandedRun,
        objects: Sequence[StoredObject],
        loads: RunLoads,
    ) -> tuple[Repaired, ...]:
        """What was reloaded for a run that is loaded now, if anything was."""
        reloaded = _reloaded(objects, loads)
        if not reloaded:
            return ()
        repaired = Repaired(
            dataset=run.dataset,
            run_id=run.run_id,
            repair=Repair.LANDED_AGAIN,
            at=self._context.now,
            files=tuple(reloaded),
            rows=sum(self._context.reloader.rows_of(key) for key in reloaded),
            refused=tuple(
                one
                for key in reloaded
                for one in self._context.reloader.refused_of(key)
            ),
        )
        return (repaired,)

    def _one(
        self, case: Case, run: LandedRun, failed: Failed
    ) -> tuple[bool, RepairCounts]:
        if failed.attempt >= self._context.max_attempts:
            self._given_up(case, failed, "it was tried too many times")
            return True, NOTHING_DONE
        doubt = self._doubt(case.dataset, failed)
        if doubt is not None:
            self._given_up(case, failed, doubt)
            return True, NOTHING_DONE
        try:
            landed = self._context.reloader.land_again(failed)
        except CatflapError as error:
            self._given_up(case, failed, str(error))
            return True, NOTHING_DONE
        self._context.reloader.amend(run.newest_key)
        LOG.info(
            "%s was reloaded: %s rows, and %s in quarantine",
            failed.source.key,
            landed.rows,
            landed.refused,
        )
        return landed.key is not None, RepairCounts(landed_again=1)

    def _doubt(self, dataset: str, failed: Failed) -> str | None:
        """Why not to reload it: the table has not the rows that were loaded of it."""
        expected = {failed.name_of(attempt): rows for attempt, rows in failed.loaded}
        tried = [failed.name_of(attempt) for attempt in range(failed.attempt + 1)]
        statement = repairing.rows_of_files(self._context.database, dataset, tried)
        found = {
            str(name): counts
            for name, *counts in self._context.warehouse.query(statement)
        }
        if found == {name: [rows] * 3 for name, rows in expected.items() if rows}:
            return None
        if not expected:
            return "the table has rows of this file"
        return (
            "the table's rows of this file are not those that the load history reports"
        )

    def _given_up(self, case: Case, failed: Failed, why: str) -> None:
        table = names.raw_table(self._context.database, case.dataset)
        if failed.loaded:
            self._problems.add(
                "load_partial",
                case.dataset,
                f"{failed.source.key} was loaded in part and cannot be repaired "
                f"automatically: {why}",
                f"compare its rows with {table}, by _FILE and _ROW, and load by hand "
                "what is missing: a reload might double the rest",
            )
            return
        self._problems.add(
            "load_failed",
            case.dataset,
            f"{failed.source.key} fails to load and cannot be repaired "
            f"automatically: {why}",
            f"COPY_HISTORY of {table} has its error; fix the "
            f"cause, then `catflap replay {case.dataset}` reloads it",
        )


def _never_loaded(item: StoredObject) -> Failed:
    """An object of which no record tells, by whichever name it landed last."""
    name = raw_name(item.key)
    return Failed(
        source=dataclasses.replace(
            item, key=item.key if name is None else unmarked_key(item.key)
        ),
        attempt=0 if name is None else name.attempt,
        record=LoadRecord(
            file=item.key,
            status="none",
            rows_loaded=None,
            rows_parsed=None,
            first_error=None,
            loaded_at=None,
        ),
    )


def _reloaded(objects: Sequence[StoredObject], loads: RunLoads) -> list[str]:
    parts = {
        name.first
        for item in objects
        if (name := raw_name(item.key)) is not None and name.attempt
    } | {
        name.first
        for failed in loads.failed
        if (name := raw_name(failed.source.key)) is not None
    }
    return [
        item.key
        for item in objects
        if (name := raw_name(item.key)) is not None and name.part in parts
    ]
