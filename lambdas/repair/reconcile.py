"""One look at all that has landed and was not yet seen loaded.

A healthy run is settled by its pipe's own report, and no warehouse is woken for it.
Whatever is done here may be done again: REFRESH loads only what the pipe never took,
what lands again has a name that follows from what failed, and a run is settled, and
its repair told, by one conditional write.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

from lambdas.core.dataset import Catalogue
from lambdas.core.errors import CatflapError, WarehouseError
from lambdas.core.facts import LoadRecord
from lambdas.core.landing import (
    RUNS,
    file_name,
    raw_name,
    run_prefix,
    unmarked_key,
)
from lambdas.core.ports import Warehouse
from lambdas.core.reconciling import (
    HISTORY_REACH,
    MAX_REFRESHES,
    REFRESH_REACH,
    Failed,
    PipeNow,
    RunLoads,
    StoredObject,
    awaited_of,
    loads_of,
    refresh_bounds,
    rest_after,
    seen_loaded,
    since_when,
)
from lambdas.core.relanding import Relanding, Stored
from lambdas.core.repair import LoadWatch, Look, Repair, Repaired, Trouble
from lambdas.core.run import LandedRun
from lambdas.core.sql import names, repairing

LOG = logging.getLogger("catflap.repair")

THREADS = 8
PRUNE_EVERY = timedelta(days=1)
_NOT_ASKED = ""


class PipeControl(Protocol):
    """What pipes say, and what they are told."""

    def now(self, pipe: str) -> PipeNow:
        """What a pipe reports of itself. Raises WarehouseError."""

    def loading_whole(self, database: str) -> frozenset[str]:
        """The pipes that load a file whole or not at all. Raises WarehouseError."""

    def created_at(self, pipe: str) -> datetime | None:
        """When it was made; None is not known."""

    def refresh(self, pipe: str, prefixes: Sequence[str], after: datetime) -> int:
        """Tell it of what it never took; how many files it took now."""


class Wiring(Protocol):
    """What is between the bucket and the pipes."""

    def missing(self, channel: str | None) -> tuple[str, str] | None:
        """What of it is gone, and what to do; None if all is there."""


History = Callable[[str, datetime], Sequence[LoadRecord]]
"""(dataset, since) to the loads of its table, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairResult:
    """What a look did, in figures."""

    awaited: int = 0
    settled: int = 0
    histories: int = 0
    refreshed: int = 0
    landed_again: int = 0
    pruned: int = 0
    failed: int = 0
    troubles: int = 0
    left: int = 0


