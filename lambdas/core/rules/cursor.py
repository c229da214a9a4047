"""The rules of a cursor that types cannot say, and what it cannot promise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from lambdas.core.cursor.order import CursorOrder, Kind
from lambdas.core.cursor.time_pattern import TimePattern
from lambdas.core.dataset import Dataset, Incremental
from lambdas.core.rules.findings import Finding, Location, refused
from lambdas.core.schedule.zones import zone

_A_YEAR = range(2036, 2037)
"""A year in which only the zones that still change their clocks do so."""
_PATTERNS = "accepted: epoch, epoch_ms or a strptime pattern such as `%d.%m.%Y %H:%M`"
_EPOCHS = ((10**9, 2 * 10**9, "epoch"), (10**12, 2 * 10**12, "epoch_ms"))


def cursor_findings(
    at: Location, incremental: Incremental, dataset: Dataset
) -> Iterator[Finding]:
    """What is wrong with a cursor beyond its types."""
    yield from _value_findings(at, incremental)
    if incremental.lag and dataset.write_disposition != "merge":
        yield Finding(
            key=(*at, "lag"),
            sentence="rows that come again need `write_disposition: merge`, or they "
            f"land twice, and it is {dataset.write_disposition}; accepted: 0, or merge "
            "with a primary_key",
            because=(("write_disposition",),),
        )
    if incremental.lag and incremental.cursor_type == "text":
        yield Finding(
            key=(*at, "lag"),
            sentence="a text has nothing that could be taken off it; accepted: 0, or "
            "a cursor of times or numbers",
            because=((*at, "cursor_type"),),
        )


def _value_findings(at: Location, incremental: Incremental) -> Iterator[Finding]:
    zone_key, format_key = (*at, "timezone"), (*at, "cursor_format")
    if incremental.timezone is not None:
        bad_zone = list(refused(zone_key, zone, incremental.timezone))
        if bad_zone:
            yield from bad_zone
            return
    order = CursorOrder.of(incremental)
    bad_formats = list(_cursor_format_findings(format_key, order))
    yield from bad_formats
    kinds: dict[str, Kind] = {}
    for name in ("initial_value", "end_value"):
        value = getattr(incremental, name)
        if value is None or bad_formats:
            continue
        try:
            kinds[name] = order.bound_key(value)[0]
        except ValueError as error:
            yield Finding(
                key=(*at, name), sentence=str(error), because=(zone_key, format_key)
            )
    if len({"time" if one == "date" else one for one in kinds.values()}) > 1:
        yield Finding(
            key=(*at, "end_value"),
            sentence=f"is a {kinds['end_value']}, and initial_value is a "
            f"{kinds['initial_value']}; accepted: both of one kind",
            because=((*at, "initial_value"),),
        )
    yield from _format_findings(at, incremental, set(kinds.values()))


def _cursor_format_findings(key: Location, order: CursorOrder) -> Iterator[Finding]:
    if order.patterns and order.type in ("number", "text"):
        yield Finding(
            key=key,
            sentence=f"reads times, and cursor_type says {order.type}; accepted: one "
            "of both",
            because=((*key[:-1], "cursor_type"),),
        )
    for pattern in order.patterns:
        fault = pattern.reading_fault()
        if fault is not None:
            yield Finding(key=key, sentence=f"`{pattern}` {fault}; {_PATTERNS}")
        elif order.timezone is None and not pattern.has_offset and _has_clock(pattern):
            yield Finding(
                key=key,
                sentence=f"`{pattern}` reads times without an offset, and no zone is "
                "declared; accepted: `timezone`, an IANA zone such as `UTC`",
                because=((*key[:-1], "timezone"),),
            )


def _has_clock(pattern: TimePattern) -> bool:
    return pattern.finest not in ("year", "month", "week", "day")


def _format_findings(
    at: Location, incremental: Incremental, kinds: set[Kind]
) -> Iterator[Finding]:
    if incremental.format is None:
        return
    key: Location = (*at, "format")
    fault = TimePattern.named(incremental.format).fault()
    if fault is not None:
        yield Finding(key=key, sentence=f"`{incremental.format}` {fault}; {_PATTERNS}")
    declared = incremental.cursor_type
    if kinds & {"number", "text"} or declared in ("number", "text"):
        yield Finding(
            key=key,
            sentence="writes times, and the cursor is a "
            f"{declared or min(kinds)}; accepted: no format, or `cursor_format: "
            "epoch` (or `epoch_ms`) if the numbers in rows are times",
            because=((*at, "initial_value"), (*at, "cursor_type")),
        )


def cursor_warnings(dataset: Dataset) -> Iterator[Finding]:
    """What a dataset most likely relies on, and its cursor does not promise."""
    incremental = dataset.source.cursor
    if incremental is None:
        return
    at: Location = ("source", "incremental")
    if dataset.source.endpoint is not None:
        at = ("source", "endpoint", "incremental")
    if incremental.range_start == "open" and not incremental.lag:
        yield Finding(
            key=(*at, "range_start"),
            sentence="a row that comes later with the cursor's own value is never "
            "asked for; accepted, and safe: `lag` of at least the cursor's precision, "
            "with merge, or `closed` if the API can include the start",
        )
    yield from _clock_change_warnings(at, incremental)
    if dataset.write_disposition == "append" and not dataset.primary_key:
        yield Finding(
            key=("write_disposition",),
            sentence="append without a primary_key knows a row at the cursor only by "
            "all that it holds, so that one that changes lands again; accepted, and "
            "safe: a primary_key",
        )
    yield from _epoch_warnings(at, incremental)
    loaded_at = dataset.freshness.loaded_at_field
    if incremental.cursor_format is not None and loaded_at == incremental.cursor_path:
        yield Finding(
            key=("freshness", "loaded_at_field"),
            sentence="the warehouse reads ISO 8601 and counts since 1970, not "
            "cursor_format: where rows are written otherwise their event time is not "
            "known; accepted, and safe: another field, or none (the load time counts)",
        )


def _clock_change_warnings(at: Location, incremental: Incremental) -> Iterator[Finding]:
    patterns = CursorOrder.of(incremental).patterns
    is_naive = not patterns or any(
        not one.has_offset and _has_clock(one) for one in patterns
    )
    if incremental.timezone is None or not is_naive:
        return
    shift = _set_back_by(incremental.timezone)
    if shift and incremental.lag < shift.total_seconds():
        yield Finding(
            key=(*at, "lag"),
            sentence=f"clocks in {incremental.timezone} are set back once a year, and "
            "a row of the hour that is shown twice then looks older than the cursor; "
            f"accepted, and safe: {shift.total_seconds():.0f} or more, with "
            "`write_disposition: merge`, or a cursor with an offset",
        )


def _set_back_by(name: str) -> timedelta:
    """By how much a zone's clocks are set back in a year."""
    there = zone(name)
    offsets = {
        datetime(year, month, 1, tzinfo=there).utcoffset() or timedelta()
        for year in _A_YEAR
        for month in range(1, 13)
    }
    return max(offsets) - min(offsets)


def _epoch_warnings(at: Location, incremental: Incremental) -> Iterator[Finding]:
    first = incremental.initial_value
    if isinstance(first, str) or first is None or incremental.cursor_format is not None:
        return
    if incremental.cursor_type is not None:
        return
    for least, most, name in _EPOCHS:
        if least <= first <= most:
            yield Finding(
                key=(*at, "initial_value"),
                sentence="looks like a count since 1970, and is compared as a mere "
                "number: a row dated after now would take the cursor there, and hide "
                f"what comes before; accepted, and safe: `cursor_format: {name}`, or "
                "`cursor_type: number` if it is none",
            )
