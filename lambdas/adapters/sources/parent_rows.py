"""The rows of a parent, read from where they landed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import msgspec
from isal import isal_zlib

from lambdas.core.errors import BadInput, LandingError
from lambdas.core.landing.names import run_key
from lambdas.core.pull.ports import LandingZone
from lambdas.core.pull.run import CursorPosition
from lambdas.core.pull.window import Window
from lambdas.core.records.compression import GZIP_WBITS
from lambdas.core.source.fan_out import (
    ParentReading,
    ParentRow,
    ParentRun,
    Place,
    RunRead,
    RunsToRead,
    cursor_after,
    fresh_runs,
    listed_from,
    place_of,
    replaced_runs,
    run_in,
    whole_pull,
)

LOG = logging.getLogger("catflap.parent_rows")

BLOCK_BYTES = 1024 * 1024
"""Compressed bytes asked for at once."""
_PIECE_BYTES = 1024 * 1024
"""Bytes decompressed at once: a row that compresses a thousandfold stays harmless."""

_run_file = msgspec.json.Decoder(ParentRun)


class NoParents:
    """Where there is no landing zone to read from."""

    def open(self, dataset: str, window: Window, *, whole: bool) -> ParentReading:
        """Raises BadInput."""
        del window, whole
        raise BadInput(
            f"there is no landing zone here to read the rows of {dataset} in"
        )


class LandedParents:
    """Parents whose rows are read in the landing zone where their runs landed."""

    def __init__(self, *, landing: LandingZone) -> None:
        self._landing = landing

    def open(self, dataset: str, window: Window, *, whole: bool) -> ParentReading:
        """The rows of `dataset` that landed since the child's last successful pull."""
        return LandedReading(self._landing, dataset, window, whole=whole)


class LandedReading:
    """One reading of what landed. A run that lands meanwhile is left to the next."""

    def __init__(
        self, landing: LandingZone, dataset: str, window: Window, *, whole: bool
    ) -> None:
        self._landing = landing
        self._dataset = dataset
        self._window = window
        self._whole = whole
        self._listed: list[str] = []
        self._is_replaced = False

    def rows(self) -> Iterator[ParentRow | RunRead]:
        """The rows in order; first those that earlier segments of the pull have read.

        Raises LandingError if the landing zone cannot be read.
        """
        place, _ = place_of(self._window.position)
        prefix, after = listed_from(self._dataset, self._window.since)
        keys = self._landing.keys(prefix, after=after)
        found = (run_in(key, self._dataset) for key in keys)
        self._listed = [run for run in found if run is not None]
        runs = self._runs(place)
        for run in runs.read:
            for at, record in self._rows_of(run):
                yield ParentRow(place=at, record=record, was_read=True)
        for run in runs.left:
            is_begun = place is not None and place.run == run
            for at, record in self._rows_of(run):
                was_read = is_begun and place is not None and at < place
                yield ParentRow(place=at, record=record, was_read=was_read)
            yield RunRead(run=run)

    def reached(self, read: Sequence[str]) -> CursorPosition:
        """Where the child's cursor stands after these runs were read."""
        if self._is_replaced and read:
            # what a whole pull replaced is read, so to speak, with it
            newest = max(read)
            read = [*(run for run in self._listed if run <= newest), newest]
        return cursor_after(self._window.reached, read, self._listed)

    def _runs(self, place: Place | None) -> RunsToRead:
        """Which runs to read: the newest says whether they replace each other."""
        newest_first = (
            run
            for each in reversed(self._listed)
            if (run := self._run(each)) is not None
        )
        newest = next(newest_first, None)
        if newest is None:
            return RunsToRead()
        since = self._window.since
        if newest.write_disposition != "replace":
            return fresh_runs(
                self._listed, since=since, reached=self._window.reached, place=place
            )
        self._is_replaced = True
        begun = self._run(place.run) if place is not None else None
        if begun is not None:
            pull = begun.pull_id or begun.run_id
            found = (self._run(run) for run in self._listed)
            segments = [
                run for run in found if run and (run.pull_id or run.run_id) == pull
            ]
            pulled = tuple(run.run_id for run in segments)
        else:
            place = None
            pulled = whole_pull(_all(newest, newest_first))
        return replaced_runs(pulled, since=since, place=place, whole=self._whole)

    def _run(self, run: str) -> ParentRun | None:
        document = self._landing.get(run_key(self._dataset, run))
        if document is None:
            return None
        try:
            return _run_file.decode(document)
        except msgspec.DecodeError as error:
            raise LandingError(
                f"{run_key(self._dataset, run)} is not a run file that catflap wrote: "
                f"{error}"
            ) from None

    def _rows_of(self, run: str) -> Iterator[tuple[Place, bytes]]:
        """The rows of a run, and where they stand."""
        file = self._run(run)
        if file is None:
            LOG.warning(
                "the run file of %s (%s) has expired; its rows are not requested",
                run,
                self._dataset,
            )
            return
        for number, item in enumerate(file.objects):
            for row, record in enumerate(self._lines(item.key)):
                yield Place(run=run, object=number, row=row), record

    def _lines(self, key: str) -> Iterator[bytes]:
        """The lines of a gzip object, block by block."""
        start, rest = 0, b""
        unzip = isal_zlib.decompressobj(wbits=GZIP_WBITS)
        while block := self._block(key, start):
            start += len(block)
            while block:
                if unzip.eof:
                    unzip = isal_zlib.decompressobj(wbits=GZIP_WBITS)
                try:
                    piece = unzip.decompress(block, _PIECE_BYTES)
                except isal_zlib.error:  # type: ignore[misc] # its stub says Exception()
                    raise LandingError(f"{key} is not gzip, or is damaged") from None
                block = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
                *lines, rest = (rest + piece).split(b"\n")
                yield from lines
        if start and not unzip.eof:
            raise LandingError(f"{key} is cut off after {start} bytes")
        if rest:
            yield rest

    def _block(self, key: str, start: int) -> bytes:
        block = self._landing.read(key, start=start, size=BLOCK_BYTES)
        if block is None and start:
            raise LandingError(f"{key} vanished while it was read")
        if block is None:
            LOG.warning("%s has expired; its rows are not requested", key)
        return block or b""


def _all(first: ParentRun, rest: Iterator[ParentRun]) -> Iterator[ParentRun]:
    yield first
    yield from rest
