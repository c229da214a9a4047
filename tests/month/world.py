"""What the check looks at: datasets whose sources, pulls and loads fail as drawn.

Each tick of a schedule pulls what its source holds, and what has landed is loaded two
minutes later. An outage stops one of these for a while; the signals are what the real
collectors would find of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import DeployedSchedule, PullFacts
from lambdas.core.diagnosis.signals import Pipe, Upstream
from lambdas.core.errors import ObjectMissing, RunErrorKind, WarehouseError
from lambdas.core.landing.names import new_run_id, raw_key
from lambdas.core.loading.objects import LandedObject, LandedObjects, LoadRecord
from lambdas.core.pull.run import (
    CursorPosition,
    DatasetState,
    Run,
    RunError,
    RunStatus,
)
from lambdas.core.schedule.expressions import expression, ticks
from tests.datasets import a_dataset
from tests.watched import FakeTable

LOAD = timedelta(minutes=2)
KEPT = 12
"""Runs, objects and loads that are remembered."""


class Outage(StrEnum):
    """What stops the rows of a dataset."""

    QUIET = "the source is silent"
    DOWN = "the source does not answer"
    REJECTED = "the credentials are rejected"
    DISABLED = "the schedule is off"
    PAUSED = "the pipe is paused"
    UNREADABLE = "the table cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """An outage of one dataset, and when."""

    dataset: str
    outage: Outage
    start: datetime
    end: datetime


def hours(count: int) -> dict[str, object]:
    return {"count": count, "period": "hour"}


NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"
BUSINESS = {
    "timezone": NEW_YORK,
    "weekdays": ["mon", "tue", "wed", "thu", "fri"],
    "holidays": "US",
}
_DAY = {"count": 1, "period": "day"}


def datasets() -> list[Dataset]:
    """Promises of every kind, in zones whose clocks change that month."""
    return [
        _of(
            "flights",
            {"cron": "5 * * * ? *", "timezone": NEW_YORK},
            warn_after=hours(3),
            error_after=hours(6),
            calendar={"timezone": NEW_YORK, "quiet": ["00:00-05:00"]},
        ),
        _of(
            "fares",
            {"cron": "10 * * * ? *", "timezone": BERLIN},
            warn_after=hours(3),
            error_after=hours(5),
            page="warn",
            calendar={"timezone": BERLIN},
        ),
        _of(
            "tides",
            {"cron": "20 * * * ? *", "timezone": LORD_HOWE},
            clock="load",
            warn_after=hours(3),
            error_after=hours(8),
            calendar={"timezone": LORD_HOWE},
        ),
        _of(
            "rates",
            {"cron": "0 6 ? * MON-FRI *", "timezone": NEW_YORK},
            deadline_cron="0 7 * * *",
            lower_bound_delta=_DAY,
            calendar=BUSINESS,
        ),
        _of(
            "orders",
            {"cron": "0 5 * * ? *", "timezone": BERLIN},
            warn_after=hours(26),
            error_after=hours(30),
            calendar={"timezone": BERLIN},
        ),
        _of(
            "clicks",
            {"rate": "15 minutes"},
            warn_after=hours(1),
            error_after=hours(2),
            repeat_every=hours(6),
            reopen_within=hours(2),
        ),
        _of(
            "silent",
            {"cron": "30 * * * ? *"},
            warn_after=hours(2),
            error_after=hours(4),
            page="never",
        ),
        _of(
            "delays",
            {"cron": "15 * * * ? *", "timezone": NEW_YORK},
            parent="flights",
            warn_after=hours(4),
            error_after=hours(7),
            calendar={"timezone": NEW_YORK, "quiet": ["00:00-05:00"]},
        ),
    ]


def _of(
    name: str,
    schedule: Mapping[str, object],
    *,
    clock: str = "event",
    parent: str | None = None,
    **freshness: object,
) -> Dataset:
    field_of = {"loaded_at_field": "at"} if clock == "event" else {}
    asked = {
        "path": "p{parent.id}" if parent else "p",
        "params": {"since": "{incremental.start_value}"},
        "incremental": {"cursor_path": "at", "initial_value": "2026-01-01T00:00:00Z"},
    }
    source: dict[str, object] = {
        "client": {"base_url": f"https://{name}.example.com/"},
        "endpoint": asked,
    }
    if parent:
        source["parent"] = {"dataset": parent, "fields": {"id": "id"}}
    return a_dataset(
        name=name,
        source=source,
        schedule={**schedule},
        freshness={**field_of, **freshness},
    )


@dataclass(slots=True)
class Way:
    """The way of one dataset's rows, and what stands at each place of it."""

    newest_upstream: datetime
    cursor: datetime
    table_newest: datetime
    table_loaded: datetime
    rows: int = 1000
    runs: list[Run] = field(default_factory=list)
    objects: list[LandedObject] = field(default_factory=list)
    loads: list[LoadRecord] = field(default_factory=list)
    waiting: list[tuple[LandedObject, datetime]] = field(default_factory=list)


