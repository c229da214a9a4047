"""Carries pages into open objects that nobody sees yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
from isal import isal_zlib

from lambdas.core.cursor import EveryRow, NewRows
from lambdas.core.dataset import Dataset
from lambdas.core.landing import raw_key
from lambdas.core.ports import Clock, LandingZone, ObjectWriter, Page, PageSource
from lambdas.core.run import PendingObject, Run
from lambdas.core.segment import Budget, Cut
from lambdas.core.sql import generation

GZIP = 31
"""zlib's `wbits` for a gzip member with a 32 KB window."""
LEVEL = 1


class Transfer:
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
        self._open: OpenObject | None = None
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
                    self.cut = cut_after(page, rows)
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
            self._open = OpenObject(writer)
        self._open.write(records)
        self._rows += len(records)
        if self._open.size >= self._roll_over_bytes:
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._finished.append(self._open.finish())
            self._closed_bytes += self._finished[-1].size
            self._open = None


def cut_after(page: Page, rows: NewRows | EveryRow) -> Cut | None:
    """Where the pull goes on after a page; None if it cannot end there."""
    if page.next_position is not None:
        return Cut(position=msgspec.json.encode(page.next_position).decode())
    return Cut(position=None) if rows.can_stop_here else None


class OpenObject:
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
