"""Cuts a past window into slices: bounds that cover it exactly, as the cursor has them.

A duration is added in UTC, where every day has 24 hours, and months are counted from
the start, so that no drift adds up. What the cursor cannot express is no boundary: a
time without offset cannot name the hour that is there twice when clocks are set back,
a date no hour. The slice is then longer, and still every instant is in one slice.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from lambdas.core.cursor.order import CursorOrder, CursorValue
from lambdas.core.cursor.time_pattern import TimePattern
from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput
from lambdas.core.pull.window import is_exact

MAX_SLICES = 10_000
"""More is a mistake in the duration: a year of hours is 8,760."""

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ACCEPTED = "accepted: an ISO 8601 duration, such as P1D, PT6H, P1W or P1M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """Months of the calendar, and a time beside them."""

    months: int
    rest: timedelta

    def after(self, start: datetime, times: int) -> datetime:
        """`start` and `times` of this. Raises OverflowError past the year 9999."""
        whole = start.year * 12 + start.month - 1 + self.months * times
        year, month = divmod(whole, 12)
        if year > date.max.year:
            raise OverflowError
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        return start.replace(year=year, month=month + 1, day=day) + self.rest * times


def parse_duration(text: str, option: str = "--slice") -> Duration:
    """`P1D`, `PT6H`, `P1W`, `P1M`, and sums of them. Raises BadInput."""
    match = _DURATION.fullmatch(text)
    counts = {
        unit: int(count)
        for unit, count in (match.groupdict() if match else {}).items()
        if count is not None
    }
    if match is None or not any(counts.values()):
        raise BadInput(f"{option} {text!r} is not a duration; {_ACCEPTED}")
    months = 12 * counts.pop("years", 0) + counts.pop("months", 0)
    try:
        return Duration(months=months, rest=timedelta(**counts))
    except OverflowError:
        raise BadInput(f"{option} {text!r} is too long; {_ACCEPTED}") from None


def bounds(
    start: CursorValue, end: CursorValue, slice_length: str, incremental: Incremental
) -> list[CursorValue]:
    """The boundaries of the slices of `[start, end)`, both of which are the first and
    the last. Raises BadInput if nothing is between them, or if it cannot be cut so.
    """
    order = CursorOrder.of(incremental)
    try:
        first, last = order.bound_key(start), order.bound_key(end)
        is_backwards = first >= last
    except ValueError as error:
        raise BadInput(f"--from {start} --to {end}: {error}") from None
    except TypeError:
        is_backwards = True
    if is_backwards or first[0] != last[0]:
        raise BadInput(f"--from {start} --to {end}: the start must be before the end")
    match first[0]:
        case "number":
            return _numbers(start, end, slice_length)
        case "date":
            days = [start, *_dates(first[1], last[1], slice_length), end]
            return _exact(days, incremental)
        case "time":
            times = _times(start, end, parse_duration(slice_length), incremental)
            return _exact(times, incremental)
        case _:
            raise BadInput(
                f"--from {start} --to {end}: a window needs times, dates or numbers, "
                "and the cursor of this dataset is a text"
            )


def _numbers(start: CursorValue, end: CursorValue, length: str) -> list[CursorValue]:
    if _NUMBER.fullmatch(length) is None or not Decimal(length):
        raise BadInput(
            f"--slice {length!r} is a time, and {start} and {end} are numbers; "
            "accepted: a number, such as 10000, or a window of times, such as --from "
            "2026-11-01T00:00:00Z"
        )
    # Decimal: 0.1 added ten times is 1
    at, last, step = Decimal(str(start)), Decimal(str(end)), Decimal(length)
    _refuse_too_many((last - at) / step, length)
    found: list[CursorValue] = [start]
    while (at := at + step) < last:
        found.append(_as_written(at, start))
    return [*found, end]


def _as_written(number: Decimal, example: CursorValue) -> CursorValue:
    if isinstance(example, str):
        return f"{number:f}"
    return int(number) if number == int(number) else float(number)


def _exact(
    bounds: Sequence[CursorValue], incremental: Incremental
) -> list[CursorValue]:
    """The bounds that `format` can say exactly, and the first and the last: a slice of
    six hours is a day where upstream is asked for days.
    """
    first, *inner, last = bounds
    return [first, *(one for one in inner if is_exact(one, incremental)), last]


def _dates(start: date, end: date, length_text: str) -> list[str]:
    length = parse_duration(length_text)
    if length.rest % timedelta(days=1):
        raise BadInput(
            "--slice: the cursor of this dataset is a date; accepted: whole days, "
            "such as P1D or P1M"
        )
    first, last = (datetime.combine(one, datetime.min.time()) for one in (start, end))
    return [at.date().isoformat() for at in _steps(first, last, length)]


def _times(
    start: CursorValue, end: CursorValue, length: Duration, incremental: Incremental
) -> list[CursorValue]:
    order = CursorOrder.of(incremental)
    first, last = (order.bound_key(one)[1] for one in (start, end))
    written = _written_as(start, incremental)

    def text(at: datetime) -> CursorValue | None:
        """None if the cursor cannot express it."""
        found = written(at)
        return found if order.bound_key(found)[1] == at else None

    inner = [text(at) for at in _steps(first, last, length)]
    return [
        text(first) or start,
        *(one for one in inner if one is not None),
        text(last) or end,
    ]


def _steps(first: datetime, last: datetime, length: Duration) -> list[datetime]:
    """The moments between both, one length after another."""
    shortest = length.rest + length.months * timedelta(days=28)
    _refuse_too_many(Decimal((last - first) // shortest), "the duration")
    found: list[datetime] = []
    times = 1
    while True:
        try:
            at = length.after(first, times)
        except OverflowError:
            return found
        if at >= last:
            return found
        found.append(at)
        times += 1


def _refuse_too_many(count: Decimal, length: str) -> None:
    if count > MAX_SLICES:
        raise BadInput(
            f"--slice: {length} makes {int(count):,} slices of this window; accepted: "
            f"{MAX_SLICES:,} at most"
        )


def _written_as(
    start: CursorValue, incremental: Incremental
) -> Callable[[datetime], CursorValue]:
    """How the cursor writes its times, which is what upstream understands: as
    `cursor_format` says, as initial_value does, or as `start` does.
    """
    order = CursorOrder.of(incremental)
    declared = incremental.initial_value
    if order.patterns:
        pattern = order.patterns[0]
        is_number = isinstance(declared, int) or isinstance(start, int)
        return lambda at: _by_pattern(pattern, at, order, is_number=is_number)
    example = str(start)
    if isinstance(declared, str) and order.bound_key(declared)[0] == "time":
        example = declared
    separator = example[10] if example[10:11] in ("T", " ") else "T"
    shown = datetime.fromisoformat(example).tzinfo

    def write(at: datetime) -> str:
        there = at.astimezone(shown or order.zone)
        text = (there if shown else there.replace(tzinfo=None)).isoformat(sep=separator)
        return text.replace("+00:00", "Z") if example.endswith("Z") else text

    return write


def _by_pattern(
    pattern: TimePattern, at: datetime, order: CursorOrder, *, is_number: bool
) -> CursorValue:
    text = pattern.write(at.astimezone(order.zone))
    return int(text) if is_number and text.lstrip("-").isdigit() else text
