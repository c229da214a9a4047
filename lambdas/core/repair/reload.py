"""What failed to load lands again under a new name, or is given up to a person."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from datetime import datetime

from lambdas.core.errors import CatflapError
from lambdas.core.landing.names import raw_name, unmarked_key
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.reload import Reloader
from lambdas.core.loading.repair import Repair, Repaired
from lambdas.core.loading.status import HISTORY_REACH, Failed, RunLoads, StoredObject
from lambdas.core.ports import Warehouse
from lambdas.core.pull.run import LandedRun
from lambdas.core.repair.case import Case, PipeControl, RepairCounts
from lambdas.core.repair.problems import Problems
from lambdas.core.sql import names
from lambdas.core.sql import repair as repairing

LOG = logging.getLogger("catflap.repair")


class ObjectReload:
    """Lands objects again, never one of which a row may be in the table."""

    def __init__(
        self,
        *,
        database: str,
        pipes: PipeControl,
        warehouse: Warehouse,
        relanding: Reloader,
        max_attempts: int,
        troubles: Problems,
        tally: RepairCounts,
    ) -> None:
        """`max_attempts`: how often an object lands again before a person looks."""
        self._database = database
        self._pipes = pipes
        self._warehouse = warehouse
        self._relanding = relanding
        self._max_attempts = max_attempts
        self._troubles = troubles
        self._tally = tally

    def failed(
        self, case: Case, run: LandedRun, loads: RunLoads, now: datetime
    ) -> bool:
        """Land again what failed; whether anything of it is still to be loaded."""
        is_left = False
        for failed in loads.failed:
            is_left = self._one(case, run, failed, now) or is_left
        return is_left

    def beyond_refresh(self, case: Case, item: StoredObject, now: datetime) -> None:
        """Land again what REFRESH does not reach, if it was never loaded for certain:
        the history reaches back so far, this pipe is older, and no row is of it.
        """
        made_at = self._pipes.created_at(case.pipe(self._database))
        failed = _never_loaded(item)
        is_certain = (
            now - item.modified_at < HISTORY_REACH
            and made_at is not None
            and made_at < item.modified_at
            and self._doubt(case.dataset, failed) is None
        )
        if not is_certain:
            self._troubles.add(
                "load_unseen",
                case,
                now,
                f"{item.key} landed on {item.modified_at:%Y-%m-%d}, and nothing shows "
                "whether it was ever loaded",
                "compare its rows with the table; load it by hand only if none is "
                "there: a second load would double them",
            )
            return
        self._relanding.land_again(failed)
        self._tally.landed_again += 1

    def story(
        self,
        run: LandedRun,
        objects: Sequence[StoredObject],
        loads: RunLoads,
        now: datetime,
    ) -> tuple[Repaired, ...]:
        """What was landed again for a run that is loaded now, if anything was."""
        again = _sources_of_again(objects, loads)
        if not again:
            return ()
        repaired = Repaired(
            dataset=run.dataset,
            run_id=run.run_id,
            repair=Repair.LANDED_AGAIN,
            at=now,
            files=tuple(again),
            rows=sum(self._relanding.rows_of(key) for key in again),
            refused=tuple(
                one for key in again for one in self._relanding.refused_of(key)
            ),
        )
        return (repaired,)

    def _one(self, case: Case, run: LandedRun, failed: Failed, now: datetime) -> bool:
        if failed.attempt >= self._max_attempts:
            self._given_up(case, failed, "it was tried too often", now)
            return True
        doubt = self._doubt(case.dataset, failed)
        if doubt is not None:
            self._given_up(case, failed, doubt, now)
            return True
        try:
            landed = self._relanding.land_again(failed)
        except CatflapError as error:
            self._given_up(case, failed, str(error), now)
            return True
        self._relanding.amend(run.newest_key)
        self._tally.landed_again += 1
        LOG.info(
            "%s landed again with %s rows, %s in quarantine",
            failed.source.key,
            landed.rows,
            landed.refused,
        )
        return landed.key is not None

    def _doubt(self, dataset: str, failed: Failed) -> str | None:
        """Why not to land it again: the table has not just the rows that the history
        says were loaded of it.
        """
        expected = {failed.name_of(attempt): rows for attempt, rows in failed.loaded}
        tried = [failed.name_of(attempt) for attempt in range(failed.attempt + 1)]
        statement = repairing.rows_of_files(self._database, dataset, tried)
        found = {
            str(name): counts for name, *counts in self._warehouse.query(statement)
        }
        if found == {name: [rows] * 3 for name, rows in expected.items() if rows}:
            return None
        if not expected:
            return "rows of it are in the table"
        return (
            "what the table has of it are not the rows that were loaded by the history"
        )

    def _given_up(self, case: Case, failed: Failed, why: str, now: datetime) -> None:
        table = names.raw_table(self._database, case.dataset)
        if failed.loaded:
            self._troubles.add(
                "load_partial",
                case,
                now,
                f"{failed.source.key} was loaded in part and is not repaired by "
                f"itself: {why}",
                f"compare its rows with {table}, by _FILE and _ROW, and load by hand "
                "what is missing: landing it again might double the rest",
            )
            return
        self._troubles.add(
            "load_failed",
            case,
            now,
            f"{failed.source.key} fails to load and is not repaired by itself: {why}",
            f"COPY_HISTORY of {table} holds its error; mend "
            f"the cause, then `catflap replay {case.dataset}` lands it again",
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


def _sources_of_again(objects: Sequence[StoredObject], loads: RunLoads) -> list[str]:
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
