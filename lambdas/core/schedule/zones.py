"""Time zones, and what a wall clock shows when daylight saving begins and ends.

A *wall time* is a naive datetime: what a clock on the wall shows. Once a year most
zones leave some wall times out and show others twice. Both rules here take the first
time a clock shows it, or passes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

_MACHINE_ZONES = re.compile(r"localtime|posixrules|Factory|(posix|right)/.*")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone called `name`; ValueError with the nearest names if unknown.

    Names that mean a setting of the machine (`localtime`) are refused.
    """
    try:
        if _MACHINE_ZONES.fullmatch(name) is None:
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    near = get_close_matches(name, available_timezones(), n=3, cutoff=0.75)
    hint = f"; did you mean {' or '.join(f'`{other}`' for other in near)}?"
    raise ValueError(
        f"`{name}` is not an IANA time zone, such as `America/New_York` or `UTC`"
        f"{hint if near else ''}"
    )


def instant(wall: datetime, tz: ZoneInfo) -> datetime | None:
    """The moment, in UTC, at which clocks first show the naive time `wall`; None if
    they never do, since a spring-forward change leaves it out.
    """
    moment = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    shown = moment.astimezone(tz).replace(tzinfo=None, fold=0)
    return moment if shown == wall else None


def passed(wall: datetime, tz: ZoneInfo) -> datetime:
    """The moment, in UTC, at which clocks first show `wall` or jump over it."""
    moment = instant(wall, tz)
    if moment is not None:
        return moment
    # In a gap, fold=1 counts with the offset after it and fold=0 with the one before
    # (PEP 495); the jump lies between the two. A second is the unit of every offset.
    before = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    offset = before.astimezone(tz).utcoffset() or timedelta()
    return _changed_at(tz, before, after, offset)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """From `at` on clocks show `shift` more; `wall` is what they had shown then."""

    at: datetime
    wall: datetime
    shift: timedelta


@lru_cache(maxsize=1024)
def clock_changes(name: str, start: datetime, days: int) -> tuple[ClockChange, ...]:
    """When the clocks of a zone change within `days` after `start`."""
    tz, day = zone(name), timedelta(days=1)
    found = []
    for number in range(days):
        low = start + number * day
        before = low.astimezone(tz).utcoffset() or timedelta()
        after = (low + day).astimezone(tz).utcoffset() or timedelta()
        if before != after:
            at = _changed_at(tz, low, low + day, before)
            wall = (at.astimezone(UTC) + before).replace(tzinfo=None)
            found.append(ClockChange(at, wall, after - before))
    return tuple(found)


def _changed_at(
    tz: ZoneInfo, low: datetime, high: datetime, before: timedelta
) -> datetime:
    """The first second between two moments with another offset than `before`."""
    first, last = int(low.timestamp()), int(high.timestamp())
    while first + 1 < last:
        middle = (first + last) // 2
        same = datetime.fromtimestamp(middle, tz).utcoffset() == before
        first, last = (middle, last) if same else (first, middle)
    return datetime.fromtimestamp(last, UTC)


MORNING = time(8)
"""On the wall clock of whoever uses the data."""


def last_morning(now: datetime, timezone: str) -> datetime:
    """When people's last morning began there, at or before `now`."""
    here = now.astimezone(zone(timezone))
    today = datetime.combine(here.date(), MORNING, tzinfo=here.tzinfo)
    morning = today if today <= here else today - timedelta(days=1)
    return morning.astimezone(UTC)
