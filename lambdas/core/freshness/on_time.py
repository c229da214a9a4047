"""Whether a promise can be kept: a dataset that is always on time is lived through.

Each tick of its schedule brings rows of that moment, which are in the table a usual run
and the grace of a load later. Two weeks are lived, the days around every change of the
clocks within a year, and the whole year of what comes round seldom. A promise that is
broken by that would page for nothing, and is refused.

With `cron: 5 * * * ? *`, a grace of 15 minutes and a run of none, the rows of 00:05 are
the newest until 01:20: up to 1 h 15 min old. A warning after 1 hour is refused.

A rate counts from a moment that nobody knows before the deploy: with a calendar or a
deadline it is refused only if no such moment keeps the promise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise

from lambdas.core.dataset import Dataset, Freshness
from lambdas.core.freshness.promise import Fault, deadlines
from lambdas.core.schedule.calendar import (
    due_time_between,
    in_quiet_time,
    last_moment_within,
)
from lambdas.core.schedule.cron import parse_crontab, ticks_between, wall_times_between
from lambdas.core.schedule.expressions import (
    EPOCH,
    expression,
    last_due,
    next_due,
    parse_rate,
    ticks,
)
from lambdas.core.schedule.zones import ClockChange, clock_changes, zone

GRACE = timedelta(minutes=15)
"""How long a load may take, unless an environment says otherwise."""
_DAY = timedelta(days=1)
_LIVED = timedelta(days=14)
_AROUND = timedelta(days=2)
"""Before and after a change of the clocks."""
_YEAR = 366
_SELDOM = 60
"""What comes round so often in a year, or less, is lived for all of it."""
_PHASES = 8
"""So many moments are tried from which a rate may count."""
_SOON = timedelta(hours=1)
"""A deadline that comes so soon after one that clocks jump over stands for it."""

_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """When a pull of the dataset begins, and by when its rows are loaded. `newest` is
    the time of its newest row, by the clock of the promise.
    """

    at: datetime
    newest: datetime
    loaded_by: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Break:
    """A promise that was broken at `at`, with `before` as the newest rows. `needed` is
    what would have kept it, of the key's own kind.
    """

    at: datetime
    key: str
    before: _Pull
    after: _Pull | None
    needed: timedelta
    since: datetime | None = None


def promise_faults(
    dataset: Dataset,
    *,
    now: datetime,
    usual_run: timedelta = timedelta(),
    grace: timedelta = GRACE,
) -> list[Fault]:
    """Each promise that is broken although everything is on time: key path and
    sentence. `dataset` is sound; `usual_run` is how long a pull of it takes.
    """
    if dataset.schedule.paused is not None:
        return []
    start = now.astimezone(UTC).replace(second=0, microsecond=0)
    faults = [*_left_out(dataset.freshness, start)]
    fewest: list[_Break] = []
    for anchor in _anchors(dataset):
        broken = _breaks(dataset, start, anchor, usual_run, grace)
        if not broken:
            return faults
        fewest = min(fewest or broken, broken, key=len)
    return faults + [
        (f"freshness.{one.key}", _sentence(dataset, one)) for one in fewest
    ]


def _anchors(dataset: Dataset) -> list[datetime]:
    """From when on a rate may count; where it makes no difference, one will do."""
    schedule, promise = dataset.schedule, dataset.freshness
    calendar = promise.calendar
    plain = promise.deadline_cron is None and not (
        calendar.quiet or calendar.weekdays or calendar.holidays
    )
    if schedule.rate is None or plain:
        return [EPOCH]
    period = parse_rate(schedule.rate)
    return [EPOCH + number * period / _PHASES for number in range(_PHASES)]


def _breaks(
    dataset: Dataset,
    start: datetime,
    anchor: datetime,
    usual_run: timedelta,
    grace: timedelta,
) -> list[_Break]:
    """The first break of each promise; of an age, with the longest that is needed."""
    found: dict[str, _Break] = {}
    for span in _spans(dataset, start):
        pulls = _pulls(dataset, span, anchor, usual_run, grace)
        if dataset.freshness.deadline_cron is not None:
            broken = _missed(dataset.freshness, span, pulls)
        else:
            broken = _too_old(dataset.freshness, span, pulls)
        for one in broken:
            first = found.setdefault(one.key, one)
            needed = max(first.needed, one.needed)
            found[one.key] = replace(first, needed=needed)
    return list(found.values())


def _spans(dataset: Dataset, start: datetime) -> list[_Span]:
    """What is lived, in order: what comes first is what is told."""
    schedule, promise = dataset.schedule, dataset.freshness
    year = start + _YEAR * _DAY
    if _seldom(ticks(expression(schedule), schedule.timezone, start, year)):
        return [(start, year)]
    deadlines_of_year = _deadline_ticks(promise, start, year)
    if deadlines_of_year:
        return [(at - timedelta.resolution, at) for at in deadlines_of_year]
    zones = {schedule.timezone, promise.calendar.timezone}
    changes = {one for name in zones for one in clock_changes(name, start, _YEAR)}
    around = [(one.at - _AROUND, one.at + _AROUND) for one in changes]
    return [(start, start + _LIVED), *sorted(around)]


def _deadline_ticks(
    promise: Freshness, start: datetime, end: datetime
) -> list[datetime]:
    """All deadlines until `end`, if there are few."""
    if promise.deadline_cron is None:
        return []
    cron = parse_crontab(promise.deadline_cron)
    return _seldom(ticks_between(cron, zone(promise.calendar.timezone), start, end))


def _seldom(times: Iterator[datetime]) -> list[datetime]:
    """These times, if they are few."""
    found = list(islice(times, _SELDOM + 1))
    return found if len(found) <= _SELDOM else []


def _pulls(
    dataset: Dataset,
    span: _Span,
    anchor: datetime,
    usual_run: timedelta,
    grace: timedelta,
) -> list[_Pull]:
    """The pulls of a span, with the last whose rows are there before it, and the next
    after it.
    """
    schedule = dataset.schedule
    run = usual_run if dataset.freshness.loaded_at_field is None else timedelta()
    takes = usual_run + grace
    return [
        _Pull(at=at, newest=at + run, loaded_by=at + takes)
        for at in _ticks(
            expression(schedule), schedule.timezone, span[0] - takes, span[1], anchor
        )
    ]


@lru_cache(maxsize=256)
def _ticks(
    when: str, timezone: str, begin: datetime, end: datetime, anchor: datetime
) -> tuple[datetime, ...]:
    """With one before and one after, if there are."""
    before = last_due(when, timezone, begin, anchor=anchor)
    after = next_due(when, timezone, end, anchor=anchor)
    within = ticks(when, timezone, begin, end, anchor=anchor)
    return tuple(filter(None, (before, *within, after)))


def _too_old(
    promise: Freshness, span: _Span, pulls: Sequence[_Pull]
) -> Iterator[_Break]:
    """Rows that are older than promised when the next pull's are loaded."""
    calendar = promise.calendar
    named = {"warn_after": promise.warn_after, "error_after": promise.error_after}
    limits = {key: one.duration for key, one in named.items() if one is not None}
    for before, after in pairwise(pulls):
        age = after.loaded_by - before.newest
        for key, limit in limits.items():
            if age <= limit:
                continue  # also where all time is due
            at = last_moment_within(calendar, before.newest, limit)
            if at is None or at >= after.loaded_by or at < span[0]:
                continue
            needed = due_time_between(calendar, before.newest, after.loaded_by)
            yield _Break(at=at, key=key, before=before, after=after, needed=needed)


