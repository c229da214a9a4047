"""What one pull asks for, and how the API wants it written."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from lambdas.core.cursor.order import CursorOrder, CursorValue, as_text, shown
from lambdas.core.cursor.time_pattern import TimePattern
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput
from lambdas.core.pull.run import CursorPosition

_NOWHERE = CursorPosition()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one pull asks for.

    `start` and `end` are cursor values; `start_text` and `end_text` are the same as
    the API wants them written. None means: no such bound.
    """

    start: CursorValue | None = None
    end: CursorValue | None = None
    start_text: str | None = None
    end_text: str | None = None
    initial_text: str | None = None
    position: JsonValue = None
    """Where the first page begins, if a long pull goes on."""
    since: CursorPosition = _NOWHERE
    """The cursor, for a source that keeps it itself (a child of another dataset)."""
    reached: CursorPosition = _NOWHERE
    """What earlier segments of the same pull have reached beyond it."""


def plan_window(
    incremental: Incremental,
    position: CursorPosition,
    *,
    start: CursorValue | None = None,
    end: CursorValue | None = None,
) -> Window:
    """What the next pull asks for, `lag` and `format` applied.

    `start` overrides the cursor (a backfill), `end` the declared end. Raises BadInput
    if a declared value cannot be used as a cursor.
    """
    if start is None:
        start = incremental.initial_value if position.value is None else position.value
        if position.value is not None and incremental.lag:
            start = _lagged(incremental, position.value)
    end = incremental.end_value if end is None else end
    return Window(
        start=start,
        end=end,
        start_text=formatted(start, incremental),
        end_text=formatted(end, incremental, up=True),
        initial_text=formatted(incremental.initial_value, incremental),
    )


def _lagged(incremental: Incremental, value: CursorValue) -> CursorValue:
    try:
        return CursorOrder.of(incremental).moved_back(value, incremental.lag)
    except ValueError as error:
        raise BadInput(f"the cursor `{incremental.cursor_path}`: {error}") from None


def formatted(
    value: CursorValue | None, incremental: Incremental, *, up: bool = False
) -> str | None:
    """A cursor value as the API wants it: as it came, unless `format` says otherwise.

    What `format` cannot say exactly is rounded down, or `up` where it is an end, so
    that the window holds all that it should. Raises BadInput if the value is no time.
    """
    if value is None:
        return None
    if incremental.format is None:
        return as_text(value)
    order = CursorOrder.of(incremental)
    try:
        kind, at, beyond = order.as_time(order.bound_key(value))
    except ValueError as error:
        raise BadInput(f"source.endpoint.incremental: {error}") from None
    if kind != "time":
        raise BadInput(
            f"source.endpoint.incremental.format is {incremental.format!r}, but the "
            f"cursor value {shown(value)} is not a time; accepted: no format, or "
            "`cursor_format: epoch` (or `epoch_ms`) if the numbers are times"
        )
    pattern = TimePattern.named(incremental.format)
    return pattern.covering(at, beyond=beyond > 0, zone=order.zone, up=up)


def is_exact(value: CursorValue, incremental: Incremental) -> bool:
    """Whether `format` says a bound exactly, so that it is asked for and no more."""
    if incremental.format is None:
        return True
    return formatted(value, incremental) == formatted(value, incremental, up=True)
