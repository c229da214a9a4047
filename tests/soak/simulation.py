"""One seed: a dataset, its upstream and its pulls, in bad weather and after it."""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any, Literal
from unittest.mock import patch

from botocore.exceptions import ClientError
from isal import isal_zlib
from msgspec.json import decode as from_json

import lambdas.core.pull.commit as protocol
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.adapters.state.places import NoLimit
from lambdas.adapters.state.runs import StateTable
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import StateConflict
from lambdas.core.landing.names import QUARANTINE, RAW
from lambdas.core.landing.quarantine import quarantined_from_line
from lambdas.core.paging import base
from lambdas.core.pull import transfer
from lambdas.core.pull.commit import Committer
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.message import deliveries
from lambdas.core.pull.ports import PageSource
from lambdas.core.pull.run import Run, RunStatus
from lambdas.core.pull.segment import Budget
from lambdas.core.pull.window import Window
from lambdas.pull.worker import Worker
from tests.datasets import a_dataset, incremental
from tests.soak.api import UpstreamAnswers
from tests.soak.aws import S3, DynamoDB, EventBridge
from tests.soak.backfills import Backfills
from tests.soak.breaker import BreakerShape, CheckedTables, Checker, drawn_breaker
from tests.soak.faults import Killed, Mishap
from tests.soak.queue import Queues
from tests.soak.snowpipe import GZIP, Snowpipe
from tests.soak.styles import CAP, COMMON, ODD, STYLES, WINDOW
from tests.soak.upstream import (
    AHEAD,
    ALMOST_NOW,
    LAG,
    LONGEST_PULL_S,
    Order,
    Reading,
    Row,
    Upstream,
    UpstreamPages,
)
from tests.soak.world import World, WorldClock
from tests.soak.writing import WRITINGS