def _missed(
    promise: Freshness, span: _Span, pulls: Sequence[_Pull]
) -> Iterator[_Break]:
    """Deadlines at which the newest rows are older than promised."""
    place = 0
    for tick, since in deadlines(promise, *span):
        while place + 1 < len(pulls) and pulls[place + 1].loaded_by <= tick:
            place += 1
        if place >= len(pulls) or pulls[place].loaded_by > tick:
            continue  # nothing was pulled before it
        before = pulls[place]
        if before.newest < since:
            after = pulls[place + 1] if place + 1 < len(pulls) else None
            yield _Break(
                at=tick,
                key="deadline_cron",
                before=before,
                after=after,
                needed=tick - before.newest,
                since=since,
            )


def _left_out(promise: Freshness, start: datetime) -> Iterator[Fault]:
    """A deadline at a time that clocks jump over: that day it would not exist. One that
    is always quiet never does.
    """
    if promise.deadline_cron is None:
        return
    calendar = promise.calendar
    cron = parse_crontab(promise.deadline_cron)
    year = start + _YEAR * _DAY
    tick = next(ticks_between(cron, zone(calendar.timezone), start, year), None)
    if tick is not None and next(deadlines(promise, start, year), None) is None:
        first = _at(tick, calendar.timezone)
        sentence = (
            "nothing is ever promised: the calendar calls each of its times quiet, as "
            f"{first}; accepted: a time of day that is not quiet"
        )
        yield "freshness.deadline_cron", sentence
        return
    jumps = clock_changes(calendar.timezone, start, _YEAR)
    for jump in jumps:
        wall = jump.wall
        gone = wall_times_between(cron, wall - timedelta.resolution, wall + jump.shift)
        soon = next(deadlines(promise, jump.at - _SOON, jump.at + _SOON), None)
        if gone and soon is None and not in_quiet_time(calendar, jump.at):
            yield (
                "freshness.deadline_cron",
                _left_out_sentence(gone[0], jump, calendar.timezone),
            )
            return


