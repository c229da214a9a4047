"""Cuts a past window into slices: bounds that cover it exactly, as the cursor has them.

A duration is added in UTC, where every day has 24 hours, and months are counted from
the start, so that no drift adds up. What the cursor cannot express is no boundary: a
time without offset cannot name the hour that is there twice when clocks are set back,
a date no hour. The slice is then longer, and still every instant is in one slice.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from lambdas.core.dataset import Incremental
from lambdas.core.errors import BadInput
from lambdas.core.pull.cursor import sort_key
from lambdas.core.pull.run import CursorValue
from lambdas.core.schedule.zones import zone

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


def parse_duration(text: str) -> Duration:
    """`P1D`, `PT6H`, `P1W`, `P1M`, and sums of them. Raises BadInput."""
    match = _DURATION.fullmatch(text)
    counts = {
        unit: int(count)
        for unit, count in (match.groupdict() if match else {}).items()
        if count is not None
    }
    if match is None or not any(counts.values()):
        raise BadInput(f"--slice {text!r} is no duration; {_ACCEPTED}")
    months = 12 * counts.pop("years", 0) + counts.pop("months", 0)
    try:
        return Duration(months=months, rest=timedelta(**counts))
    except OverflowError:
        raise BadInput(f"--slice {text!r} is too long; {_ACCEPTED}") from None


def bounds(
    start: CursorValue, end: CursorValue, slice_length: str, incremental: Incremental
) -> list[CursorValue]:
    """The boundaries of the slices of `[start, end)`, both of which are the first and
    the last. Raises BadInput if nothing is between them, or if it cannot be cut so.
    """
    zone_name = incremental.timezone
    try:
        first, last = sort_key(start, zone_name), sort_key(end, zone_name)
        is_backwards = first >= last
    except (ValueError, TypeError):
        is_backwards = True
    if is_backwards or first[0] != last[0]:
        raise BadInput(f"--from {start} --to {end}: the start must be before the end")
    match first[0]:
        case "number":
            return _numbers(start, end, slice_length)
        case "date":
            return _dates(str(start), str(end), parse_duration(slice_length))
        case "time":
            return _times(str(start), str(end), slice_length, incremental)
        case _:
            raise BadInput(
                f"--from {start} --to {end}: a window needs times, dates or numbers, "
                "and the cursor of this dataset is a text"
            )


def _numbers(start: CursorValue, end: CursorValue, length: str) -> list[CursorValue]:
    if _NUMBER.fullmatch(length) is None or not Decimal(length):
        raise BadInput(
            f"--slice {length!r}: the cursor of this dataset counts; accepted: a "
            "number, such as 10000"
        )
    # Decimal: 0.1 added ten times is 1
    at, last, step = Decimal(str(start)), Decimal(str(end)), Decimal(length)
    _refuse_too_many((last - at) / step, length)
    found: list[CursorValue] = [start]
    while (at := at + step) < last:
        is_whole = all(isinstance(one, int) for one in (start, end))
        found.append(int(at) if is_whole and at == int(at) else float(at))
    return [*found, end]


def _dates(start: str, end: str, length: Duration) -> list[CursorValue]:
    if length.rest % timedelta(days=1):
        raise BadInput(
            "--slice: the cursor of this dataset is a date; accepted: whole days, "
            "such as P1D or P1M"
        )
    first = datetime.combine(date.fromisoformat(start), datetime.min.time())
    last = datetime.combine(date.fromisoformat(end), datetime.min.time())
    inner = [at.date().isoformat() for at in _steps(first, last, length)]
    return [start, *inner, end]


def _times(
    start: str, end: str, length_text: str, incremental: Incremental
) -> list[CursorValue]:
    length = parse_duration(length_text)
    first, last = (_instant(text, incremental) for text in (start, end))
    declared = incremental.initial_value
    written = _written_as(start, incremental)
    if isinstance(declared, str) and sort_key(declared, incremental.timezone)[0] == (
        "time"
    ):
        written = _written_as(declared, incremental)

    def text(at: datetime) -> str | None:
        """None if the cursor cannot express it."""
        found = written.text(at)
        return found if _instant(found, incremental) == at else None

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


def _instant(text: str, incremental: Incremental) -> datetime:
    instant: datetime = sort_key(text, incremental.timezone)[1]
    return instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """How a cursor writes its times."""

    separator: str
    offset: tzinfo
    shows_offset: bool
    is_z: bool

    def text(self, at: datetime) -> str:
        there = at.astimezone(self.offset)
        if not self.shows_offset:
            there = there.replace(tzinfo=None)
        text = there.isoformat(sep=self.separator)
        return text.replace("+00:00", "Z") if self.is_z else text


def _written_as(example: str, incremental: Incremental) -> _Written:
    """As `example` is written: it says what upstream understands."""
    read = datetime.fromisoformat(example)
    named = zone(incremental.timezone) if incremental.timezone else UTC
    return _Written(
        separator=example[10],
        offset=read.tzinfo or named,
        shows_offset=read.tzinfo is not None,
        is_z=example.endswith("Z"),
    )
