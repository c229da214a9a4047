"""Whether as many rows came today as on such days before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from lambdas.core.quality.band import WEEKS, usual_band
from lambdas.core.quality.comparison import comparison_of, number
from lambdas.core.quality.metric import (
    CheckContext,
    Conclusion,
    Measure,
    Metric,
    Values,
    compared,
)
from lambdas.core.schedule.calendar import is_quiet_day
from lambdas.core.schedule.zones import zone
from lambdas.core.sql import names

LONGEST_DELAY = timedelta(days=2)


class Volume(Metric):
    """Of ours: the same weekday of the last weeks, up to the same time of day."""

    name = "volume"
    meaning = (
        "rows of today so far, beside the same weekday of the last 8 weeks up to the "
        "same time: median ± 3 × the greatest of 1.4826 × MAD, 5 % and one row"
    )
    is_odcs = False
    needs_column = False
    has_percent = False
    may_run_on_runs = False
    arguments = {"delay": False}  # noqa: RUF012 - a class says it once
    needs_operator = False

    def measure(self, context: CheckContext) -> Measure:
        """The day that is judged, those before, and when the rows begin."""
        clock = _clock(context)
        days = (
            f"{clock} >= {_instant(start)} AND {clock} <= {_instant(end)}"
            for start, end in _windows(context)
        )
        first = f"DATE_PART(EPOCH_SECOND, MIN({clock}))"
        return Measure(aggregates=(first, *map(context.counted, days)))

    def conclude(self, context: CheckContext, values: Values) -> Conclusion:
        """Today is never in its own past."""
        first, *counts = values
        today, *before = (count or 0.0 for count in counts)
        if comparison_of(context.check) is not None:
            return compared(context.check, today)
        calendar = context.dataset.freshness.calendar
        if is_quiet_day(calendar, judged_day(context)):
            must = "anything: nothing is due on this day"
            return Conclusion(value=today, passed=True, must=must)
        band = usual_band(list(_usual(context, first, before)))
        if band.is_learning:
            must = f"as usual: learning, {band.count} of {band.needed} such days"
            return Conclusion(value=today, passed=True, must=must)
        must = (
            f"between {number(band.least)} and {number(band.most)}, as on "
            f"{band.count} such days before (median {number(band.median)})"
        )
        return Conclusion(
            value=today, passed=band.least <= today <= band.most, must=must
        )


def _usual(
    context: CheckContext, first: float | None, before: list[float]
) -> Iterator[float]:
    """The values of days on which rows were due, since there are any."""
    calendar = context.dataset.freshness.calendar
    for (start, end), count in zip(_windows(context)[1:], before, strict=True):
        day = _day(context, start)
        is_before_all = first is None or end.timestamp() < first
        is_unusual = day in context.skipped or is_quiet_day(calendar, day)
        if not is_before_all and not is_unusual:
            yield count


def _day(context: CheckContext, start: datetime) -> date:
    return start.astimezone(zone(context.dataset.freshness.calendar.timezone)).date()


def judged_day(context: CheckContext) -> date:
    """The day whose rows are counted, on the calendar's clock."""
    return _day(context, _windows(context)[0][0])


def _clock(context: CheckContext) -> str:
    has_times = context.dataset.freshness.loaded_at_field is not None
    return "_EVENT_AT" if has_times else "_EXTRACTED_AT"


def judged_at(context: CheckContext) -> datetime:
    """Up to when rows are there, by the promise or by what the check says."""
    declared = context.check.arguments.delay
    promise = context.dataset.freshness
    allowed = declared or promise.warn_after or promise.error_after
    delay = timedelta() if allowed is None else allowed.duration
    if declared is None and delay > LONGEST_DELAY:
        delay = timedelta()
    return context.now - delay


def _windows(context: CheckContext) -> list[tuple[datetime, datetime]]:
    """The day that is judged up to now, then the same weekdays before, the last first.
    Days are days of the calendar's wall clock.
    """
    clock = zone(context.dataset.freshness.calendar.timezone)
    until = judged_at(context).astimezone(clock)
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        (
            (midnight - timedelta(weeks=week)).astimezone(UTC),
            (until - timedelta(weeks=week)).astimezone(UTC),
        )
        for week in range(WEEKS + 1)
    ]


def _instant(moment: datetime) -> str:
    return f"{names.literal(moment.isoformat())}::TIMESTAMP_TZ"
