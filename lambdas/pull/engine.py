"""One pull of one dataset: from its first request to its moved cursor.

The engine knows neither AWS nor HTTP: pages come from a PageSource, bytes go to a
LandingZone, and the commit protocol makes them visible. The Lambda and
`catflap pull` run this same code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec
from isal import isal_zlib

from lambdas.core.commit import Committer, failed_event
from lambdas.core.cursor import EveryRow, NewRows, Window, plan_window
from lambdas.core.dataset import Dataset
from lambdas.core.errors import (
    BadInput,
    CatflapError,
    RunErrorKind,
    StateConflict,
    Terminal,
    UpstreamError,
)
from lambdas.core.landing import (
    RANDOM_BYTES,
    ROLL_OVER_BYTES,
    new_run_id,
    raw_key,
    whole_milliseconds,
)
from lambdas.core.ports import (
    Clock,
    Events,
    LandingZone,
    ObjectWriter,
    Page,
    PageSource,
    RunState,
)
from lambdas.core.run import (
    CursorPosition,
    CursorValue,
    DatasetState,
    PendingObject,
    Resume,
    Run,
    RunError,
    RunStatus,
)
from lambdas.core.segment import (
    UNBOUNDED,
    Budget,
    Cut,
    begins_anew_at,
    may_be_stale,
    resumable,
    shape_of,
)
from lambdas.core.sql import generation

GZIP = 31
"""zlib's `wbits` for a gzip member with a 32 KB window."""
LEVEL = 1
_NEXT = timedelta(milliseconds=1)


SourceFactory: TypeAlias = Callable[[Dataset, Window], PageSource]
"""Opens the pages of a dataset for one window; nobody has read from them yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullResult:
    """A run, and the objects it made visible (none if it failed).

    `continues`: the run was a segment, and the pull goes on after it. `went_on`: it
    went on with a pull that had begun before.
    """

    run: Run
    objects: tuple[PendingObject, ...] = ()
    continues: bool = False
    went_on: bool = False


class Puller:
    """Pulls datasets, one run at a time."""

    def __init__(
        self,
        *,
        landing: LandingZone,
        state: RunState,
        events: Events,
        clock: Clock,
        source: SourceFactory,
        random: Callable[[int], bytes],
        roll_over_bytes: int = ROLL_OVER_BYTES,
        budget: Budget = UNBOUNDED,
    ) -> None:
        self._landing = landing
        self._state = state
        self._events = events
        self._clock = clock
        self._source = source
        self._random = random
        self._roll_over_bytes = roll_over_bytes
        self._budget = budget
        self._committer = Committer(
            landing=landing, state=state, events=events, clock=clock
        )

    def is_done(
        self, dataset: str, due_at: datetime | None, *, continues: bool = False
    ) -> bool:
        """Whether there is nothing to do: a tick is older than the last successful
        run's start, and whatever it asked for was fetched then; or a message that asks
        to continue a long pull (`continues`) finds none half-way.

        A run that was left half-way is rolled forward first. A pull that is half-way
        goes on, whoever asks.
        """
        state = self._committer.read(dataset)
        if state.resume is not None:
            return False
        last = state.last_success_started_at
        return continues or (due_at is not None and last is not None and due_at <= last)

    def pull(
        self,
        dataset: Dataset,
        *,
        start: CursorValue | None = None,
        end: CursorValue | None = None,
    ) -> PullResult:
        """Pull what is new, up to `end` if given.

        With `start` a past window is pulled and the cursor stays where it is. Without
        either, a pull that has spent its budget lands what it has, and the next one
        goes on there. Upstream faults come back as a failed run, with nothing landed
        and the cursor unmoved. Raises StateConflict if somebody else pulled meanwhile,
        and whatever the landing zone and the state raise: those are ours, and the
        message must come again.
        """
        before = self._committer.read(dataset.name)
        run = self._begun(before)
        self._state.record_started(run)
        transfer = _Transfer(
            run=run,
            dataset=dataset,
            landing=self._landing,
            clock=self._clock,
            roll_over_bytes=self._roll_over_bytes,
            budget=self._budget if start is None and end is None else UNBOUNDED,
        )
        try:
            plan = _plan(dataset, before, start=start, end=end)
            plan = self._transferred(transfer, dataset, before, plan)
            _must_move(plan, transfer.cut)
            objects = transfer.finish()
        except UpstreamError as error:
            transfer.abort()
            return PullResult(run=self._failed(transfer.run, error.kind, str(error)))
        except BaseException as error:
            transfer.abort()
            if isinstance(error, Exception):
                self._failed(transfer.run, RunErrorKind.INTERNAL, _sentence(error))
            raise
        ending = _Ending.of(dataset, before, transfer, plan)
        try:
            landed = self._committer.commit(
                before,
                dataclasses.replace(transfer.run, cursor_after=ending.cursor.value),
                objects,
                ending.cursor,
                disposition=dataset.write_disposition,
                answered_until=ending.answered_until,
                resumed=plan.resumed,
                resume_after=ending.resume,
            )
        except StateConflict:
            transfer.abort()
            raise
        is_landed = landed.status is RunStatus.LANDED
        return PullResult(
            run=landed,
            objects=objects if is_landed else (),
            continues=is_landed and transfer.cut is not None,
            went_on=plan.resumed is not None,
        )

    def _begun(self, before: DatasetState) -> Run:
        # As the names of its objects carry it, so that nothing of a run predates it.
        started_at = whole_milliseconds(self._clock.now())
        if before.newest_run_at is not None:
            # A newer run's rows win over an older one's, whatever a clock says.
            started_at = max(started_at, before.newest_run_at + _NEXT)
        return Run(
            dataset=before.dataset,
            run_id=new_run_id(started_at, self._random(RANDOM_BYTES)),
            status=RunStatus.RUNNING,
            started_at=started_at,
            finished_at=None,
            rows=0,
            size=0,
            objects=0,
            pages=0,
            requests=0,
            retries=0,
            cursor_before=before.cursor.value,
            cursor_after=before.cursor.value,
        )

    def _transferred(
        self,
        transfer: _Transfer,
        dataset: Dataset,
        before: DatasetState,
        plan: _Plan,
    ) -> _Plan:
        """Carry the pages over. A stored position that upstream refuses may have
        expired: then the pull begins anew, if that doubles nothing.
        """
        try:
            transfer.run_from(self._source(dataset, plan.window), plan.rows)
        except Terminal as error:
            resumed = plan.resumed
            if resumed is None or resumed.position is None:
                raise
            if transfer.run.pages or not may_be_stale(error):
                raise
            anew = begins_anew_at(dataset, resumed, before.cursor)
            if anew is None:
                raise
            plan = _planned(dataset, anew)
            transfer.run_from(self._source(dataset, plan.window), plan.rows)
        return plan

    def _failed(self, run: Run, kind: RunErrorKind, message: str) -> Run:
        failed = dataclasses.replace(
            run,
            status=RunStatus.FAILED,
            finished_at=self._clock.now(),
            rows=0,
            size=0,
            objects=0,
            error=RunError(kind=kind, message=message),
        )
        self._state.record_failed(failed)
        self._events.publish("pull.failed", failed_event(failed))
        return failed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a run asks for from a `position` of the cursor on, and how it tells new
    rows. `is_live` unless it pulls a past window; `resumed` is the long pull that it
    goes on with.
    """

    window: Window
    position: CursorPosition
    rows: NewRows | EveryRow
    is_live: bool = True
    resumed: Resume | None = None


