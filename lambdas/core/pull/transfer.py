"""Carries pages into open objects that nobody sees yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import msgspec
from isal import isal_zlib

from lambdas.core.columns.contract import Inspector
from lambdas.core.columns.observed import Observed
from lambdas.core.dataset import Dataset
from lambdas.core.errors import Terminal
from lambdas.core.landing.names import raw_key
from lambdas.core.landing.quarantine import quarantine_key
from lambdas.core.ports import Clock
from lambdas.core.pull.cursor import EveryRow, NewRows
from lambdas.core.pull.ports import LandingZone, ObjectWriter, Page, PageSource
from lambdas.core.pull.run import PendingObject, Run
from lambdas.core.pull.segment import Budget, Cut
from lambdas.core.records.compression import GZIP_LEVEL, GZIP_WBITS
from lambdas.core.sql import generation


class Transfer:
    """Carries pages into open objects; keeps the counts of a run."""

    def __init__(
        self,
        *,
        run: Run,
        dataset: Dataset,
        observed: Observed,
        landing: LandingZone,
        clock: Clock,
        roll_over_bytes: int,
        budget: Budget,
        may_be_cut: bool = True,
    ) -> None:
        """`may_be_cut`: another run may go on where this one ends."""
        self.cut: Cut | None = None
        """Where the segment ended, if more is to come."""
        self.warnings: tuple[str, ...] = ()
        self.quarantined: tuple[PendingObject, ...] = ()
        """Objects of refused records, once `finish` has closed them."""
        self._dataset = dataset
        self._observed = observed
        self._generation = generation(dataset)
        self._landing = landing
        self._roll_over_bytes = roll_over_bytes
        self._clock = clock
        self._budget = budget
        self._may_be_cut = may_be_cut
        self.begin(run)

    def begin(self, run: Run) -> None:
        """Write in the name of `run`; what was written before is given up."""
        self.run = run
        self._rows = 0
        self.inspector = Inspector(
            dataset=self._dataset, before=self._observed, run_id=run.run_id
        )
        self._landed = self._objects(self._raw_key)
        self._refused = self._objects(self._quarantine_key)

    @property
    def has_rows(self) -> bool:
        """Whether any row that is new came so far."""
        return self._rows > 0

    def _objects(self, key: Callable[[int], str]) -> Objects:
        return Objects(
            landing=self._landing,
            run_id=self.run.run_id,
            key=key,
            roll_over_bytes=self._roll_over_bytes,
        )

    def run_from(self, source: PageSource, rows: NewRows | EveryRow) -> None:
        """Read pages until there is no more, no later one can hold a new row, or the
        budget is spent and the pull can go on from here.
        """
        pages, before = 0, self.run
        try:
            for page in source.pages():
                self._write(self._kept(page, rows))
                pages += 1
                if page.warning is not None and not self.warnings:
                    self.warnings = (page.warning,)
                if rows.exhausted:
                    break
                if self._is_spent():
                    self.cut = cut_after(page, rows)
                if page.capped is not None and self._may_be_cut and rows.can_stop_here:
                    self.cut = Cut(position=None)
                    self.warnings = (_capped(page),)
                if self.cut is not None:
                    break
            if source.reached is not None and isinstance(rows, EveryRow):
                rows.position = source.reached
        finally:
            self.run = dataclasses.replace(
                before,
                pages=before.pages + pages,
                requests=before.requests + source.requests,
                retries=before.retries + source.retries,
            )

    def _kept(self, page: Page, rows: NewRows | EveryRow) -> Sequence[bytes]:
        """What of a page lands. Where it cannot, its warning may well say why."""
        try:
            return self._kept_of(page, rows)
        except Terminal as error:
            if page.warning is None:
                raise
            why = f"{error}. {page.warning[:1].upper()}{page.warning[1:]}"
            raise Terminal(why, kind=error.kind) from None

    def _kept_of(self, page: Page, rows: NewRows | EveryRow) -> Sequence[bytes]:
        keyed = self.inspector.keyed(page.records, page=page.number)
        self.inspector.refuse_odd(page.odd)
        kept = rows.keep(page.records, page=page.number, keyed=keyed)
        kept = self.inspector.identified(kept, keyed)
        return self.inspector.keep(kept, page=page.number)

    def _is_spent(self) -> bool:
        return self._budget.is_spent(
            now_s=self._clock.monotonic(), rows=self._rows, size=self._landed.size
        )

    def finish(self) -> tuple[PendingObject, ...]:
        """Close the last object; everything is uploaded and nothing is visible."""
        objects = self._landed.finish()
        self.quarantined = self._refused.finish()
        self.run = dataclasses.replace(
            self.run,
            rows=sum(item.rows for item in objects),
            size=sum(item.size for item in objects),
            objects=len(objects),
            newest_key=objects[-1].key if objects else None,
            quarantined=sum(item.rows for item in self.quarantined),
        )
        return objects

    def abort(self) -> None:
        """Give up what is open. Finished uploads expire by the bucket's lifecycle."""
        self._landed.abort()
        self._refused.abort()

    def _write(self, records: Sequence[bytes]) -> None:
        self._landed.write(records)
        self._rows += len(records)
        self._refused.write(self.inspector.take_refused())

    def _raw_key(self, part: int) -> str:
        return raw_key(self._dataset.name, self._generation, self.run.run_id, part)

    def _quarantine_key(self, part: int) -> str:
        return quarantine_key(
            self._dataset.name, self.run.run_id, f"contract-{part:05d}"
        )


class Objects:
    """The objects of one kind that a run writes, one after the other.

    `key` names the object with a number, from 1. `size` is in compressed bytes.
    """

    def __init__(
        self,
        *,
        landing: LandingZone,
        run_id: str,
        key: Callable[[int], str],
        roll_over_bytes: int,
    ) -> None:
        self._landing = landing
        self._run_id = run_id
        self._key = key
        self._roll_over_bytes = roll_over_bytes
        self._closed_bytes = 0
        self._finished: list[PendingObject] = []
        self._open: OpenObject | None = None

    @property
    def size(self) -> int:
        """What was written so far."""
        return self._closed_bytes + (self._open.size if self._open else 0)

    def write(self, records: Sequence[bytes]) -> None:
        """Append to the open object, or begin one; none for no records."""
        if not records:
            return
        if self._open is None:
            key = self._key(len(self._finished) + 1)
            self._open = OpenObject(self._landing.open(key, run_id=self._run_id))
        self._open.write(records)
        if self._open.size >= self._roll_over_bytes:
            self._close()

    def finish(self) -> tuple[PendingObject, ...]:
        """Close the last one."""
        self._close()
        return tuple(self._finished)

    def abort(self) -> None:
        """Give up the one that is open."""
        if self._open is not None:
            self._open.writer.abort()
            self._open = None

    def _close(self) -> None:
        if self._open is not None:
            self._finished.append(self._open.finish())
            self._closed_bytes += self._finished[-1].size
            self._open = None


def _capped(page: Page) -> str:
    return (
        f"the API gives no more than these rows at once ({page.url}); they come in the "
        "cursor's order, so the next pull goes on from there"
    )


def cut_after(page: Page, rows: NewRows | EveryRow) -> Cut | None:
    """Where the pull goes on after a page; None if nowhere."""
    if page.next_position is None:
        return Cut(position=None) if rows.can_stop_here else None
    return Cut(position=msgspec.json.encode(page.next_position).decode())


class OpenObject:
    """Compresses records into one object, a page at a time."""

    def __init__(self, writer: ObjectWriter) -> None:
        self.writer = writer
        self.size = 0
        self._rows = 0
        self._compressor = isal_zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WBITS)

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
