"""Cron expressions: EventBridge's six fields, and a crontab's five.

Fields, values and wildcards are those of AWS, "Schedule types in EventBridge Scheduler"
and "Cron expressions reference". Where AWS documents a restriction it is enforced, and
where its documents are silent (`L` in a list, a range that wraps) it is refused, so
that a deploy does not find it first.

A cron runs on the wall clock of its zone. A wall time that a spring-forward change
leaves out does not run that day, and one that a fall-back change repeats runs once, the
first time ("Daylight savings time on EventBridge Scheduler"). This holds for every
wall time: `5 * * * ? *` in New York pauses for two hours in November.

cronsim does the search over days and minutes. It is only ever given naive wall times,
because its own daylight-saving rule is that of Debian's cron (a skipped time runs
late); years, `nW` and the zone are added here.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from lambdas.core.schedule.zones import instant

_YEARS = range(1970, 2200)
_MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6,
    "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_FIRST_OF_WEEKEND = 5  # Saturday, as date.weekday() counts
_SIX_FIELDS = (
    "six are needed: minutes hours day-of-month month day-of-week year, "
    "such as `5 * * * ? *`"
)
_FIVE_FIELDS = (
    "five are needed: minute (0-59) hour (0-23) day-of-month (1-31) month (1-12) "
    "day-of-week (0-7, 0 and 7 are Sunday), such as `0 6 * * 1-5`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A parsed cron, without its zone.

    `wall` is what cronsim searches, in numbers only; `years` are those allowed;
    `nearest_weekday_to` is the day of an `nW`, for which `wall` is only a first sieve.
    """

    wall: str
    years: frozenset[int] = frozenset(_YEARS)
    nearest_weekday_to: int | None = None

    def matches(self, day: date) -> bool:
        """Whether what cronsim cannot judge (the year, `nW`) admits this day."""
        if day.year not in self.years:
            return False
        if self.nearest_weekday_to is None:
            return True
        return day == _nearest_weekday(day.year, day.month, self.nearest_weekday_to)


@lru_cache(maxsize=4096)
def parse_cron(text: str) -> Cron:
    """EventBridge's six fields, without the `cron(…)` around them.

    Raises ValueError naming the field, what came and what is accepted.
    """
    fields = text.upper().split()
    if len(fields) != 6:  # noqa: PLR2004 - EventBridge has six
        more = " (a five-field cron lacks the year)" if len(fields) == 5 else ""  # noqa: PLR2004 - crontab's
        raise ValueError(f"`{text}` has {len(fields)} fields{more}; {_SIX_FIELDS}")
    minutes, hours, day_of_month, month, day_of_week, year = fields
    if (day_of_month == "?") == (day_of_week == "?"):
        raise ValueError(
            f"`{text}`: exactly one of day-of-month and day-of-week must be `?`, "
            "such as `0 6 * * ? *` or `0 6 ? * MON-FRI *`"
        )
    days, nearest = _day_of_month(day_of_month)
    wall = " ".join(
        (
            _written(_numbers("minutes", minutes, range(60)), range(60)),
            _written(_numbers("hours", hours, range(24)), range(24)),
            days,
            _written(_numbers("month", month, range(1, 13), _MONTHS), range(1, 13)),
            _day_of_week(day_of_week),
        )
    )
    years = _numbers("year", year, _YEARS)
    cron = Cron(wall=wall, years=years, nearest_weekday_to=nearest)
    return _searchable(text, cron, "there is no such date")


@lru_cache(maxsize=4096)
def parse_crontab(text: str) -> Cron:
    """A crontab's five fields (minute, hour, day of month, month, day of week 0-7) and
    the calendar's words: `1W` and `L` as days of the month, `1#2` and `5L` of the week.

    Raises ValueError saying what is accepted.
    """
    fields = text.split()
    if len(fields) != 5:  # noqa: PLR2004 - a crontab has five
        raise ValueError(f"`{text}` has {len(fields)} fields; {_FIVE_FIELDS}")
    nearest = None
    if re.fullmatch(r"[0-9]{1,2}W", fields[2].upper()) and fields[4] == "*":
        fields[2], nearest = _day_of_month(fields[2].upper())
    cron = Cron(wall=" ".join(fields), nearest_weekday_to=nearest)
    return _searchable(text, cron, _FIVE_FIELDS)


def next_tick(cron: Cron, tz: ZoneInfo, after: datetime) -> datetime | None:
    """The first tick of a cron strictly after `after`, in UTC."""
    start = after.astimezone(tz).replace(tzinfo=None)
    for wall in _wall_times(cron, start, reverse=False):
        tick = instant(wall, tz)
        if tick is not None and tick > after:
            return tick
    return None


def last_tick(cron: Cron, tz: ZoneInfo, at: datetime) -> datetime | None:
    """The last tick of a cron at or before `at`, in UTC."""
    local = at.astimezone(tz)
    # In a repeated hour, wall times still ahead on the clock have had their (first)
    # turn: begin behind the whole of it.
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    repeated = max((first or timedelta()) - (second or timedelta()), timedelta())
    start = local.replace(tzinfo=None, microsecond=0) + repeated + timedelta(seconds=1)
    for wall in _wall_times(cron, start, reverse=True):
        tick = instant(wall, tz)
        if tick is not None and tick <= at:
            return tick
    return None


def ticks_between(
    cron: Cron, tz: ZoneInfo, after: datetime, until: datetime
) -> Iterator[datetime]:
    """The ticks of a cron strictly after `after` and up to `until`, in UTC."""
    start = after.astimezone(tz).replace(tzinfo=None)
    for wall in _wall_times(cron, start, reverse=False):
        tick = instant(wall, tz)
        if tick is not None and tick > until:
            return
        if tick is not None and tick > after:
            yield tick