class World:
    """All datasets, at a moment that moves on."""

    def __init__(self, start: datetime, random: Random) -> None:
        self.now = start
        self.datasets = {one.name: one for one in datasets()}
        self.deployed = dict(self.datasets)
        self.spells: list[Spell] = []
        self.failed: set[str] = set()
        self.made_at: dict[str, datetime] = {}
        self._random = random
        self.ways = {
            name: Way(
                newest_upstream=start,
                cursor=start,
                table_newest=start,
                table_loaded=start,
            )
            for name in self.datasets
        }

    def outages(self, name: str, at: datetime | None = None) -> set[Outage]:
        moment = self.now if at is None else at
        return {
            one.outage
            for one in self.spells
            if one.dataset == name and one.start <= moment < one.end
        }

    def move(self, to: datetime) -> None:
        """Live until `to`."""
        before, self.now = self.now, to
        for name, dataset in self.deployed.items():
            schedule = dataset.schedule
            due = ticks(expression(schedule), schedule.timezone, before, to)
            for tick in [] if schedule.paused else due:
                self._pull(name, tick)
            self._load(name)

    def _published(self, name: str, at: datetime) -> datetime:
        """The source's newest row: of now, or of when it fell silent."""
        way = self.ways[name]
        spells = [
            one.start
            for one in self.spells
            if one.dataset == name
            and one.outage is Outage.QUIET
            and one.start <= at < one.end
        ]
        newest = min([at, *spells])
        way.newest_upstream = max(way.newest_upstream, newest)
        return way.newest_upstream

    def _pull(self, name: str, tick: datetime) -> None:
        way, outages = self.ways[name], self.outages(name, tick)
        if Outage.DISABLED in outages:
            return
        run_id = new_run_id(tick, self._random.randbytes(6))
        newest = self._published(name, tick)
        error = None
        if Outage.REJECTED in outages:
            error = RunError(kind=RunErrorKind.AUTH, message="401: token expired")
        elif Outage.DOWN in outages:
            error = RunError(kind=RunErrorKind.TIMEOUT, message="no answer in 60 s")
        rows = 0 if error or newest <= way.cursor else 10
        key = raw_key(name, 1, run_id, 1) if rows else None
        run = Run(
            dataset=name,
            run_id=run_id,
            status=RunStatus.FAILED if error else RunStatus.LANDED,
            started_at=tick,
            finished_at=tick + timedelta(minutes=1),
            rows=rows,
            size=rows,
            objects=1 if rows else 0,
            pages=1,
            requests=1,
            retries=0,
            cursor_before=None,
            cursor_after=None,
            newest_key=key,
            error=error,
        )
        way.runs = [run, *way.runs][:KEPT]
        if error:
            self.failed.add(name)
        if key is not None:
            landed = LandedObject(key=key, modified_at=tick + timedelta(minutes=1))
            way.objects = [landed, *way.objects][:KEPT]
            way.waiting.append((landed, newest))
            way.cursor = newest

    def _load(self, name: str) -> None:
        way = self.ways[name]
        if Outage.PAUSED in self.outages(name):
            return
        for landed, newest in list(way.waiting):
            at = max(landed.landed_at + LOAD, way.table_loaded)
            if at > self.now:
                continue
            way.waiting.remove((landed, newest))
            way.table_newest = max(way.table_newest, newest)
            way.table_loaded = self.now if at < self.now - LOAD * 8 else at
            way.rows += 10
            way.loads = [
                LoadRecord(
                    file=landed.key,
                    status="Loaded",
                    rows_loaded=10,
                    rows_parsed=10,
                    first_error=None,
                    loaded_at=way.table_loaded,
                ),
                *way.loads,
            ][:KEPT]

    def tables(self) -> dict[str, FakeTable | WarehouseError]:
        """What the warehouse answers."""
        found: dict[str, FakeTable | WarehouseError] = {}
        for name, way in self.ways.items():
            if Outage.UNREADABLE in self.outages(name):
                found[name] = ObjectMissing(f"RAW.{name.upper()} does not exist")
                continue
            found[name] = FakeTable(way.table_newest, way.table_loaded, rows=way.rows)
        return found

    # the collectors ------------------------------------------------------------------
    def upstream(self, name: str) -> Upstream:
        outages = self.outages(name)
        if Outage.DOWN in outages:
            return Upstream(probe="unreachable")
        if Outage.REJECTED in outages:
            return Upstream(probe="denied")
        return Upstream(probe="ok", newest_event_at=self._published(name, self.now))

    def pull(self, name: str) -> PullFacts:
        way = self.ways[name]
        state = DatasetState(
            dataset=name,
            version=3,
            cursor=CursorPosition(value=way.cursor.astimezone(UTC).isoformat()),
        )
        is_on = Outage.DISABLED not in self.outages(name)
        return PullFacts(
            state=state,
            runs=tuple(way.runs),
            schedule=DeployedSchedule(
                is_enabled=is_on, created_at=self.made_at.get(name)
            ),
        )

    def landing(self, name: str) -> LandedObjects:
        return LandedObjects(objects=tuple(self.ways[name].objects))

    def load(self, name: str) -> Sequence[LoadRecord]:
        return tuple(self.ways[name].loads)

    def pipe(self, name: str) -> Pipe:
        is_paused = Outage.PAUSED in self.outages(name)
        return Pipe(
            state="PAUSED" if is_paused else "RUNNING",
            pending_files=len(self.ways[name].waiting),
        )

    # what is deployed ----------------------------------------------------------------
    def remove(self, name: str) -> None:
        self.deployed.pop(name, None)

    def deploy(self, name: str, **freshness: object) -> None:
        """As it was first, or with something else promised."""
        first = self.datasets[name]
        if name not in self.deployed:
            self.made_at[name] = self.now
        promise = first.freshness.model_copy(update=freshness)
        self.deployed[name] = first.model_copy(update={"freshness": promise})

    def pause(self, name: str, why: str | None) -> None:
        dataset = self.deployed[name]
        schedule = dataset.schedule.model_copy(update={"paused": why})
        self.deployed[name] = dataset.model_copy(update={"schedule": schedule})


