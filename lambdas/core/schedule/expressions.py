"""When a dataset is pulled: the schedule expressions of EventBridge Scheduler.

Source of the rules: "Schedule types in EventBridge Scheduler" in its user guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from lambdas.core.dataset import Schedule
from lambdas.core.schedule.cron import (
    last_tick,
    next_tick,
    parse_cron,
    ticks_between,
)
from lambdas.core.schedule.zones import zone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
_RATE = re.compile(r"([1-9][0-9]{0,4}) +(minute|hour|day)s?")


def parse_rate(text: str) -> timedelta:
    """`1 hour`, `15 minutes`, `2 days`; ValueError for anything else."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"`{text}` is not a rate: a number from 1 to 99999 and minute(s), hour(s) "
            "or day(s) are needed, such as `15 minutes`"
        )
    return int(match[1]) * _UNITS[match[2]]


def expression(schedule: Schedule) -> str:
    """The `ScheduleExpression` of a schedule: `cron(5 * * * ? *)` or `rate(1 hour)`.

    Raises ValueError if it has neither or both, or if it is not valid.
    """
    match schedule.cron, schedule.rate:
        case str(cron), None:
            parse_cron(cron)
            return f"cron({' '.join(cron.split())})"
        case None, str(rate):
            parse_rate(rate)
            count, unit = rate.split()
            # AWS: one takes the singular, all else the plural
            return f"rate({count} {unit.rstrip('s')}{'' if count == '1' else 's'})"
        case None, None:
            raise ValueError("one of `cron` and `rate` is needed; there is neither")
        case _:
            raise ValueError("one of `cron` and `rate` is needed; there are both")


def next_due(
    expression: str, timezone: str, after: datetime, *, anchor: datetime = EPOCH
) -> datetime | None:
    """The first tick strictly after `after` (aware), in UTC; None if there is none.

    `expression` is as `expression()` gives it. A rate counts from the moment at which
    AWS created the schedule, which nobody outside knows: its ticks are `anchor` plus
    whole periods, the first being `anchor`. A day of a rate is 24 hours.
    """
    form, fields = _split(expression)
    if form == "cron":
        return next_tick(parse_cron(fields), zone(timezone), after)
    period = parse_rate(fields)
    whole = max((after - anchor) // period + 1, 0)
    return (anchor + whole * period).astimezone(UTC)


def last_due(
    expression: str, timezone: str, at: datetime, *, anchor: datetime = EPOCH
) -> datetime | None:
    """The last tick at or before `at`, in UTC, as `next_due`; None if there is none."""
    form, fields = _split(expression)
    if form == "cron":
        return last_tick(parse_cron(fields), zone(timezone), at)
    if at < anchor:
        return None
    period = parse_rate(fields)
    return (anchor + (at - anchor) // period * period).astimezone(UTC)


def ticks(
    expression: str,
    timezone: str,
    after: datetime,
    until: datetime,
    *,
    anchor: datetime = EPOCH,
) -> Iterator[datetime]:
    """The ticks strictly after `after` and up to `until`, in UTC, as `next_due`."""
    form, fields = _split(expression)
    if form == "cron":
        yield from ticks_between(parse_cron(fields), zone(timezone), after, until)
        return
    at = next_due(expression, timezone, after, anchor=anchor)
    while at is not None and at <= until:
        yield at
        at += parse_rate(fields)


def faults(schedule: Schedule) -> list[tuple[str, str]]:
    """What is wrong with a schedule beyond its types: (key path, sentence) each."""
    found: list[tuple[str, str]] = []
    try:
        expression(schedule)
    except ValueError as error:
        one = (schedule.cron is None) != (schedule.rate is None)
        key = ("cron" if schedule.rate is None else "rate") if one else ""
        found.append((f"schedule.{key}".rstrip("."), str(error)))
    try:
        zone(schedule.timezone)
    except ValueError as error:
        found.append(("schedule.timezone", str(error)))
    return found


def _split(expression: str) -> tuple[str, str]:
    match = re.fullmatch(r"(cron|rate)\((.*)\)", expression)
    if match is None:
        raise ValueError(f"`{expression}` is neither `cron(…)` nor `rate(…)`")
    return match[1], match[2]