@dataclass(slots=True)
class _Tally:
    settled: int = 0
    histories: int = 0
    refreshed: int = 0
    landed_again: int = 0
    pruned: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """The runs of a dataset that are awaited from one pipe."""

    dataset: str
    generation: int
    runs: tuple[LandedRun, ...]
    look: Look | None

    @property
    def name(self) -> str:
        """What is remembered of it stands under this."""
        return f"{self.dataset}.g{self.generation}"


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
        stored: Stored,
        relanding: Relanding,
        wiring: Wiring,
        grace: timedelta,
        every: timedelta,
        max_attempts: int,
        has_time: Callable[[], bool],
    ) -> None:
        """`every` is how often it looks, `max_attempts` how often an object lands again
        before a person has to look, `has_time` whether there is time for one more
        dataset.
        """
        self._max_attempts = max_attempts
        self._catalogue = catalogue
        self._database = database
        self._watch = watch
        self._pipes = pipes
        self._warehouse = warehouse
        self._history = history
        self._stored = stored
        self._relanding = relanding
        self._wiring = wiring
        self._grace = grace
        self._every = every
        self._has_time = has_time
        self._tally = _Tally()
        self._troubles: dict[str, Trouble] = {}
        self._before: Mapping[str, Trouble] = {}
        self._run_file: str | None = _NOT_ASKED
        self._whole: frozenset[str] | None = None

    def run(self, *, now: datetime) -> RepairResult:
        """Look at every dataset that is due."""
        runs = self._watch.landed()
        looks = self._watch.looks()
        before = self._watch.troubles()
        cases = self._cases(runs, looks)
        due = [each for each in cases if _is_due(each.look, now)]
        due.sort(
            key=lambda each: each.look.next_at if each.look else each.runs[0].landed_at
        )
        self._before = {trouble.name: trouble for trouble in before}
        self._keep(before, cases, due)
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
                self._stands(before, case.dataset)
        self._watch.record_troubles(before, list(self._troubles.values()))
        tally = self._tally
        return RepairResult(
            awaited=len(runs),
            settled=tally.settled,
            histories=tally.histories,
            refreshed=tally.refreshed,
            landed_again=tally.landed_again,
            pruned=tally.pruned,
            failed=tally.failed,
            troubles=len(self._troubles),
            left=len(due) - done,
        )

    def _cases(
        self, runs: Iterable[LandedRun], looks: Mapping[str, Look]
    ) -> list[_Case]:
        def pipe_of(run: LandedRun) -> tuple[str, int]:
            name = raw_name(run.newest_key)
            return run.dataset, name.generation if name is not None else 0

        ordered = sorted(runs, key=lambda run: (*pipe_of(run), run.run_id))
        return [
            _Case(
                dataset=dataset,
                generation=generation,
                runs=tuple(group),
                look=looks.get(f"{dataset}.g{generation}"),
            )
            for (dataset, generation), group in groupby(ordered, key=pipe_of)
        ]

    def _keep(
        self, before: Sequence[Trouble], cases: Sequence[_Case], due: Sequence[_Case]
    ) -> None:
        """Troubles of datasets that are not looked at this time stand as they are."""
        resting = {each.dataset for each in cases} - {each.dataset for each in due}
        for trouble in before:
            if trouble.dataset in resting:
                self._troubles[trouble.name] = trouble
            elif trouble.dataset is None:
                self._keep_wiring(trouble)

    def _keep_wiring(self, trouble: Trouble) -> None:
        """What concerns all is looked at each time, until it is mended."""
        try:
            pipe = self._pipes.now(names.runs_pipe(self._database))
            gone = self._wiring.missing(pipe.channel)
        except CatflapError as error:
            LOG.warning("what tells the pipes is not known: %s", error)
            self._troubles[trouble.name] = trouble
            return
        if gone is not None:
            self._troubles[trouble.name] = trouble

    def _stands(self, before: Sequence[Trouble], dataset: str) -> None:
        """What could not be looked at stands as it did."""
        for trouble in before:
            if trouble.dataset == dataset:
                self._troubles[trouble.name] = trouble

    def _statuses(self, due: Sequence[_Case]) -> dict[str, PipeNow]:
        """The pipes' own reports, in a few threads; one that fails is not there."""

        def ask(case: _Case) -> PipeNow | None:
            try:
                return self._pipes.now(self._pipe(case))
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

    def _pipe(self, case: _Case) -> str:
        return names.pipe(self._database, case.dataset, case.generation)

    def _examine(self, case: _Case, pipe: PipeNow | None, now: datetime) -> None:
        left = [
            run for run in case.runs if not self._settled_at_once(case, run, pipe, now)
        ]
        late = [run for run in left if now - run.landed_at > self._grace]
        if not left:
            self._over(case, now)
            return
        if not late:
            return
        if pipe is None:
            self._trouble(
                "load_unseen",
                case,
                now,
                "its pipe cannot be read, and what landed was not seen loaded",
                f"ask `SELECT SYSTEM$PIPE_STATUS('{self._pipe(case)}')`; deploy the "
                "warehouse stack if the pipe is gone",
            )
            self._rest(case, now)
            return
        if not pipe.is_running and pipe.pending:
            self._stopped(case, pipe, now)
            return
        if pipe.pending and now - late[0].landed_at < timedelta(days=1):
            self._rest(case, now)  # it is at work
            return
        self._by_history(case, late, pipe, now)

    def _settled_at_once(
        self, case: _Case, run: LandedRun, pipe: PipeNow | None, now: datetime
    ) -> bool:
        if pipe is None or not seen_loaded(run, pipe) or not self._loads_whole(case):
            return False
        if self._needs_file(run) and self._newest_run_file() != f"{run.run_id}.json":
            return False
        self._settle(run, _refreshed(case, run, [run.newest_key], now))
        return True

    def _loads_whole(self, case: _Case) -> bool:
        """Whether its pipe never loads a file in part; asked once a look, of all."""
        if self._whole is None:
            try:
                self._whole = self._pipes.loading_whole(self._database)
            except WarehouseError as error:
                LOG.warning("what the pipes do with errors is not known: %s", error)
                self._whole = frozenset()
        return self._pipe(case) in self._whole

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

    def _needs_file(self, run: LandedRun) -> bool:
        """`replace` shows a run only once its file is loaded."""
        dataset = self._catalogue.datasets.get(run.dataset)
        return dataset is not None and dataset.write_disposition == "replace"

    def _by_history(
        self,
        case: _Case,
        late: Sequence[LandedRun],
        pipe: PipeNow,
        now: datetime,
    ) -> None:
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
            is_left = self._again(case, run, loads, now)
            missing += loads.missing
            is_left = is_left or bool(loads.waiting or loads.missing)
            if not is_left and self._run_files_are_loaded(run, now):
                self._settle(run, self._story(case, run, objects, loads, now))
            else:
                is_whole = False
        if missing:
            self._bring(case, missing, pipe, now)
        elif is_whole and len(late) == len(case.runs):
            self._over(case, now)
        elif self._tally.landed_again > landed_again:
            # it is about to be loaded: the next look should see it
            look = case.look or Look(dataset=case.name, next_at=now)
            self._watch.remember(dataclasses.replace(look, next_at=now, looks=0))
        else:
            self._rest(case, now)

    def _again(
        self, case: _Case, run: LandedRun, loads: RunLoads, now: datetime
    ) -> bool:
        """Land again what failed; whether anything of it is still to be loaded."""
        is_left = False
        for failed in loads.failed:
            if failed.attempt >= self._max_attempts:
                self._given_up(case, failed, "it was tried too often", now)
                is_left = True
                continue
            doubt = self._doubt(case.dataset, failed)
            if doubt is not None:
                self._given_up(case, failed, doubt, now)
                is_left = True
                continue
            try:
                landed = self._relanding.land_again(failed)
            except CatflapError as error:
                self._given_up(case, failed, str(error), now)
                is_left = True
                continue
            self._relanding.amend(run.newest_key)
            self._tally.landed_again += 1
            LOG.info(
                "%s landed again with %s rows, %s in quarantine",
                failed.source.key,
                landed.rows,
                landed.refused,
            )
            is_left = is_left or landed.key is not None
        return is_left

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

    def _given_up(self, case: _Case, failed: Failed, why: str, now: datetime) -> None:
        table = names.raw_table(self._database, case.dataset)
        if failed.loaded:
            self._trouble(
                "load_partial",
                case,
                now,
                f"{failed.source.key} was loaded in part and is not repaired by "
                f"itself: {why}",
                f"compare its rows with {table}, by _FILE and _ROW, and load by hand "
                "what is missing: landing it again might double the rest",
            )
            return
        self._trouble(
            "load_failed",
            case,
            now,
            f"{failed.source.key} fails to load and is not repaired by itself: {why}",
            f"COPY_HISTORY of {table} holds its error; mend "
            f"the cause, then `catflap replay {case.dataset}` lands it again",
        )

    def _bring(
        self,
        case: _Case,
        missing: Sequence[StoredObject],
        pipe: PipeNow,
        now: datetime,
    ) -> None:
        """Have what no record names loaded, without a second load of anything."""
        if not pipe.is_running:
            self._stopped(case, pipe, now)
            self._rest(case, now)  # what says so next time wakes the warehouse
            return
        look = case.look or Look(dataset=case.name, next_at=now)
        young = [item for item in missing if now - item.modified_at < REFRESH_REACH]
        for item in missing:
            if item not in young:
                self._beyond_refresh(case, item, now)
        if young and look.refreshes >= MAX_REFRESHES:
            self._trouble(
                "load_unseen",
                case,
                now,
                f"{len(young)} files are not loaded, and REFRESH does not bring them",
                f"compare `DESC PIPE {self._pipe(case)}` with {young[0].key}; deploy "
                "the warehouse stack",
            )
        if not young or look.refreshes >= MAX_REFRESHES:
            self._rest(case, now)
            return
        days, after = refresh_bounds(young)
        taken = self._pipes.refresh(self._pipe(case), days, after)
        self._tally.refreshed += taken
        LOG.info("%s: REFRESH told the pipe of %s files", case.dataset, taken)
        self._look_at_wiring(pipe, now)
        self._watch.remember(
            dataclasses.replace(
                look,
                next_at=now,
                looks=0,
                refreshes=look.refreshes + 1,
                refreshed=tuple(
                    sorted({*look.refreshed, *(file_name(one.key) for one in young)})
                ),
            )
        )

    def _beyond_refresh(self, case: _Case, item: StoredObject, now: datetime) -> None:
        """Land again what REFRESH does not reach, if it was never loaded for certain:
        the history reaches back so far, this pipe is older, and no row is of it.
        """
        made_at = self._pipes.created_at(self._pipe(case))
        failed = _never_loaded(item)
        is_certain = (
            now - item.modified_at < HISTORY_REACH
            and made_at is not None
            and made_at < item.modified_at
            and self._doubt(case.dataset, failed) is None
        )
        if not is_certain:
            self._trouble(
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

    def _look_at_wiring(self, pipe: PipeNow, now: datetime) -> None:
        gone = self._wiring.missing(pipe.channel)
        if gone is not None:
            self._add("not_notified", None, *gone, now)

    def _stopped(self, case: _Case, pipe: PipeNow, now: datetime) -> None:
        """Somebody may have paused it on purpose: it is never resumed from here."""
        name = self._pipe(case)
        self._trouble(
            "pipe_stopped",
            case,
            now,
            f"files wait, and the pipe {name} is {pipe.state}",
            f"unless it is meant to be: `catflap replay {case.dataset}` resumes it and "
            f"loads what waits; or by hand: `{repairing.resume_pipe(name)}`",
        )

    def _run_files_are_loaded(self, run: LandedRun, now: datetime) -> bool:
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

    def _story(
        self,
        case: _Case,
        run: LandedRun,
        objects: Sequence[StoredObject],
        loads: RunLoads,
        now: datetime,
    ) -> tuple[Repaired, ...]:
        """What was done for a run that is loaded now."""
        told = list(_refreshed(case, run, [item.key for item in objects], now))
        again = self._sources_of_again(objects, loads)
        if again:
            told.append(
                Repaired(
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
            )
        return tuple(told)

    def _sources_of_again(
        self, objects: Sequence[StoredObject], loads: RunLoads
    ) -> list[str]:
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

    def _settle(self, run: LandedRun, repaired: Sequence[Repaired]) -> None:
        self._watch.settle(run, repaired)
        self._tally.settled += 1

    def _over(self, case: _Case, now: datetime) -> None:
        """Nothing is awaited any more; once a day, old runs of a `replace` go."""
        dataset = self._catalogue.datasets.get(case.dataset)
        look = case.look
        if dataset is None or dataset.write_disposition != "replace":
            if look is not None:
                self._watch.forget(case.name)
            return
        pruned_at = look.pruned_at if look is not None else None
        if pruned_at is None or now - pruned_at >= PRUNE_EVERY:
            statement = repairing.delete_old_runs(self._database, dataset)
            self._tally.pruned += _deleted(self._warehouse.query(statement))
            pruned_at = now
        self._watch.remember(Look(dataset=case.name, next_at=now, pruned_at=pruned_at))

    def _rest(self, case: _Case, now: datetime) -> None:
        look = case.look or Look(dataset=case.name, next_at=now)
        rest = rest_after(look.looks, every=self._every)
        # a moment less than a tick, or a rest of one tick would last two
        next_at = now + rest - timedelta(seconds=30)
        self._watch.remember(
            dataclasses.replace(look, looks=look.looks + 1, next_at=next_at)
        )

    def _trouble(
        self, code: str, case: _Case, now: datetime, sentence: str, next_step: str
    ) -> None:
        self._add(code, case.dataset, sentence, next_step, now)

    def _add(
        self,
        code: str,
        dataset: str | None,
        sentence: str,
        next_step: str,
        now: datetime,
    ) -> None:
        trouble = Trouble(
            code=code,
            dataset=dataset,
            sentence=sentence,
            next_step=next_step,
            since=now,
        )
        known = self._before.get(trouble.name)
        if known is not None:
            trouble = dataclasses.replace(trouble, since=known.since)
        self._troubles[trouble.name] = trouble


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


def _is_due(look: Look | None, now: datetime) -> bool:
    return look is None or look.next_at <= now


def _deleted(rows: Sequence[tuple[object, ...]]) -> int:
    count = rows[0][0] if rows else 0
    return count if isinstance(count, int) else 0


def _refreshed(
    case: _Case, run: LandedRun, keys: Sequence[str], now: datetime
) -> tuple[Repaired, ...]:
    """What REFRESH did for a run, if it did anything."""
    told_of = set(case.look.refreshed if case.look is not None else ())
    files = tuple(key for key in keys if file_name(key) in told_of)
    if not files:
        return ()
    repaired = Repaired(
        dataset=run.dataset,
        run_id=run.run_id,
        repair=Repair.REFRESHED,
        at=now,
        files=files,
    )
    return (repaired,)
