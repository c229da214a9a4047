"""What the checks will cost, told from the YAML alone.

A few days are lived through with every dataset on time: each tick of its schedule
brings a row of that moment, a usual run later. Whenever a check falls on a dataset that
could have become late, it asks the warehouse; that wakes it if it slept. So does the
refresh of a dynamic table, each time that rows have come since the last one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

from lambdas.core.dataset import Catalogue, Dataset, RelationOptions, SqlModel
from lambdas.core.freshness.promise import next_look_at
from lambdas.core.freshness.watch import RESTS, RIDES_BEFORE, tolerance_of
from lambdas.core.models.graph import inputs_of
from lambdas.core.schedule.expressions import expression, last_due, ticks
from lambdas.core.sql.target_lag import DOWNSTREAM, parse_target_lag

SLEEPS_AFTER = timedelta(seconds=60)
"""An idle warehouse that is set to suspend after a minute; each resume bills at least
that much (Snowflake: "Understanding compute cost")."""
TABLES_A_VIEW = 500
USUAL_RUN = timedelta(minutes=5)
"""From a tick to its rows in the table, where nobody has measured yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A day of checks and refreshes, on average. `checks` counts datasets asked about,
    `refreshes` those of dynamic tables; each is a statement as well.
    """

    datasets: int
    days: int
    checks_a_day: float
    wake_ups_a_day: float
    statements_a_day: float
    looks_a_day: float
    refreshes_a_day: float
    pulls_a_day: float
    refresh_wake_ups_a_day: float = 0.0
    """Those that no check shares."""
    pulls: Mapping[str, float] = field(default_factory=dict)
    """A day, by dataset."""
    wake_up_shares: Mapping[str, float] = field(default_factory=dict)
    """What a dataset has of the wake-ups of a day: each is divided among those that it
    served."""


def estimate(
    datasets: Mapping[str, Dataset],
    *,
    start: datetime,
    days: int,
    check_every: timedelta,
    usual_run: timedelta = USUAL_RUN,
    models: Mapping[str, SqlModel] = MappingProxyType({}),
) -> Estimate:
    """Live through `days` from `start` (aware), all datasets being on time."""
    end = start + timedelta(days=days)
    lived = {
        name: _lived_ticks(dataset, start, end, usual_run)
        for name, dataset in datasets.items()
    }
    catalogue = Catalogue(datasets=dict(datasets), models=dict(models))
    made: list[tuple[RelationOptions | SqlModel, Sequence[str]]] = [
        *((one.table, [name]) for name, one in datasets.items()),
        *((one, inputs_of(catalogue, name)) for name, one in models.items()),
    ]
    refreshes = Counter(
        at
        for relation, inputs in made
        for at in _refreshes(
            relation,
            sorted({at for one in inputs for at in lived[one]}),
            start,
            end,
            usual_run,
        )
    )
    asked: Counter[datetime] = Counter(refreshes)
    shares: defaultdict[str, float] = defaultdict(float)
    looked = 0
    for now, names in _looks(
        datasets,
        lived,
        start=start,
        end=end,
        check_every=check_every,
        usual_run=usual_run,
    ):
        asked[now] += -(-len(names) // TABLES_A_VIEW)
        looked += len(names)
        for name in names:
            shares[name] += 1 / len(names)
    wake_ups = _wake_ups(sorted(asked))
    pulls = {
        name: sum(start < at < end for at in ticks_) / days
        for name, ticks_ in lived.items()
    }
    return Estimate(
        datasets=len(datasets),
        days=days,
        checks_a_day=timedelta(days=1) / check_every,
        wake_ups_a_day=wake_ups / days,
        statements_a_day=asked.total() / days,
        looks_a_day=looked / days,
        refreshes_a_day=refreshes.total() / days,
        pulls_a_day=sum(pulls.values()),
        refresh_wake_ups_a_day=max(0.0, wake_ups - sum(shares.values())) / days,
        pulls=pulls,
        wake_up_shares={name: share / days for name, share in shares.items()},
    )


def _looks(
    datasets: Mapping[str, Dataset],
    lived: Mapping[str, Sequence[datetime]],
    *,
    start: datetime,
    end: datetime,
    check_every: timedelta,
    usual_run: timedelta,
) -> Iterator[tuple[datetime, list[str]]]:
    """Each check that asks the warehouse, and about whom: as the real one decides."""
    next_looks: dict[str, datetime] = {}
    looked_at = dict.fromkeys(datasets, start)

    def look(name: str, now: datetime) -> None:
        newest = _newest(lived[name], now - usual_run)
        at = next_look_at(datasets[name], newest=newest, now=now)
        next_looks.pop(name, None)
        looked_at[name] = now
        if at is not None:
            next_looks[name] = at if now == start else max(at, now + check_every)

    for name in datasets:
        look(name, start)
    while next_looks:
        wakes = min(at + tolerance_of(datasets[one]) for one, at in next_looks.items())
        now = _check_at(wakes, start, check_every)
        if now >= end:
            return
        names = [
            name
            for name, at in next_looks.items()
            if at + tolerance_of(datasets[name]) <= now
            or (at <= now + RIDES_BEFORE and looked_at[name] <= now - RESTS)
        ]
        yield now, names
        for name in names:
            look(name, now)


def _wake_ups(moments: Sequence[datetime]) -> int:
    """How many of these come when the warehouse sleeps."""
    slept = sum(after - at >= SLEEPS_AFTER for at, after in pairwise(moments))
    return bool(moments) + slept


def _refreshes(
    relation: RelationOptions | SqlModel,
    ticks_: Sequence[datetime],
    start: datetime,
    end: datetime,
    usual_run: timedelta,
) -> set[datetime]:
    """When a dynamic table is computed: once a lag at most, and only if rows have come
    since (Snowflake: "Understanding dynamic table refresh"). One that is `downstream`
    of nothing waits for the tables made from it.
    """
    if relation.materialized != "dynamic_table":
        return set()
    lag = parse_target_lag(relation.target_lag or DOWNSTREAM)
    if lag is None:
        return set()
    arrivals = (at + usual_run for at in ticks_ if start < at < end)
    found = {start + -(-(at - start) // lag) * lag for at in arrivals}
    return {at for at in found if at < end}


def _lived_ticks(
    dataset: Dataset, start: datetime, end: datetime, usual_run: timedelta
) -> list[datetime]:
    """The ticks of a span, and those before it whose rows matter in it."""
    text, zone = expression(dataset.schedule), dataset.schedule.timezone
    begin = start - usual_run
    before = last_due(text, zone, begin)
    return [*([] if before is None else [before]), *ticks(text, zone, begin, end)]


def _newest(ticks_: Sequence[datetime], now: datetime) -> datetime | None:
    """The newest at or before `now`."""
    place = bisect_right(ticks_, now)
    return ticks_[place - 1] if place else None


def _check_at(at: datetime, start: datetime, every: timedelta) -> datetime:
    """The first check at or after `at`; checks fall on multiples from `start`."""
    return start + -(-(at - start) // every) * every
