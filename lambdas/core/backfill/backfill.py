"""A backfill: a past window pulled in slices, each in a lane of its own.

A backfill is known by what it asks for, so that asking twice is the same backfill: a
slice that has landed is not pulled again. Its windows are half open, `[from, to)`,
and so are its slices: whatever the dataset declares for its live pulls, a row at a
boundary belongs to one slice, the later one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from lambdas.core.cursor.order import CursorOrder, CursorValue
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
from lambdas.core.pull.run import DatasetState, RunError
from lambdas.core.pull.segment import shape_of
from lambdas.core.pull.slice import Slice, has_landed


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """What was asked for. `slice` is an ISO 8601 duration, or a number where the
    cursor counts; `attempt` counts how often all of it was asked for.
    """

    dataset: str
    backfill_id: str
    start: CursorValue
    end: CursorValue
    slice: str
    created_at: datetime
    attempt: int = 1


class SliceStatus(StrEnum):
    """How far a slice is."""

    PENDING = "pending"
    LANDED = "landed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A slice, and what has become of it."""

    slice: Slice
    status: SliceStatus
    rows: int = 0
    runs: tuple[str, ...] = ()
    error: RunError | None = None


def identity(
    dataset: Dataset, start: CursorValue, end: CursorValue, slice_length: str
) -> str:
    """Twelve hexadecimal digits of what is asked for, and of whom."""
    source = dataset.source
    parts = [
        *(dataset.name, repr(start), repr(end), slice_length),
        *(shape_of(dataset), str(source.python), str(source.cursor)),
    ]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def lane_name(backfill_id: str, number: int) -> str:
    """Of the slice `number`, from 1. It sorts as the slices do."""
    return f"{backfill_id}-{number:05d}"


def backfill_of(parts: Sequence[Slice]) -> str:
    """The id of the backfill that the slices are of; there is one at least."""
    return parts[0].lane.rpartition("-")[0]


def slices(backfill: Backfill, bounds: Sequence[CursorValue]) -> list[Slice]:
    """The slices between `bounds`, which begin and end with the backfill's own."""
    return [
        Slice(
            dataset=backfill.dataset,
            lane=lane_name(backfill.backfill_id, number),
            start=start,
            end=end,
            attempt=backfill.attempt,
        )
        for number, (start, end) in enumerate(pairwise(bounds), start=1)
    ]


def progress(
    parts: Iterable[Slice], states: Iterable[DatasetState], *, asked: str | None = None
) -> list[Progress]:
    """What became of each slice; failures of the request `asked`, or any if None."""
    known = {state.lane.name: state for state in states if state.lane is not None}
    return [_progress(part, known.get(part.lane), asked) for part in parts]


def _progress(part: Slice, state: DatasetState | None, asked: str | None) -> Progress:
    if state is None or state.lane is None or state.lane.attempt < part.attempt:
        return Progress(slice=part, status=SliceStatus.PENDING)
    lane = state.lane
    status = SliceStatus.PENDING
    if has_landed(state, part):
        status = SliceStatus.LANDED
    elif lane.error is not None and (asked is None or lane.asked == asked):
        status = SliceStatus.FAILED
    return Progress(
        slice=part, status=status, rows=lane.rows, runs=lane.runs, error=lane.error
    )


def asks_for_its_end(dataset: Dataset) -> bool:
    """Whether upstream hears where a slice ends, or its pull stops there by itself.

    Else each slice reads on to the newest row there is, and drops what is not its own.
    """
    source, cursor = dataset.source, dataset.source.cursor
    if source.endpoint is None or (cursor is not None and cursor.row_order == "asc"):
        return True
    return "{incremental.end_value}" in source.endpoint.model_dump_json(by_alias=True)


def refuse_unfit(dataset: Dataset) -> None:
    """Raise BadInput for a dataset that has no past window to pull."""
    name, cursor = dataset.name, dataset.source.cursor
    if dataset.write_disposition == "replace":
        raise BadInput(
            f"{name} has `write_disposition: replace`: each pull brings everything, "
            "so there is no past window to fill; accepted: append, or merge with a "
            "primary_key"
        )
    if cursor is None:
        raise BadInput(
            f"{name} has no incremental in its source, so it is always pulled whole "
            "and has no past window to fill"
        )
    if cursor.range_start == "open":
        raise BadInput(
            f"{name} has `range_start: open`: upstream leaves out the rows exactly at "
            "a slice's start, and they would be lost; a backfill needs `closed`"
        )


def refuse_doubles(
    dataset: Dataset, backfill: Backfill, others: Iterable[Backfill], *, again: bool
) -> None:
    """Raise BadInput if rows would be in the table twice: where they are appended, a
    window may be filled once, and only below where live pulls began.
    """
    cursor = dataset.source.cursor
    if dataset.write_disposition == "merge" or cursor is None:
        return
    name, first = dataset.name, cursor.initial_value
    if again:
        raise BadInput(
            f"--again lands rows a second time, and {name} appends them; that needs "
            "`write_disposition: merge`"
        )

    key = CursorOrder.of(cursor).bound_key

    if first is None or key(backfill.end) > key(first):
        begins = "has no initial_value" if first is None else f"begins at {first}"
        raise BadInput(
            f"the window ends at {backfill.end}, and {name} appends rows and {begins}: "
            "what its live pulls land would be there twice; accepted: a window that "
            "ends at or before initial_value, or `write_disposition: merge`"
        )
    for other in others:
        overlaps = key(other.start) < key(backfill.end) and (
            key(backfill.start) < key(other.end)
        )
        if other.backfill_id != backfill.backfill_id and overlaps:
            raise BadInput(
                f"{name} appends rows, and a window from {other.start} to {other.end} "
                f"was filled in slices of {other.slice}, or from another endpoint: "
                "rows in both would be doubled; repeat that one, or ask for a window "
                "next to it"
            )
