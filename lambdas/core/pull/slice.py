"""Moved out of backfill.py."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.core.cursor.order import CursorValue
from lambdas.core.dataset import Dataset
from lambdas.core.pull.run import DatasetState, Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a backfill, rows from `start` to before `end`, and who asked for it."""

    dataset: str
    lane: str
    start: CursorValue
    end: CursorValue
    attempt: int = 1
    asked: str | None = None

    @property
    def state_name(self) -> str:
        """What its state is read by."""
        return f"{self.dataset}/{self.lane}"


def has_landed(state: DatasetState, part: Slice) -> bool:
    """Whether a slice is done: it landed, or a later attempt has taken over."""
    if state.lane is None or state.lane.attempt < part.attempt:
        return False
    is_later = state.lane.attempt > part.attempt
    return is_later or state.last_success_started_at is not None


def at_attempt(state: DatasetState, part: Slice) -> DatasetState:
    """The lane's state as an attempt begins; a later one begins from the start."""
    if state.lane is None or state.lane.attempt >= part.attempt:
        return state
    return DatasetState(
        dataset=state.dataset,
        version=state.version,
        lane=Lane(name=state.lane.name, attempt=part.attempt),
    )


def sliced(dataset: Dataset) -> Dataset:
    """The dataset as a slice pulls it: half open, without `lag` and an end of its own.

    A record without a cursor is in no window: live pulls bring it.
    """
    cursor = dataset.source.cursor
    if cursor is None:
        return dataset
    missing = cursor.on_cursor_value_missing
    changes = {
        "lag": 0,
        "range_start": "closed",
        "range_end": "open",
        "end_value": None,
        "on_cursor_value_missing": "exclude" if missing == "include" else missing,
    }
    incremental = cursor.model_copy(update=changes)
    endpoint = dataset.source.endpoint
    update: dict[str, object] = {"incremental": incremental}
    if endpoint is not None:
        update = {"endpoint": endpoint.model_copy(update=update)}
    source = dataset.source.model_copy(update=update)
    return dataset.model_copy(update={"source": source})