def _plan(
    dataset: Dataset,
    before: DatasetState,
    *,
    start: CursorValue | None,
    end: CursorValue | None,
) -> _Plan:
    if start is not None:
        return _planned(dataset, CursorPosition(), start=start, end=end)
    if before.resume is not None and end is not None:
        raise BadInput(
            f"{dataset.name}: a long pull is half-way ({before.resume.segments} "
            "segments have landed); let it end before a pull with an end of its own"
        )
    resume = resumable(dataset, before.resume)
    plan = _planned(dataset, before.cursor, end=end, resume=resume)
    return dataclasses.replace(plan, resumed=resume)


def _planned(
    dataset: Dataset,
    position: CursorPosition,
    *,
    start: CursorValue | None = None,
    end: CursorValue | None = None,
    resume: Resume | None = None,
) -> _Plan:
    page, reached = None, None
    if resume is not None and resume.position is not None:
        page, reached = msgspec.json.decode(resume.position), resume.reached
    incremental = dataset.source.cursor
    if incremental is None:
        if start is not None or end is not None:
            raise BadInput(
                f"{dataset.name} has no incremental in its source, so it has no "
                "window to pull; it is always pulled whole"
            )
        every = EveryRow(position=position)
        return _Plan(window=Window(position=page), position=position, rows=every)
    window = plan_window(incremental, position, start=start, end=end)
    window = dataclasses.replace(window, position=page)
    rows = NewRows(dataset=dataset, position=position, window=window, reached=reached)
    return _Plan(window=window, position=position, rows=rows, is_live=start is None)


