"""When nothing is due: the decisions of a dataset's `calendar`.

Quiet is, on the wall clock of the calendar's zone,

- every window of `quiet`, from its start until just before its end. `22:00-05:00`
  begins each evening and ends the next morning; `18:00-24:00` ends at midnight;
- every whole day that is not in `weekdays` (absent = all seven are due);
- every whole day that is a public holiday of `holidays`: `US`, or `US-NY` for a
  subdivision (the codes of the `holidays` package, ISO 3166).

The rest is *due time*. Where daylight saving repeats a wall time, a window begins or
ends the first time clocks show it; where it leaves one out, at the jump. So in New York
`00:00-05:00` lasts four hours on one Sunday in March and six on one in November.

All moments are aware; results are in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from lambdas.core.dataset import Calendar
from lambdas.core.schedule.zones import passed, zone

_DAY = timedelta(days=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_HOLIDAYS = re.compile(r"(?P<country>[A-Z]{2})(-(?P<subdivision>[A-Z0-9]{1,4}))?")
_HORIZON_DAYS = 3_660
"""How far ahead due time is looked for: what has none in ten years has none."""
_OLDEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(9980, 1, 1, tzinfo=UTC)
"""Where quiet time is counted at all: a row of the year 1 or 9999 must not overflow."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """A calendar, read: windows as (start, end) after the midnight they belong to."""

    tz: ZoneInfo
    windows: tuple[tuple[timedelta, timedelta], ...]
    weekdays: frozenset[int]
    holidays: str | None
    always_due: bool


def in_quiet_time(calendar: Calendar, at: datetime) -> bool:
    """Whether nothing is due at this moment."""
    return next_due_moment(calendar, at) != at


def days_before(calendar: Calendar, day: date, count: int) -> date:
    """`count` days before `day`, those not counted that are quiet as a whole."""
    rules = _rules(calendar)
    for _ in range(_HORIZON_DAYS):
        if count == 0:
            break
        day -= _DAY
        if not _is_quiet_day(rules, day):
            count -= 1
    return day


def is_quiet_day(calendar: Calendar, day: date) -> bool:
    """Whether nothing is due on the whole of a day."""
    return _is_quiet_day(_rules(calendar), day)


def quiet_since(calendar: Calendar, at: datetime) -> datetime | None:
    """Since when it is quiet at `at`, at most ten days; None if it is due time."""
    for begin, end in _quiet_spans(_rules(calendar), at - 10 * _DAY):
        if begin > at:
            return None
        if begin <= at < end:
            return begin
    return None


def next_due_moment(calendar: Calendar, at: datetime) -> datetime | None:
    """`at` if it is due time, else the end of the quiet; None if there is none."""
    for begin, end in _quiet_spans(_rules(calendar), at):
        if end > at:
            if begin > at:
                return at
            return None if end == _NEVER else end
    return at


def next_quiet_end(calendar: Calendar, at: datetime) -> datetime | None:
    """When quiet time next ends after `at`: this quiet time, or the next one's; None
    if the calendar has no (further) quiet time, or nothing else.
    """
    for begin, end in _quiet_spans(_rules(calendar), at):
        if end > at and end > begin:
            return None if end == _NEVER else end
    return None


def due_time_between(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    """How much of the time from `start` to `end` is due; zero if `end` comes first."""
    due = max(end - start, timedelta())
    for quiet_begin, quiet_end in _quiet_spans(_rules(calendar), start):
        if quiet_begin >= end:
            break
        quiet = min(quiet_end, end) - max(quiet_begin, start)
        due -= max(quiet, timedelta())
    return due


def last_moment_within(
    calendar: Calendar, start: datetime, due: timedelta
) -> datetime | None:
    """The last moment by which no more than `due` of due time has passed since `start`.

    At every later moment more has passed, and every later moment close by is due time:
    when `due` is used up as quiet time begins, this is the end of that quiet time. None
    if it lies past ten years, or past what a datetime holds.
    """
    rules = _rules(calendar)
    at, left = start, due
    if not rules.always_due:
        for begin, end in _quiet_spans(rules, start):
            if begin > at:
                if begin - at > left:
                    return at + left
                left -= begin - at
            if end == _NEVER:
                return None
            at = max(at, end)
        return None
    try:
        return at + left
    except OverflowError:
        return None


def check_window(text: str) -> None:
    """ValueError unless `text` is a quiet window."""
    _window(text)


def check_holidays(text: str) -> None:
    """ValueError unless `text` names a country, or a subdivision, with holidays."""
    _holidays(text)


def has_due_time(calendar: Calendar) -> bool:
    """Whether windows and weekdays leave anything of a week (holidays aside)."""
    without_holidays = calendar.model_copy(update={"holidays": None, "timezone": "UTC"})
    week = datetime(2024, 1, 1, tzinfo=UTC)
    return due_time_between(without_holidays, week, week + 7 * _DAY) > timedelta()


@lru_cache(maxsize=1024)
def _rules(calendar: Calendar) -> _Rules:
    if calendar.holidays is not None:
        _holidays(calendar.holidays)
    listed = _WEEKDAYS if calendar.weekdays is None else calendar.weekdays
    weekdays = frozenset(_WEEKDAYS.index(day) for day in listed)
    windows = tuple(sorted(_window(text) for text in calendar.quiet))
    has_quiet = windows or calendar.holidays or len(weekdays) < len(_WEEKDAYS)
    return _Rules(
        tz=zone(calendar.timezone),
        windows=windows,
        weekdays=weekdays,
        holidays=calendar.holidays,
        always_due=not has_quiet,
    )


def _window(text: str) -> tuple[timedelta, timedelta]:
    match = _WINDOW.fullmatch(text)
    if match is not None:
        hours, minutes, end_hours, end_minutes = map(int, match.groups())
        start = timedelta(hours=hours, minutes=minutes)
        end = timedelta(hours=end_hours, minutes=end_minutes)
        if start != end <= _DAY:
            return start, end if end > start else end + _DAY
    raise ValueError(
        f"`{text}` is not a quiet window: `HH:MM-HH:MM` is accepted, such as "
        "`22:00-05:00`, from 00:00 to 24:00, with an end that is not the start"
    )


@lru_cache(maxsize=256)
def _holidays(text: str) -> Container[date]:
    """The days of a country, which work themselves out year by year when asked."""
    match = _HOLIDAYS.fullmatch(text)
    if match is not None:
        # 0.3 s: only a dataset that names a country pays for it.
        from holidays import country_holidays  # noqa: PLC0415

        try:
            return country_holidays(match["country"], subdiv=match["subdivision"])
        except NotImplementedError:
            pass
    raise ValueError(
        f"`{text}` is not a country whose holidays are known: its ISO code is "
        "accepted, such as `US`, or one of its subdivisions, such as `US-NY`"
    )


def _quiet_spans(rules: _Rules, start: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Quiet time as (begin, end) moments, in order and apart from each other, from the
    day before `start` on, for `_HORIZON_DAYS`.

    A day without any has an empty span, so that a reader who has seen enough can stop.
    What still lasts at the horizon ends `_NEVER`.
    """
    if rules.always_due:
        return
    # A window is shorter than a day, so yesterday's are the oldest that can matter.
    first = min(max(start, _OLDEST), _LATEST).astimezone(rules.tz).date() - _DAY
    begin, end = (passed(datetime.combine(first, time()), rules.tz),) * 2
    for days in range(_HORIZON_DAYS):
        for next_begin, next_end in _quiet_of(rules, first + days * _DAY):
            if next_begin > end:
                yield begin, end
                begin, end = next_begin, next_end
            else:
                end = max(end, next_end)
    reached = passed(datetime.combine(first + _HORIZON_DAYS * _DAY, time()), rules.tz)
    yield begin, end if end < reached else _NEVER


def _is_quiet_day(rules: _Rules, day: date) -> bool:
    """Whether the whole day is: by its weekday, or as a holiday."""
    is_holiday = rules.holidays is not None and day in _holidays(rules.holidays)
    return day.weekday() not in rules.weekdays or is_holiday


@lru_cache(maxsize=16_384)
def _quiet_of(rules: _Rules, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """The spans that belong to one local day, by their begin; an empty one if none."""
    midnight = datetime.combine(day, time())
    begin = passed(midnight, rules.tz)
    spans = [(begin, begin)]
    if _is_quiet_day(rules, day):
        spans = [(begin, passed(midnight + _DAY, rules.tz))]
    for window_start, window_end in rules.windows:
        span = (
            passed(midnight + window_start, rules.tz),
            passed(midnight + window_end, rules.tz),
        )
        # one that lies in a spring-forward gap is empty
        if span[0] < span[1]:
            spans.append(span)
    return tuple(spans)
