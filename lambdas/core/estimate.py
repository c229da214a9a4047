"""What the checks will cost, told from the YAML alone.

A few days are lived through with every dataset on time: each tick of its schedule
brings a row of that moment, a usual run later. Whenever a check falls on a dataset that
could have become late, it asks the warehouse; that wakes it if it slept.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.dataset import Dataset
from lambdas.core.freshness import next_look_at
from lambdas.core.schedule import expression, last_due, next_due

SLEEPS_AFTER = timedelta(seconds=60)
"""An idle warehouse that is set to suspend after a minute; each resume bills at least
that much (Snowflake: "Understanding compute cost")."""
TABLES_A_VIEW = 500
USUAL_RUN = timedelta(minutes=5)
"""From a tick to its rows in the table, where nobody has measured yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A day of checks, on average. `looks` counts datasets asked about."""

    datasets: int
    days: int
    checks_a_day: float
    wake_ups_a_day: float
    statements_a_day: float
    looks_a_day: float
    pulls_a_day: float


def estimate(
    datasets: Mapping[str, Dataset],
    *,
    start: datetime,
    days: int,
    check_every: timedelta,
    usual_run: timedelta = USUAL_RUN,
) -> Estimate:
    """Live through `days` from `start` (aware), all datasets being on time."""
    end = start + timedelta(days=days)
    looks: list[tuple[datetime, str]] = []
    for name, dataset in datasets.items():
        at = next_look_at(dataset, newest=_newest(dataset, start, usual_run), now=start)
        if at is not None:
            heapq.heappush(looks, (_check_at(at, start, check_every), name))
    wake_ups = statements = looked = 0
    last_statement: datetime | None = None
    while looks and looks[0][0] < end:
        now = looks[0][0]
        due = []
        while looks and looks[0][0] == now:
            due.append(heapq.heappop(looks)[1])
        if last_statement is None or now - last_statement >= SLEEPS_AFTER:
            wake_ups += 1
        statements += -(-len(due) // TABLES_A_VIEW)
        looked += len(due)
        last_statement = now
        for name in due:
            dataset = datasets[name]
            newest = _newest(dataset, now, usual_run)
            after = next_look_at(dataset, newest=newest, now=now)
            if after is not None:
                at = _check_at(max(after, now + check_every), start, check_every)
                heapq.heappush(looks, (at, name))
    return Estimate(
        datasets=len(datasets),
        days=days,
        checks_a_day=timedelta(days=1) / check_every,
        wake_ups_a_day=wake_ups / days,
        statements_a_day=statements / days,
        looks_a_day=looked / days,
        pulls_a_day=sum(_ticks(one, start, end) for one in datasets.values()) / days,
    )


def _newest(dataset: Dataset, now: datetime, usual_run: timedelta) -> datetime | None:
    """The tick whose rows are in the table by now."""
    schedule = dataset.schedule
    return last_due(expression(schedule), schedule.timezone, now - usual_run)


def _check_at(at: datetime, start: datetime, every: timedelta) -> datetime:
    """The first check at or after `at`; checks fall on multiples from `start`."""
    return start + -(-(at - start) // every) * every


def _ticks(dataset: Dataset, start: datetime, end: datetime) -> int:
    text, zone = expression(dataset.schedule), dataset.schedule.timezone
    count = 0
    at = next_due(text, zone, start)
    while at is not None and at < end:
        count += 1
        at = next_due(text, zone, at)
    return count