def _must_move(plan: _Plan, cut: Cut | None) -> None:
    """Raise Terminal if a segment ends where it began: within one process the source
    notices pages that go in circles, over several nobody else would.
    """
    if plan.resumed is None or cut is None or cut.position is None:
        return
    if cut.position == plan.resumed.position:
        raise Terminal(
            "the pages go in circles: a segment of a long pull ended at the position "
            "where it began; the API does not know the parameter that the paginator "
            "sends, or repeats its link",
            kind=RunErrorKind.RESPONSE,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """What the state says after a run."""

    cursor: CursorPosition
    resume: Resume | None
    answered_until: datetime | None

    @classmethod
    def of(
        cls, dataset: Dataset, before: DatasetState, transfer: _Transfer, plan: _Plan
    ) -> _Ending:
        """A past window changes nothing; a segment that ended at a position moves the
        cursor only in what is still to come; a pull answers ticks once it has ended.
        """
        run, cut, resumed = transfer.run, transfer.cut, plan.resumed
        if not plan.is_live:
            return cls(
                cursor=before.cursor,
                resume=before.resume,
                answered_until=before.last_success_started_at,
            )
        begun_at = resumed.started_at if resumed else run.started_at
        if cut is None:
            return cls(cursor=plan.rows.position, resume=None, answered_until=begun_at)
        stays = cut.position is not None
        resume = Resume(
            position=cut.position,
            reached=plan.rows.position if stays else CursorPosition(),
            pull_id=resumed.pull_id if resumed else run.run_id,
            started_at=begun_at,
            segments=resumed.segments + 1 if resumed else 1,
            shape=shape_of(dataset),
        )
        return cls(
            cursor=plan.position if stays else plan.rows.position,
            resume=resume,
            answered_until=before.last_success_started_at,
        )


def _sentence(error: Exception) -> str:
    """What a run record says of an error nobody foresaw: its type, and its text only
    where the text is ours and so is known to hold no secret.
    """
    return str(error) if isinstance(error, CatflapError) else type(error).__name__


class _Transfer:
    """Carries pages into open objects; keeps the counts of a run."""

    def __init__(
        self,
        *,
        run: Run,
        dataset: Dataset,
        landing: LandingZone,
        clock: Clock,
        roll_over_bytes: int,
        budget: Budget,
    ) -> None:
        self.run = run
        self.cut: Cut | None = None
        """Where the segment ended, if more is to come."""
        self._dataset = dataset
        self._generation = generation(dataset)
        self._landing = landing
        self._clock = clock
        self._roll_over_bytes = roll_over_bytes
        self._budget = budget
        self._rows = 0
        self._closed_bytes = 0
        self._finished: list[PendingObject] = []
        self._open: _OpenObject | None = None
        self._opened = 0

    def run_from(self, source: PageSource, rows: NewRows | EveryRow) -> None:
        """Read pages until there is no more, no later one can hold a new row, or the
        budget is spent and the pull can go on from here.
        """
        pages, before = 0, self.run
        try:
            for page in source.pages():
                self._write(rows.keep(page.records, page=page.number))
                pages += 1
                if rows.exhausted:
                    break
                if self._is_spent():
                    self.cut = _cut(page, rows)
                if self.cut is not None:
                    break
        finally:
            self.run = dataclasses.replace(
                before,
                pages=before.pages + pages,
                requests=before.requests + source.requests,
                retries=before.retries + source.retries,
            )

    def _is_spent(self) -> bool:
        size = self._closed_bytes + (self._open.size if self._open else 0)
        return self._budget.is_spent(
            now_s=self._clock.monotonic(), rows=self._rows, size=size
        )

    def finish(self) -> tuple[PendingObject, ...]:
        """Close the last object; everything is uploaded and nothing is visible."""
        self._close()
        objects = tuple(self._finished)
        self.run = dataclasses.replace(
            self.run,
            rows=sum(item.rows for item in objects),
            size=sum(item.size for item in objects),
            objects=len(objects),
            newest_key=objects[-1].key if objects else None,
        )
        return objects

    def abort(self) -> None:
        """Give up what is open. Finished uploads expire by the bucket's lifecycle."""
        if self._open is not None:
            self._open.writer.abort()
            self._open = None

    def _write(self, records: Sequence[bytes]) -> None:
        if not records:
            return
        if self._open is None:
            self._opened += 1
            key = raw_key(
                self._dataset.name, self._generation, self.run.run_id, self._opened
            )
            writer = self._landing.open(key, run_id=self.run.run_id)
            self._open = _OpenObject(writer)
        self._open.write(records)
        self._rows += len(records)
        if self._open.size >= self._roll_over_bytes:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._finished.append(self._open.finish())
            self._closed_bytes += self._finished[-1].size
            self._open = None


def _cut(page: Page, rows: NewRows | EveryRow) -> Cut | None:
    """Where the pull goes on after a page; None if it cannot end there."""
    if page.next_position is not None:
        return Cut(position=msgspec.json.encode(page.next_position).decode())
    return Cut(position=None) if rows.can_stop_here else None


class _OpenObject:
    """Compresses records into one object, a page at a time."""

    def __init__(self, writer: ObjectWriter) -> None:
        self.writer = writer
        self.size = 0
        self._rows = 0
        self._compressor = isal_zlib.compressobj(LEVEL, wbits=GZIP)

    def write(self, records: Sequence[bytes]) -> None:
        """Append one line a record."""
        self._rows += len(records)
        self._put(self._compressor.compress(b"\n".join(records)))
        self._put(self._compressor.compress(b"\n"))

    def finish(self) -> PendingObject:
        """Flush, and upload what is left."""
        self._put(self._compressor.flush())
        return self.writer.finish(self._rows)

    def _put(self, data: bytes) -> None:
        if data:
            self.size += len(data)
            self.writer.write(data)