def _left_out_sentence(gone: datetime, jump: ClockChange, name: str) -> str:
    to = jump.wall + jump.shift
    return (
        f"there is no {gone:%H:%M} on {gone:%a %Y-%m-%d} in {name}, where clocks jump "
        f"from {jump.wall:%H:%M} to {to:%H:%M}, so that nothing is promised that day; "
        "accepted: a time of day that every day has"
    )


def _sentence(dataset: Dataset, broken: _Break) -> str:
    promise, after = dataset.freshness, broken.after
    tz = promise.calendar.timezone
    if tz == "UTC":
        tz = dataset.schedule.timezone
    at, pulled = _at(broken.at, tz), _at(broken.before.at, tz)
    by = (
        "no pull follows"
        if after is None
        else f"the rows of the next, at {_at(after.at, tz)}, are loaded by "
        f"{_at(after.loaded_by, tz)}"
    )
    if broken.since is not None:
        return (
            f"is missed although everything is on time, first on {at}: rows since "
            f"{_at(broken.since, tz)} are promised, the newest are those of the pull "
            f"at {pulled}, and {by}; accepted: a deadline after that, an earlier pull, "
            "or a longer lower_bound_delta"
        )
    return (
        f"is exceeded although everything is on time, first on {at}: the newest rows "
        f"are those of the pull at {pulled}, and {by}; accepted: at least "
        f"{_long(broken.needed)}, such as {_period(broken.needed)}, or more pulls"
    )


def _at(moment: datetime, timezone: str) -> str:
    return f"{moment.astimezone(zone(timezone)):%a %Y-%m-%d %H:%M %Z}"


def _long(needed: timedelta) -> str:
    minutes = math.ceil(needed / timedelta(minutes=1))
    days, minutes = divmod(minutes, 24 * 60) if minutes > 72 * 60 else (0, minutes)
    parts = [(days, "d"), (minutes // 60, "h"), (minutes % 60, "min")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def _period(needed: timedelta) -> str:
    """The next whole number of a unit, as the YAML has it."""
    units = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": _DAY}
    unit = "minute" if needed < 2 * units["hour"] else "hour"
    unit = "day" if needed > 3 * _DAY else unit
    return f"{{count: {math.ceil(needed / units[unit])}, period: {unit}}}"
