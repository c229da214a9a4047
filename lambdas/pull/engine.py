"""One pull of one dataset: from its first request to its moved cursor.

The engine knows neither AWS nor HTTP: pages come from a PageSource, bytes go to a
LandingZone, and the commit protocol makes them visible. The Lambda and
`catflap pull` run this same code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from isal import isal_zlib

from lambdas.core.commit import Committer
from lambdas.core.cursor import EveryRow, NewRows, Window, plan_window
from lambdas.core.dataset import Dataset
from lambdas.core.errors import (
    BadInput,
    CatflapError,
    RunErrorKind,
    StateConflict,
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
    PageSource,
    RunState,
)
from lambdas.core.run import (
    CursorPosition,
    CursorValue,
    PendingObject,
    Run,
    RunError,
    RunStatus,
)
from lambdas.core.sql import generation

GZIP = 31
"""zlib's `wbits` for a gzip member with a 32 KB window."""
LEVEL = 1


SourceFactory: TypeAlias = Callable[[Dataset, Window], PageSource]
"""Opens the pages of a dataset for one window; nobody has read from them yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullResult:
    """A run, and the objects it made visible (none if it failed)."""

    run: Run
    objects: tuple[PendingObject, ...] = ()


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
    ) -> None:
        self._landing = landing
        self._state = state
        self._events = events
        self._clock = clock
        self._source = source
        self._random = random
        self._roll_over_bytes = roll_over_bytes
        self._committer = Committer(
            landing=landing, state=state, events=events, clock=clock
        )

    def is_done(self, dataset: str, due_at: datetime | None) -> bool:
        """Whether a tick is older than the last successful run's start.

        Whatever it asked for was fetched then. A run that was left half-way is rolled
        forward first.
        """
        state = self._committer.read(dataset)
        last = state.last_success_started_at
        return due_at is not None and last is not None and due_at <= last

    def pull(
        self,
        dataset: Dataset,
        *,
        start: CursorValue | None = None,
        end: CursorValue | None = None,
    ) -> PullResult:
        """Pull what is new, up to `end` if given.

        With `start` a past window is pulled and the cursor stays where it is. Upstream
        faults come back as a failed run, with nothing landed and the cursor unmoved.
        Raises StateConflict if somebody else pulled meanwhile, and whatever the landing
        zone and the state raise: those are ours, and the message must come again.
        """
        before = self._committer.read(dataset.name)
        position = before.cursor if start is None else CursorPosition()
        # As the names of its objects carry it, so that nothing of a run predates it.
        started_at = whole_milliseconds(self._clock.now())
        run = Run(
            dataset=dataset.name,
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
        self._state.record_started(run)
        transfer = _Transfer(
            run=run,
            dataset=dataset,
            landing=self._landing,
            roll_over_bytes=self._roll_over_bytes,
        )
        try:
            window, rows = _plan(dataset, position, start=start, end=end)
            transfer.run_from(self._source(dataset, window), rows)
            objects = transfer.finish()
        except UpstreamError as error:
            transfer.abort()
            return PullResult(run=self._failed(transfer.run, error.kind, str(error)))
        except BaseException as error:
            transfer.abort()
            if isinstance(error, Exception):
                self._failed(transfer.run, RunErrorKind.INTERNAL, _sentence(error))
            raise
        cursor = rows.position if start is None else before.cursor
        try:
            landed = self._committer.commit(
                before,
                dataclasses.replace(transfer.run, cursor_after=cursor.value),
                objects,
                cursor,
                disposition=dataset.write_disposition,
            )
        except StateConflict:
            transfer.abort()
            raise
        return PullResult(run=landed, objects=objects)

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
        self._events.publish(
            "pull.failed",
            {
                "id": f"{run.dataset}/{run.run_id}/failed",
                "dataset": run.dataset,
                "run_id": run.run_id,
                "cause": kind.value,
                "message": message,
                "started_at": run.started_at.isoformat(),
            },
        )
        return failed


def _plan(
    dataset: Dataset,
    position: CursorPosition,
    *,
    start: CursorValue | None,
    end: CursorValue | None,
) -> tuple[Window, NewRows | EveryRow]:
    endpoint = dataset.source.endpoint
    if endpoint is None or endpoint.incremental is None:
        if start is not None or end is not None:
            raise BadInput(
                f"{dataset.name} has no source.endpoint.incremental, so it has no "
                "window to pull; it is always pulled whole"
            )
        return Window(), EveryRow(position=position)
    window = plan_window(endpoint.incremental, position, start=start, end=end)
    return window, NewRows(dataset=dataset, position=position, window=window)


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
        roll_over_bytes: int,
    ) -> None:
        self.run = run
        self._dataset = dataset
        self._generation = generation(dataset)
        self._landing = landing
        self._roll_over_bytes = roll_over_bytes
        self._finished: list[PendingObject] = []
        self._open: _OpenObject | None = None
        self._opened = 0

    def run_from(self, source: PageSource, rows: NewRows | EveryRow) -> None:
        """Read pages until there is no more, or no later one can hold a new row."""
        try:
            for page in source.pages():
                self._write(rows.keep(page.records, page=page.number))
                self.run = dataclasses.replace(self.run, pages=self.run.pages + 1)
                if rows.exhausted:
                    break
        finally:
            self.run = dataclasses.replace(
                self.run, requests=source.requests, retries=source.retries
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
        if self._open.size >= self._roll_over_bytes:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._finished.append(self._open.finish())
            self._open = None


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