_TOLD = re.compile(r"declare `data_selector: \"?([^`\"]+)\"?`")
_RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{12}")
HOURS = 6
"""How long the weather is bad."""
CHECKS_IN_THE_END = 12
"""A check judges a few runs each for itself, the next the next."""
NULL = (0, 0)
"""What stands for a null among rows."""
WINDOWS_IN_THE_END = 20
"""Pulls that bring all rows, where each brings a window of them."""
_SKEWS_S = (-7200.0, -3600.0, -300.0, -0.7, 0.7, 300.0, 7200.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a seed is about, drawn before anything happens."""

    disposition: Literal["append", "merge"]
    lag: int
    order: Order
    declares_order: bool
    filters: bool
    page_rows: int
    part_bytes: int
    roll_over_bytes: int
    edge_in_state: int
    segment_rows: int | None
    has_positions: bool
    backfills: bool
    writing: str
    keeps_versions: bool
    has_futures: bool
    style: str | None
    """How an API tells of more pages; None: pages come as they are."""
    ahead: tuple[int, ...] = AHEAD
    futures: float = 0.15
    """How many of the rows are dated after now, and by how many minutes."""
    empties: float = 0.02
    """How many of the later pages come without a row or a word."""


def drawn_shape(world: World, seed: int) -> Shape:
    """A shape; what only some APIs do is done in each fourth seed."""
    style = world.rng.choice((None, None, *COMMON))
    if seed % 4 == 0:
        style = list(ODD)[seed // 4 % len(ODD)]
    return styled(_drawn(world, style))


def styled(shape: Shape) -> Shape:
    """A shape as its style asks for it; lag and updates need `merge`, counted pages
    rows that stay where they are, and a slice rows that can be read whole.
    """
    if shape.style is None:
        return shape
    style = STYLES[shape.style]
    if style.is_told_where:
        shape = dataclasses.replace(shape, backfills=False, keeps_versions=False)
    if style.is_window:
        shape = dataclasses.replace(shape, backfills=False)
    return counted(shape) if style.by_number else shape


def counted(shape: Shape) -> Shape:
    """Rows are added at the end, and only there."""
    assert shape.style is not None
    is_capped = STYLES[shape.style].is_capped
    return dataclasses.replace(
        shape,
        disposition="append",
        lag=0,
        keeps_versions=False,
        has_futures=False,
        order="asc" if is_capped or shape.order == "desc" else shape.order,
        declares_order=is_capped or shape.declares_order,
        filters=is_capped or shape.filters,
    )


def _drawn(world: World, style: str | None) -> Shape:
    rng = world.rng
    disposition: Literal["append", "merge"] = rng.choice(("append", "merge"))
    writing = rng.choice(list(WRITINGS))
    keeps_versions = disposition == "merge" and rng.random() < 0.4
    return Shape(
        style=style,
        writing=writing,
        keeps_versions=keeps_versions,
        has_futures=WRITINGS[writing].is_time and rng.random() < 0.5,
        disposition=disposition,
        lag=LAG if disposition == "merge" and rng.random() < 0.4 else 0,
        order=rng.choice(("asc", "desc", "log")),
        declares_order=rng.random() < 0.5,
        filters=rng.random() < 0.8,
        page_rows=rng.randint(2, 6),
        part_bytes=rng.choice((40, 1_000_000)),
        roll_over_bytes=rng.choice((1, 60, 1_000_000)),
        edge_in_state=rng.choice((1, 3, 5_000)),
        segment_rows=rng.choice((None, None, 1, 5, 12)),
        has_positions=rng.random() < 0.7,
        # A backfill of a part of a log brings old versions, as the newest read.
        backfills=rng.random() < 0.5 and not keeps_versions,
    )


@lru_cache(maxsize=256)
def _catalogue(
    disposition: str,
    lag: int,
    row_order: str | None,
    writing: str,
    style: str | None,
    *,
    breaker: BreakerShape | None,
    discards: bool,
    selector: str | None = None,
) -> Catalogue:
    written = WRITINGS[writing]
    source = incremental(
        lag=lag * written.lag_unit,
        row_order=row_order,
        initial_value=written.write(0),
        **written.declares,
    )
    if style is not None:
        asked = STYLES[style]
        source["endpoint"] |= {
            "data_selector": selector or asked.selector,
            "paginator": asked.paginator,
        }
    contract = {"columns": "discard_row"} if discards else {}
    dataset = a_dataset(
        source=source,
        write_disposition=disposition,
        columns={"v": "integer", "n": "integer"},
        contract=contract,
        **({} if breaker is None else breaker.declares),
    )
    return Catalogue(datasets={"cats": dataset})


class _Eager:
    """A compressor that holds nothing back, so that few rows fill many objects."""

    def __init__(self) -> None:
        self._inner = isal_zlib.compressobj(1, wbits=GZIP)

    def compress(self, data: bytes) -> bytes:
        return bytes(
            self._inner.compress(data) + self._inner.flush(isal_zlib.Z_SYNC_FLUSH)
        )

    def flush(self) -> bytes:
        return bytes(self._inner.flush())


class _EagerZlib:
    """Stands in for isal_zlib."""

    @staticmethod
    def compressobj(level: int, *, wbits: int) -> _Eager:
        del level, wbits
        return _Eager()


@dataclass(slots=True)
class Hooks:
    """Where the mutation check breaks the protocol on purpose."""

    puller: Callable[[Puller], None] = lambda _: None
    committer: type[Committer] = Committer
    dynamodb: Callable[[DynamoDB], None] = lambda _: None
    shape: Callable[[Shape], Shape] = lambda shape: shape
    """Keeps to what the broken part is about, where few seeds are."""


@dataclass(slots=True)
class Outcome:
    """What a seed came to."""

    seed: int
    violations: list[str]
    counts: Counter[str]
    trace: list[str] = field(default_factory=list)


class Simulation:
    """The functions and all that they work with, for one seed."""

    def __init__(self, *, seed: int, hooks: Hooks, traced: bool = False) -> None:
        self.world = world = World(seed=seed)
        if traced:
            world.trace = []
        self.shape = shape = hooks.shape(drawn_shape(world, seed))
        self.discards = seed % 3 == 0
        """Whether the contract keeps rows out that upstream has."""
        breaker = drawn_breaker(seed)
        self.hooks = hooks
        self.writing = WRITINGS[shape.writing]
        self.style = style = None if shape.style is None else STYLES[shape.style]
        is_declared = shape.order != "log" and shape.declares_order
        self.pipe = Snowpipe(
            world,
            writing=self.writing,
            comes_newest_first=is_declared and shape.order == "desc",
            is_merged=shape.disposition == "merge",
        )
        self.s3 = S3(world, on_created=self._created)
        self.outrun: list[ClientError] = []
        """Runs whose last write was made before by somebody."""
        self.dynamodb = DynamoDB(
            world,
            on_state=self._state_moved,
            on_outrun=self._outrun,
        )
        hooks.dynamodb(self.dynamodb)
        self.bus = EventBridge(world)
        self.queues = Queues(world, deliver=self._invoke)
        self.upstream = Upstream(
            world,
            order=shape.order,
            updates=shape.disposition == "merge",
            lates=shape.lag > 0,
            keeps_versions=shape.keeps_versions,
            ahead=shape.ahead,
            futures=shape.futures if shape.has_futures else 0.0,
            ties_versions=not shape.keeps_versions
            or is_declared
            or shape.order != "desc",
            most_ties=CAP // 2 if style is not None and style.is_capped else None,
        )
        self.landed: Counter[tuple[int, int]] = Counter()
        self.quarantined: Counter[tuple[int, int]] = Counter()
        self.landed_by: dict[str, set[tuple[int, int]]] = {}
        """Rows by the run that landed them."""
        self.backfills = Backfills(world, self.queues, self.writing)
        self.errors: list[Exception] = []
        self.began_anew = False
        self.invocations = 0
        """Of the pull function, under way now."""
        self.cursor: int | None = None
        self.catalogue_with = partial(
            _catalogue,
            shape.disposition,
            shape.lag,
            shape.order if is_declared else None,
            shape.writing,
            shape.style,
            breaker=breaker,
            discards=self.discards,
        )
        self.catalogue = self.catalogue_with()
        self.checker: Checker | None = None
        if breaker is not None:
            tables = CheckedTables(world, self.pipe, breaker)
            self.checker = Checker(
                world,
                catalogue=self.catalogue,
                dynamodb=self.dynamodb,
                tables=tables,
                shape=breaker,
            )

    def run(self) -> Outcome:
        """Bad weather, then its end, then the promises."""
        with (
            patch.object(protocol, "EDGE_IN_STATE", self.shape.edge_in_state),
            patch.object(transfer, "isal_zlib", _EagerZlib),
            patch.object(base, "_CAPS", frozenset({WINDOW})),
        ):
            self._plan_hours()
            self.world.run_until(HOURS * 3600.0)
            self._clear_up()
        world = self.world
        return Outcome(
            seed=0,
            violations=world.violations,
            counts=world.counts,
            trace=world.trace or [],
        )

    def _plan_hours(self) -> None:
        world, rng = self.world, self.world.rng
        end_s = HOURS * 3600.0
        if self.shape.backfills:
            self.upstream.fill_history()
            for _ in range(rng.randint(1, 3)):
                world.at(rng.random() * end_s, self.backfill)
        for _ in range(rng.randint(4, 10)):
            world.at(rng.random() * end_s, self.grow)
        for hour in range(HOURS):
            due_s = hour * 3600.0 + 300.0
            late_s = 0.0
            if world.happens(Mishap.TICK_LATE, 0.1):
                late_s = rng.random() * 7200
            world.at(due_s + late_s, lambda due_s=due_s: self.tick(due_s))  # type: ignore[misc]  # mypy knows no defaults of lambdas
            if world.happens(Mishap.TICK_DOUBLED, 0.15):
                again_s = due_s + rng.random() * 3600
                world.at(again_s, lambda due_s=due_s: self.tick(due_s))  # type: ignore[misc]  # as above
        for part in range(1, HOURS * 2):
            world.at(part * 1800.0, self.sweep)
        if self.checker is not None:
            for part in range(1, HOURS * 4):
                world.at(part * 900.0, self.check)
                world.at(part * 900.0 + 60, self.release)

    def _clear_up(self) -> None:
        world = self.world
        world.weather.is_over = True
        world.note("the weather is over")
        self.grow()
        world.run_until(world.now_s + 4 * 3600)
        if self.style is not None and self.style.is_told_where:
            self._declare_what_is_told()
        if self.shape.backfills and not self.backfills.asked:
            self.backfill()
        is_window = self.style is not None and self.style.is_window
        for _ in range(WINDOWS_IN_THE_END if is_window else 2):
            self.sweep()
            self.tick(world.now_s)
            self.backfills.ask_again()
            world.run_until(world.now_s + 3600)
        world.run_until(world.now_s + 8 * 86400)
        self.s3.expire(older_than_s=7 * 86400)
        world.run_until(world.now_s + 3600)
        for _ in range(CHECKS_IN_THE_END):
            self.check()
            world.run_until(world.now_s + 900)

    def _declare_what_is_told(self) -> None:
        """A person reads why the pulls fail, and writes what it says."""
        self.tick(self.world.now_s)
        self.world.run_until(self.world.now_s + 3600)
        if any(self.landed.values()):
            self.world.violated("an answer landed as if it were a row")
        told = [_TOLD.search(why) for why in self.bus.reasons]
        selectors = {match[1] for match in told if match is not None}
        if len(selectors) != 1:
            self.world.violated(f"selectors that were told: {selectors}")
        else:
            self.catalogue = self.catalogue_with(selector=selectors.pop())

    def grow(self) -> None:
        """Upstream writes a batch. Rows are late only if the lag promises them: not
        while a pull is under way that may take longer than the lag.
        """
        state = self.dynamodb.items.get(("DATASET#cats", "STATE"), {})
        is_long = self.upstream.readers > 0 or "resume" in state
        is_on = is_long or "committing" in state or self.invocations > 0
        if is_on and self.style is not None and self.style.stands_still:
            self.world.at(self.world.now_s + 600, self.grow)
            return
        self.upstream.grow(may_be_late=not is_long)

    def tick(self, due_s: float) -> None:
        """Scheduler sends a tick."""
        due = self.world.now() + timedelta(seconds=due_s - self.world.now_s)
        body = {"dataset": "cats", "reason": "schedule", "due_at": due.isoformat()}
        self.queues.pulls.send(json.dumps(body))

    def backfill(self) -> None:
        """A person asks for a window, or for one again."""
        self.backfills.ask(
            self.catalogue["cats"],
            self.upstream,
            is_append=self.shape.disposition == "append",
        )

    def sweep(self) -> None:
        """The freshness function's check tick, as far as runs go."""
        clock = self._clock()
        committer = self.hooks.committer(**self._ports(clock))
        self.world.counts["sweeps"] += 1
        self._carried_out("sweep", committer.sweep)

    def check(self) -> None:
        """The same, as far as quality and the breaker go."""
        if self.checker is not None:
            self._carried_out("check", self.checker.check)

    def release(self) -> None:
        """A person shows a run that is held back."""
        if self.checker is not None:
            self._carried_out("release", self.checker.release)

    def _invoke(self, record: dict[str, Any]) -> bool:
        """The pull function, as its handler has it."""
        world = self.world
        started_s = world.now_s
        clock = self._clock()
        world.counts["invocations"] += 1
        sources: list[PageSource] = []
        puller = Puller(
            **self._ports(clock),
            source=self._sources(sources),
            random=world.rng.randbytes,
            roll_over_bytes=self.shape.roll_over_bytes,
            budget=Budget(
                rows=self.shape.segment_rows,
                deadline_s=started_s + LONGEST_PULL_S * 0.75,
            ),
        )
        puller._committer = self.hooks.committer(**self._ports(clock))
        self.hooks.puller(puller)
        worker = Worker(
            catalogue=lambda: self.catalogue,
            puller=puller,
            sqs=self.queues,  # type: ignore[arg-type]  # the calls that are made
            queue_url="queue",
            backfills_queue_url="backfills",
            places=NoLimit(),
            remaining=lambda: timedelta(
                seconds=max(0.0, started_s + LONGEST_PULL_S - world.now_s)
            ),
        )
        (delivery,) = deliveries({"Records": [record]})
        self.invocations += 1
        outcome = self._carried_out(
            f"pull {delivery.message_id}", lambda: worker.work(delivery)
        )
        self.invocations -= 1
        if outcome is None:
            return False
        if outcome.result is not None:
            result = outcome.result
            self._must_be_told(result.run, sources)
            world.counts["segments"] += result.continues or result.went_on
            if result.run.lane is not None:
                world.counts["slices pulled"] += 1
                world.counts["segments of slices"] += result.continues
        return bool(outcome.is_done)

    def _must_be_told(self, run: Run, sources: list[PageSource]) -> None:
        """Who read as many rows as there may be, and landed, says so."""
        source = sources[-1] if sources else None
        is_full = isinstance(source, UpstreamAnswers) and source.api.is_full_window
        if is_full and run.status is RunStatus.LANDED:
            self.world.counts["windows that were full, told"] += 1
            if not run.warnings:
                self.world.violated(f"{run.run_id} may lack rows and does not say so")

    def _carried_out(self, what: str, work: Callable[[], Any]) -> Any:
        """What an invocation returns; None if it died or raised, which is noted."""
        self.world.note(f"{what} begins")
        self.world.alive.append(True)
        try:
            result = work()
        except Killed as death:
            self.world.note(f"{what} was killed: {death}")
            is_recorded = any(pk == "COMMITTING" for pk, _ in self.dynamodb.items)
            chance = 0.08 if is_recorded else 0.01
            if self.world.happens(Mishap.UPLOADS_EXPIRED, chance):
                self.s3.expire(only_some=self.world.rng.random() < 0.2)
            return None
        except Exception as error:  # noqa: BLE001 - as the handler does
            self.world.note(f"{what} raised {type(error).__name__}: {error}")
            self.world.counts["errors raised"] += 1
            self.errors.append(error)
            if isinstance(error, StateConflict):
                self._must_be_open(what, error)
            return None
        finally:
            self.world.alive.pop()
        self.world.note(f"{what} ends")
        return result

    def _must_be_open(self, what: str, error: StateConflict) -> None:
        """Nobody fails for a write that was made before, by whomever."""
        if any(error.__cause__ is refused for refused in self.outrun):
            self.world.violated(f"{what} failed for what was done: {error}")

    def _outrun(self, refused: ClientError) -> None:
        self.outrun.append(refused)
        self.world.counts["last writes that were made before"] += 1

    def _ports(self, clock: WorldClock) -> dict[str, Any]:
        return {
            "landing": LandingBucket(
                s3=self.s3,  # type: ignore[arg-type]  # the calls that are made
                bucket="landing",
                part_bytes=self.shape.part_bytes,
            ),
            "state": StateTable(
                dynamodb=self.dynamodb,  # type: ignore[arg-type]  # the same
                table="state",
            ),
            "events": EventBus(
                events=self.bus,  # type: ignore[arg-type]  # the same
                bus="catflap",
            ),
            "clock": clock,
        }

    def _clock(self) -> WorldClock:
        skew_s = 0.0
        if self.world.happens(Mishap.CLOCK_WRONG, 0.15):
            skew_s = self.world.rng.choice(_SKEWS_S)
        return WorldClock(self.world, skew_s=skew_s)

    def _sources(
        self, made: list[PageSource]
    ) -> Callable[[Dataset, Window], PageSource]:
        """The pages of one invocation, kept in `made`: a merged pull that leaves its
        place reads rows again, which show once.
        """
        is_resumed = False

        def source(dataset: Dataset, window: Window) -> PageSource:
            nonlocal is_resumed
            is_merged = dataset.write_disposition != "append"
            if is_merged and is_resumed and window.position is None:
                self.began_anew = True
            is_resumed = window.position is not None
            made.append(self._source(dataset, window))
            return made[-1]

        return source

    def _source(self, dataset: Dataset, window: Window) -> PageSource:
        reading = Reading(
            self.world,
            self.upstream,
            window=window,
            writing=self.writing,
            page_rows=self.shape.page_rows,
            filters=self.shape.filters,
            has_odd_rows=self.discards,
            empties=self.shape.empties,
            on_expired=self._position_expired,
        )
        if self.style is not None:
            return UpstreamAnswers(
                dataset=dataset,
                window=window,
                world=self.world,
                reading=reading,
                style=self.style,
            )
        return UpstreamPages(
            reading,
            position=window.position,
            has_positions=self.shape.has_positions,
        )

    def _position_expired(self) -> None:
        self.began_anew = True

    def _created(self, key: str, body: bytes) -> None:
        self.pipe.hear(key, body)
        if key.startswith(RAW):
            self.world.counts["objects"] += 1
            self._arrived(self.landed, key, zlib.decompress(body, GZIP).splitlines())
        elif key.startswith(QUARANTINE):
            self.world.counts["objects of refused records"] += 1
            lines = zlib.decompress(body, GZIP).splitlines()
            records = [bytes(quarantined_from_line(line).record) for line in lines]
            self._arrived(self.quarantined, key, records)

    def _arrived(
        self, there: Counter[tuple[int, int]], key: str, records: list[bytes]
    ) -> None:
        for line in records:
            record = from_json(line)
            if record is None:
                self.quarantined[NULL] += 1
                continue
            row = (record["n"], record["v"])
            there[row] += 1
            run_id = _RUN_ID.search(key)
            self.landed_by.setdefault(run_id[0] if run_id else "", set()).add(row)
            self.world.counts["rows"] += 1
            may_repeat = self.shape.disposition == "merge" and (
                self.shape.lag or self.began_anew or self.shape.backfills
            )
            may_repeat = may_repeat or row in self.upstream.keyless
            if there[row] > 1 and not may_repeat:
                self.world.violated(f"row {row} landed twice, now in {key}")
            if there is self.landed and "id" not in record:
                self.world.violated(f"row {row} landed without its key")
            if there is self.landed and "tail" in record:
                self.world.violated(f"row {row} landed against its contract")

    def is_there(self, row: Row) -> bool:
        """Whether a version of a row has landed, or was refused and kept."""
        at = (row.number, row.version)
        return bool(self.landed[at] or self.quarantined[at])

    def _state_moved(self, written: set[str]) -> None:
        """The cursor is never ahead of what has landed: looked at with every write. A
        slice writes nothing of its dataset's.
        """
        is_slice = any(key.startswith("LANE") for key in written)
        if is_slice and "STATE" in written:
            self.world.violated("a slice wrote its dataset's state")
        item = self.dynamodb.items.get(("DATASET#cats", "STATE"))
        written_as = None if item is None else from_json(item["cursor"]["S"])
        cursor = None if written_as is None else self.writing.read(written_as)
        if cursor == self.cursor or cursor is None:
            return
        if self.writing.is_time and cursor > self.world.now_s / 60 + ALMOST_NOW:
            self.world.violated(f"the cursor is at {cursor}, which is after now")
        if self.cursor is not None and cursor < self.cursor:
            self.world.violated(f"the cursor went back from {self.cursor} to {cursor}")
        self.cursor = cursor
        missing = [
            row.number
            for row in self.upstream.rows.values()
            if 0 <= row.at < cursor - self.shape.lag and not self.is_there(row)
        ]
        if missing:
            self.world.violated(f"the cursor is at {cursor}, ahead of rows {missing}")


def simulate(seed: int, *, hooks: Hooks | None = None, traced: bool = False) -> Outcome:
    """Run one seed, and hold it to the promises."""
    from tests.soak.promises import check  # noqa: PLC0415 - they look at this module

    simulation = Simulation(seed=seed, hooks=hooks or Hooks(), traced=traced)
    outcome = simulation.run()
    outcome.seed = seed
    check(simulation)
    return outcome


__all__ = ["HOURS", "Hooks", "Outcome", "Shape", "Simulation", "counted", "simulate"]