def drawn_spells(
    names: Sequence[str], start: datetime, days: float, random: Random
) -> list[Spell]:
    """Outages long and short, some of them coming and going, some two at once."""
    found: list[Spell] = []
    for name in names:
        at = start + timedelta(hours=random.uniform(2, 40))
        while at < start + timedelta(days=days):
            outage = random.choice(list(Outage))
            if random.random() < 0.25:
                found += _flapping(name, outage, at, random)
            else:
                lasts = timedelta(hours=random.choice((0.5, 2, 5, 9, 20, 50)))
                lasts *= random.uniform(0.7, 1.3)
                spell = Spell(dataset=name, outage=outage, start=at, end=at + lasts)
                found.append(spell)
                if random.random() < 0.3:
                    other = random.choice(list(Outage))
                    later = at + lasts * random.random()
                    found.append(
                        dataclasses.replace(
                            spell, outage=other, start=later, end=later + lasts
                        )
                    )
            at = max(one.end for one in found if one.dataset == name)
            at += timedelta(hours=random.uniform(1, 60))
    return found


def _flapping(
    name: str, outage: Outage, start: datetime, random: Random
) -> list[Spell]:
    found, at = [], start
    for _ in range(random.randint(2, 6)):
        lasts = timedelta(hours=random.uniform(2, 9))
        found.append(Spell(dataset=name, outage=outage, start=at, end=at + lasts))
        at += lasts + timedelta(hours=random.uniform(1.2, 5))
    return found
