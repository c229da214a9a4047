"""Moved out of ports.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from lambdas.core.errors import UpstreamError
from lambdas.core.pull.run import (
    CursorPosition,
    DatasetState,
    LaneStamp,
    PendingObject,
    Run,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer's records, each as the bytes the API wrote, on one line."""

    records: Sequence[bytes]
    number: int
    url: str
    odd: Sequence[bytes] = ()
    """What stands among the records and is no object."""
    next_position: JsonValue = None
    """Where the next page begins, for a pull that goes on later; None after the last.
    It holds no secret."""
    capped: UpstreamError | None = None
    """Why there is no next page though there is more; raised by whoever asks for it."""
    warning: str | None = None
    """What a person should know of it although it is fine."""


class PageSource(Protocol):
    """The pages of one pull, from wherever they come."""

    def pages(self) -> Iterator[Page]:
        """The pages, in order. Raises UpstreamError.

        `requests` and `retries` count up while this is consumed.
        """

    @property
    def requests(self) -> int:
        """HTTP requests answered or refused so far, retries included."""

    @property
    def retries(self) -> int:
        """How many of those were second or later tries."""

    @property
    def reached(self) -> CursorPosition | None:
        """The cursor after the pages so far, if the source keeps it; else None."""


class ObjectWriter(Protocol):
    """One open, invisible object."""

    def write(self, data: bytes) -> None:
        """Append compressed bytes; uploads whenever a part is full."""

    def finish(self, rows: int) -> PendingObject:
        """Upload the rest; the object stays invisible until it is completed."""

    def abort(self) -> None:
        """Give the upload up. Never raises: what is left expires."""


class LandingZone(Protocol):
    """Where objects land: a bucket, or a folder."""

    def open(self, key: str, *, run_id: str) -> ObjectWriter:
        """Begin an object that nobody sees yet."""

    def complete(self, pending: PendingObject, *, run_id: str) -> None:
        """Make an object visible. Doing it again changes nothing.

        Raises UploadGone if neither the upload nor the object is there.
        """

    def is_visible(self, pending: PendingObject, *, run_id: str) -> bool:
        """Whether exactly this object of this run is there."""

    def put(self, key: str, body: bytes) -> None:
        """Write a small object (manifest, run file) whole, once.

        What is there already stays as it is: no name is ever written twice.
        """

    def get(self, key: str) -> bytes | None:
        """Read a small object, or None if it is not there."""

    def delete(self, key: str) -> None:
        """Remove a small object; gone already is fine."""

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """The names of visible objects with `prefix`, after `after`, in order."""

    def read(self, key: str, *, start: int, size: int) -> bytes | None:
        """Up to `size` bytes of an object from `start` on; None if it is not there."""


class RunState(Protocol):
    """The state of datasets and their runs. Every write is conditional, and raises
    StateConflict if `before` is no longer what is stored.

    A lane, the slice of a backfill, has a state of its own, called `<dataset>/<lane>`
    wherever a dataset's name is taken.
    """

    def read(self, dataset: str) -> DatasetState:
        """The state item, strongly consistent; a fresh one if there is none."""

    def read_run(self, dataset: str, run_id: str) -> Run | None:
        """One run's record."""

    def record_started(self, run: Run) -> None:
        """Keep a running run. Raises StateConflict if its id is taken."""

    def record_committing(self, before: DatasetState, run: Run) -> DatasetState:
        """In one transaction: put the run as committing, and name it in the state."""

    def record_landed(
        self, before: DatasetState, after: DatasetState, run: Run
    ) -> DatasetState:
        """In one transaction: the run has landed, and the cursor moves."""

    def record_voided(self, before: DatasetState, run: Run) -> DatasetState:
        """In one transaction: the run is voided, the cursor stays."""

    def record_failed(self, run: Run) -> None:
        """Keep a failed run; the dataset's state is not touched."""

    def suspect(self, dataset: str, at: datetime) -> None:
        """Have the next check look at the pulls of a dataset."""

    def record_lane(self, before: DatasetState, after: DatasetState) -> DatasetState:
        """Keep what a lane says of itself; nothing of a run is in it."""

    def next_lane_stamp(self, dataset: str, floor: datetime) -> LaneStamp:
        """A stamp greater than any given out before, and not before `floor`."""

    def committing_datasets(self) -> Sequence[str]:
        """Datasets and lanes that have a run recorded and not landed, for the sweep."""
