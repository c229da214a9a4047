"""How late a dataset has been: minutes out of its promise, by day, and its incidents.

All of it is told by times and not by counting checks, so that a check that runs twice,
or not at all, changes nothing:

- Out of the promise is due time from the moment at which the promise broke, which the
  newest row and the calendar tell, until newer data came. Quiet time does not count.
- Only lateness that a look has seen is counted, from where the last look left off; a
  table that could not be read is no seen. Lateness that began and ended while nobody
  looked was told to nobody, and is not made up here.

An `AttainmentState` goes with what the monitor remembers of a dataset (`watch`), in the
same
write. It holds the day that is not over yet, the days of the last weeks that
were not good, and the last incidents; a day that is over is an item of its own as well.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from statistics import median

from lambdas.core.dataset import Calendar, Dataset
from lambdas.core.freshness.promise import breaks_at
from lambdas.core.schedule.calendar import due_time_between

WINDOW_DAYS = 35
"""Days that are remembered: a month, and what a week of it may overlap."""
RECENT = timedelta(days=30)
"""How far back "usually" goes."""
LATES = 12
"""Incidents that are remembered."""
LOOKS = 24
"""Ages that a day remembers; of more, every other is dropped."""
TARGET = 0.99
"""The share of due time in which a dataset is to keep its promise. What it may miss of
30 days is its error budget."""
_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day (UTC, `YYYY-MM-DD`) of a dataset: seconds out of its promise, by what it
    promised, and how old its newest row was when it was checked.

    `warn_s` is what lay between the two thresholds, `error_s` what lay beyond the
    second. `ages` are (second of the day, age in seconds).
    """

    day: str
    warn_s: float = 0.0
    error_s: float = 0.0
    ages: tuple[tuple[int, int], ...] = ()

    @property
    def out_s(self) -> float:
        """Seconds out of the promise."""
        return self.warn_s + self.error_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """An incident that is over: when lateness was seen, how long it took, and why."""

    incident_id: str
    at: datetime
    seconds: float
    cause: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttainmentState:
    """What is counted so far. `until` is the last check that could read the table, and
    `was_late` what it saw; `due_share` is how much of a week anything is due.

    `days` are those of the last weeks that were not good, the oldest first; `over` are
    those that ended with this check, each to be kept as an item of its own.
    """

    since: datetime
    until: datetime
    was_late: bool
    due_share: float
    today: Day
    days: tuple[Day, ...] = ()
    lates: tuple[Late, ...] = ()
    over: tuple[Day, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one check of a table saw. `newest_before` is what the one before it saw;
    `moved_at` is when the newest rows were loaded, as far as that is known.
    """

    now: datetime
    is_late: bool
    newest: datetime | None
    newest_before: datetime | None
    moved_at: datetime | None


def attained_after(
    before: AttainmentState | None, dataset: Dataset, seen: Observation
) -> AttainmentState:
    """What is counted after a check that could read the table."""
    calendar = dataset.freshness.calendar
    age = None if seen.newest is None else seen.now - seen.newest
    if before is None:
        today = _seen(Day(day=_day(seen.now)), seen.now, age)
        return AttainmentState(
            since=seen.now,
            until=seen.now,
            was_late=seen.is_late,
            due_share=due_share(calendar),
            today=today,
        )
    if seen.now <= before.until:
        return before
    days = {before.today.day: before.today}
    for day, warn_s, error_s in _out(before, dataset, seen):
        known = days.get(day, Day(day=day))
        days[day] = dataclasses.replace(
            known, warn_s=known.warn_s + warn_s, error_s=known.error_s + error_s
        )
    name = _day(seen.now)
    today = _seen(days.pop(name, Day(day=name)), seen.now, age)
    oldest = _day(seen.now - WINDOW_DAYS * _DAY)
    # Of an environment that was off for long, what nobody remembers is not kept either.
    over = tuple(days[day] for day in sorted(days) if day >= oldest)
    bad = [*before.days, *(_slim(day) for day in over if day.out_s)]
    return dataclasses.replace(
        before,
        until=seen.now,
        was_late=seen.is_late,
        due_share=due_share(calendar),
        today=today,
        days=tuple(day for day in bad if day.day >= oldest),
        over=over,
    )


@lru_cache(maxsize=1024)
def due_share(calendar: Calendar) -> float:
    """How much of an ordinary week is due, holidays aside: 1.0 without quiet time."""
    ordinary = calendar.model_copy(update={"holidays": None, "timezone": "UTC"})
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return due_time_between(ordinary, start, start + _WEEK) / _WEEK


@dataclass(frozen=True, slots=True, kw_only=True)
class Attainment:
    """How a promise was kept over some days: `share` of due time, 0 to 1.

    Of the error budget, `budget_s` seconds of due time, those in error are spent.
    """

    days: int
    share: float
    due_s: float
    warn_s: float
    error_s: float
    budget_s: float

    @property
    def left(self) -> float:
        """The share of the budget that is left; negative once it is overspent."""
        return 1 - self.error_s / self.budget_s if self.budget_s else 0.0


def attainment(
    tally: AttainmentState, *, days: int, now: datetime
) -> Attainment | None:
    """Of the `days` up to now, or of as many as were watched; None: not watched yet."""
    start = max(now - days * _DAY, tally.since)
    due_s = (now - start).total_seconds() * tally.due_share
    if due_s <= 0:
        return None
    first = _day(start)
    counted = [day for day in (*tally.days, tally.today) if day.day >= first]
    warn_s = sum(day.warn_s for day in counted)
    error_s = sum(day.error_s for day in counted)
    whole_s = days * _DAY.total_seconds() * tally.due_share
    return Attainment(
        days=days,
        share=max(0.0, 1 - (warn_s + error_s) / due_s),
        due_s=due_s,
        warn_s=warn_s,
        error_s=error_s,
        budget_s=whole_s * (1 - TARGET),
    )


def combined(tallies: Sequence[AttainmentState]) -> AttainmentState | None:
    """Of what is made from several, and is late whenever one of them is; None: of none.

    Of a day on which more than one was late, the longest counts: the least that all of
    them together can have been late.
    """
    if not tallies:
        return None
    worst: dict[str, Day] = {}
    for day in (one for each in tallies for one in (*each.days, each.today)):
        known = worst.get(day.day, Day(day=day.day))
        error_s = max(known.error_s, day.error_s)
        out_s = max(known.out_s, day.out_s)
        worst[day.day] = Day(day=day.day, warn_s=out_s - error_s, error_s=error_s)
    *days, today = (worst[day] for day in sorted(worst))
    lates = sorted((one for each in tallies for one in each.lates), key=lambda x: x.at)
    return AttainmentState(
        since=max(one.since for one in tallies),
        until=min(one.until for one in tallies),
        was_late=any(one.was_late for one in tallies),
        due_share=max(one.due_share for one in tallies),
        today=today,
        days=tuple(days),
        lates=tuple(lates[-LATES:]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How a dataset is late when it is. `seconds` is the median; `cause` the most
    frequent one, if one is.
    """

    times: int
    days: int
    seconds: float
    cause: str | None


def usual(lates: Iterable[Late], *, now: datetime) -> Usual | None:
    """Of the incidents of the last 30 days; None if there was none."""
    recent = [late for late in lates if now - late.at <= RECENT]
    if not recent:
        return None
    ranked = ranked_causes(late.cause for late in recent)
    leads = len(ranked) == 1 or (len(ranked) > 1 and ranked[0][1] > ranked[1][1])
    return Usual(
        times=len(recent),
        days=RECENT.days,
        seconds=median(late.seconds for late in recent),
        cause=ranked[0][0] if leads else None,
    )


def ranked_causes(causes: Iterable[str | None]) -> list[tuple[str, int]]:
    """Causes and how often, the most frequent first; equal ones by name."""
    counts = Counter(cause for cause in causes if cause is not None)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _out(
    before: AttainmentState, dataset: Dataset, seen: Observation
) -> Iterator[tuple[str, float, float]]:
    """(day, seconds to be warned of, seconds in error) from the last check to this."""
    moved = seen.newest != seen.newest_before
    moved_at = seen.now
    if moved and seen.moved_at is not None:
        moved_at = min(max(seen.moved_at, before.until), seen.now)
    if before.was_late or (seen.is_late and not moved):
        yield from _by(dataset, seen.newest_before, before.until, moved_at)
    if seen.is_late and moved:
        yield from _by(dataset, seen.newest, moved_at, seen.now)


def _by(
    dataset: Dataset, newest: datetime | None, start: datetime, end: datetime
) -> Iterator[tuple[str, float, float]]:
    """What of `start` to `end` is out of the promise, its newest row being `newest`."""
    warns, errors = breaks_at(dataset, newest, start)
    # A deadline is asked for whenever it comes: it knows no quiet time.
    by_deadline = dataset.freshness.deadline_cron is not None
    calendar = Calendar() if by_deadline else dataset.freshness.calendar
    for begin, stop in _days(start, end):

        def due(from_: datetime, to: datetime) -> float:
            return due_time_between(calendar, from_, to).total_seconds()

        error_s = 0.0 if errors is None else due(max(begin, errors), stop)
        out_s = 0.0 if warns is None else due(max(begin, warns), stop)
        if out_s or error_s:
            yield _day(begin), max(0.0, out_s - error_s), error_s


def _days(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """`start` to `end`, cut at midnights (UTC)."""
    at = start.astimezone(UTC)
    while at < end:
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        yield at, min(midnight, end)
        at = midnight


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def _seen(day: Day, now: datetime, age: timedelta | None) -> Day:
    if age is None:
        return day
    at = now.astimezone(UTC)
    second = at.hour * 3600 + at.minute * 60 + at.second
    ages = (*day.ages, (second, int(age.total_seconds())))
    if len(ages) > LOOKS:
        ages = ages[::2]
    return dataclasses.replace(day, ages=ages)


def _slim(day: Day) -> Day:
    """Without its ages, which are kept with the day's own item."""
    return dataclasses.replace(day, ages=())