def wall_times_between(cron: Cron, after: datetime, until: datetime) -> list[datetime]:
    """The naive times that match strictly after `after` and before `until`."""
    found = _wall_times(cron, after, reverse=False)
    return list(takewhile(lambda wall: wall < until, found))


def _wall_times(cron: Cron, start: datetime, *, reverse: bool) -> Iterator[datetime]:
    """Naive times that match, strictly after (or before) `start`, in order.

    cronsim ticks through every minute of a day or year that only `matches` refuses;
    so whole days and years are skipped here.
    """
    while cron.years:
        for wall in CronSim(cron.wall, start, reverse=reverse):
            if not cron.matches(wall.date()):
                break
            yield wall
        else:  # cronsim gives up after 50 years
            return
        if wall.year in cron.years:
            day = wall.replace(hour=0, minute=0)
            ahead = day + timedelta(days=1, seconds=-1)
        elif reverse:
            year = max((y for y in cron.years if y < wall.year), default=None)
            if year is None:
                return
            day = datetime(year + 1, 1, 1)  # noqa: DTZ001 - a wall time has no zone
        else:
            year = min((y for y in cron.years if y > wall.year), default=None)
            if year is None:
                return
            ahead = datetime(year, 1, 1) - timedelta(seconds=1)  # noqa: DTZ001 - as above
        start = day if reverse else ahead


def _searchable(text: str, cron: Cron, accepted: str) -> Cron:
    """The cron itself, once cronsim has accepted it and it has a first tick."""
    start = datetime(_YEARS[0], 1, 1) - timedelta(seconds=1)  # noqa: DTZ001 - wall time
    try:
        first = next(_wall_times(cron, start, reverse=False), None)
    except CronSimError as error:
        raise ValueError(f"`{text}`: {str(error).lower()}; {accepted}") from None
    if first is None:
        raise ValueError(f"`{text}` never fires: there is no such date")
    return cron


def _numbers(
    field: str,
    text: str,
    accepted: range,
    names: Mapping[str, int] | None = None,
    *,
    steps: bool = True,
) -> frozenset[int]:
    """The values a field stands for: `*`, numbers, names, ranges, lists and steps."""
    found: set[int] = set()
    for term in text.split(","):
        span, slash, step = term.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = accepted[0], accepted[-1]
        else:
            low = _number(field, first, accepted, names)
            high = _number(field, last, accepted, names) if dash else low
            high = accepted[-1] if slash and not dash else high
        if low > high:
            raise ValueError(
                f"{field}: the range `{span}` runs backwards; write it as two, "
                "separated by a comma"
            )
        if slash and not (steps and re.fullmatch(r"0*[1-9][0-9]{0,3}", step)):
            raise ValueError(
                f"{field}: `{term}` is not accepted; "
                + ("a step is a number from 1" if steps else "it takes no steps")
            )
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(
    field: str, text: str, accepted: range, names: Mapping[str, int] | None
) -> int:
    if names and text in names:
        return names[text]
    if re.fullmatch(r"[0-9]{1,4}", text) and int(text) in accepted:
        return int(text)
    named = f" or {', '.join(names)}" if names else ""
    raise ValueError(
        f"{field}: `{text}` is not accepted; {accepted[0]} to {accepted[-1]}{named}, "
        "`*`, ranges (`a-b`) and lists (`a,b`) are"
    )


def _written(numbers: frozenset[int], accepted: range) -> str:
    if len(numbers) == len(accepted):
        return "*"
    return ",".join(str(number) for number in sorted(numbers))


def _day_of_month(text: str) -> tuple[str, int | None]:
    """What cronsim is to search, and the day of an `nW`."""
    field, accepted = "day-of-month", range(1, 32)
    if text in ("?", "*"):
        return "*", None
    if text in ("L", "LW"):
        return text, None
    if text.endswith("W"):
        day = _number(field, text[:-1], accepted, None)
        # at most two days off: a first that is a Saturday moves to Monday the third
        return f"{max(day - 2, 1)}-{min(day + 2, 31)}", day
    return _written(_numbers(field, text, accepted), accepted), None


def _day_of_week(text: str) -> str:
    """EventBridge counts 1-7 from Sunday, cronsim 0-6."""
    field, accepted = "day-of-week", range(1, 8)
    if text in ("?", "*"):
        return "*"
    if text == "L":  # AWS: the last day of the week
        return "6"
    if text.endswith("L"):
        return f"{_number(field, text[:-1], accepted, _DAYS) - 1}L"
    day, sharp, nth = text.partition("#")
    if sharp:
        if nth not in ("1", "2", "3", "4", "5"):
            raise ValueError(
                f"{field}: `{text}` is not accepted; one day and which of the month it "
                "is (1 to 5) are, such as `3#2` for the second Tuesday"
            )
        return f"{_number(field, day, accepted, _DAYS) - 1}#{nth}"
    numbers = _numbers(field, text, accepted, _DAYS, steps=False)
    return _written(frozenset(number - 1 for number in numbers), accepted)


def _nearest_weekday(year: int, month: int, day: int) -> date | None:
    """The weekday (Monday to Friday) nearest to a day, within its month."""
    last = calendar.monthrange(year, month)[1]
    if day > last:
        return None
    wanted = date(year, month, day)
    over = wanted.weekday() - _FIRST_OF_WEEKEND
    if over < 0:
        return wanted
    shift = -1 if over == 0 else 1
    if day + shift < 1:
        shift = 2
    elif day + shift > last:
        shift = -2
    return wanted + timedelta(days=shift)
