"""Asking the source itself for its newest record: what an answer says, and what not.

Declared (`freshness.probe`), an answer holds the newest time at a path. Derived from
the endpoint, the records from the cursor on are looked through, a page or two: their
newest is the source's newest only if there are no further pages, or the newest come
first. If there are more, a record newer than the cursor still shows that the source
has more than we do; none shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from lambdas.core.cursor.order import CursorOrder, CursorValue
from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.signals import ProbeResult, Upstream
from lambdas.core.errors import OverBudget, RunErrorKind, Transient, UpstreamError
from lambdas.core.records.json_path import find_value, steps

PAGES = 2
"""How many pages a derived probe reads."""
NOT_PROBED = Upstream(probe="not_probed")
_MILLISECONDS_FROM = 10**11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = CursorOrder()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTime:
    """Where a record says how new it is, and how its times are read."""

    path: str
    order: CursorOrder
    is_cursor: bool


def event_time(dataset: Dataset) -> EventTime | None:
    """By what this dataset's records are compared with its table; None: by nothing."""
    incremental = dataset.source.cursor
    declared = dataset.freshness.loaded_at_field
    if incremental is not None and (
        declared is None or steps(declared) == steps(incremental.cursor_path)
    ):
        return EventTime(
            path=incremental.cursor_path,
            order=CursorOrder.of(incremental),
            is_cursor=True,
        )
    if declared is None:
        return None
    return EventTime(path=declared, order=_ISO, is_cursor=False)


def instant(value: object, order: CursorOrder = _ISO) -> datetime | None:
    """The time a JSON value stands for; a number is epoch seconds or milliseconds."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) or order.patterns:
        try:
            return order.instant(value)
        except ValueError:
            return None
    seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
    if not math.isfinite(seconds):
        return None
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None


def declared_answer(body: bytes, newest_at: str, order: CursorOrder) -> Upstream:
    """What the answer to a declared probe says.

    A list that is there and empty is an empty source. An answer without the value is
    an error in place of data: never "nothing new".
    """
    try:
        value: object = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return Upstream(probe="error_body")
    for step in steps(newest_at):
        if value == [] and not isinstance(step, str):
            return Upstream(probe="ok", empty=True)
        try:
            value = value[0 if step is None else step]  # type: ignore[index]  # a wrong type is the error caught below
        except (LookupError, TypeError):
            return Upstream(probe="error_body")
    if value is None:
        return Upstream(probe="ok")
    newest = instant(value, order)
    if newest is None:
        return Upstream(probe="error_body")
    return Upstream(probe="ok", newest_event_at=newest, empty=False)


def derived_answer(
    pages: Iterable[tuple[Sequence[bytes], bool]],
    *,
    when: EventTime,
    cursor: CursorValue | None,
    newest_first: bool,
) -> Upstream:
    """What the records from `cursor` on say, of at most `PAGES` pages."""
    newest: datetime | None = None
    seen = 0
    is_all = True
    for number, (records, has_more) in enumerate(pages, start=1):
        seen += len(records)
        times = (
            instant(find_value(record, when.path), when.order) for record in records
        )
        newest = max((t for t in (newest, *times) if t is not None), default=None)
        if newest_first and newest is not None:
            break
        if number == PAGES:
            is_all = not has_more
            break
    at_cursor = instant(cursor, when.order) if when.is_cursor else None
    if newest is None:
        if seen:
            return NOT_PROBED  # records, and none says how new it is
        if cursor is None:
            return Upstream(probe="ok", empty=True)
        if at_cursor is None:
            return NOT_PROBED
        # Nothing from the cursor on: the record at the cursor was the newest.
        return Upstream(probe="ok", newest_event_at=at_cursor, empty=False)
    if not is_all and (at_cursor is None or newest <= at_cursor):
        return NOT_PROBED
    return Upstream(probe="ok", newest_event_at=newest, empty=False)


def failed_probe(error: UpstreamError) -> Upstream:
    """What a probe that failed says; our own rate limit says nothing of the API."""
    if isinstance(error, OverBudget):
        return NOT_PROBED
    result: ProbeResult
    match error.kind:
        case RunErrorKind.AUTH:
            result = "denied"
        case RunErrorKind.THROTTLED:
            result = "throttled"
        case RunErrorKind.TIMEOUT:
            result = "unreachable"
        case RunErrorKind.HTTP:
            result = "unreachable" if isinstance(error, Transient) else "failed"
        case RunErrorKind.RESPONSE | RunErrorKind.SCHEMA:
            result = "error_body"
        case RunErrorKind.INTERNAL:
            result = "failed"
    return Upstream(probe=result)
