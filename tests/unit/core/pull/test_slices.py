"""A backfill's slice in its lane: what it pulls, how it goes on, what it leaves be."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from lambdas.adapters.state.places import NoLimit
from lambdas.core.backfill.backfill import SliceStatus, progress
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import RunErrorKind, StateConflict, Terminal, UpstreamError
from lambdas.core.landing.names import RAW
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.message import MAX_TRIES, PullRequest, deliveries
from lambdas.core.pull.ports import PageSource
from lambdas.core.pull.run import DatasetState, RunError, RunStatus
from lambdas.core.pull.segment import UNBOUNDED, Budget
from lambdas.core.pull.slice import Slice
from lambdas.core.pull.window import Window
from lambdas.pull.worker import Worker
from tests.datasets import a_dataset, incremental
from tests.memory import (
    FakeClock,
    Faults,
    Killed,
    ListSource,
    MemoryEvents,
    MemoryLanding,
    MemoryState,
)


def row(number: int, at: int) -> bytes:
    return b'{"id":%d,"at":%d}' % (number, at)


ROWS = [row(number, at) for number, at in enumerate((1, 2, 2, 3, 4, 5, 6, 7, 8, 9), 1)]
PART = Slice(dataset="cats", lane="b1-00001", start=2, end=7, asked="me")
WANTED = ROWS[1:7]


class World:
    """An upstream that filters nothing, so that the pull has to."""

    def __init__(self, **cursor: object) -> None:
        self.clock = FakeClock()
        self.landing = MemoryLanding()
        self.state = MemoryState()
        self.events = MemoryEvents()
        self.dataset = a_dataset(source=incremental(**cursor))
        self.upstream: list[bytes] = ROWS
        self.fault: UpstreamError | None = None
        self.windows: list[Window] = []
        self.sent: list[dict[str, Any]] = []
        self._random = itertools.count()

    def source(self, dataset: Dataset, window: Window) -> PageSource:
        del dataset
        self.windows.append(window)
        pages: list[Sequence[bytes] | UpstreamError] = [
            self.upstream[at : at + 3] for at in range(0, len(self.upstream), 3)
        ]
        return ListSource([*pages[:1], self.fault] if self.fault else pages)

    def puller(self, budget: Budget = UNBOUNDED) -> Puller:
        return Puller(
            landing=self.landing,
            state=self.state,
            events=self.events,
            clock=self.clock,
            source=self.source,
            random=lambda size: next(self._random).to_bytes(size),
            budget=budget,
        )

    def faulty(self, faults: Faults) -> None:
        self.landing.faults = self.state.faults = self.events.faults = faults

    def landed(self) -> list[bytes]:
        return sorted(
            line
            for key, body in self.landing.objects.items()
            if key.startswith(RAW)
            for line in gzip.decompress(body).splitlines()
        )

    def lane(self) -> DatasetState:
        return self.state.read(PART.state_name)

    # As the SQS client
    def change_message_visibility(self, **request: Any) -> None:
        self.sent.append(request)

    def send_message(self, **request: Any) -> None:
        self.sent.append(request)

    def worker(self, budget: Budget = UNBOUNDED) -> Worker:
        return Worker(
            catalogue=lambda: Catalogue(datasets={"cats": self.dataset}),
            puller=self.puller(budget),
            sqs=self,  # type: ignore[arg-type]  # the calls that are made
            queue_url="pulls",
            backfills_queue_url="backfills",
            places=NoLimit(),
            remaining=lambda: timedelta(minutes=15),
        )

    def deliver(self, body: str, *, tries: int = 1, budget: Budget = UNBOUNDED) -> bool:
        record = {
            "messageId": "m",
            "receiptHandle": "r",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(tries)},
        }
        (delivery,) = deliveries({"Records": [record]})
        return self.worker(budget).work(delivery).is_done


def message(part: Slice = PART) -> str:
    return PullRequest.of_slice(part).model_dump_json(exclude_none=True)


def test_a_slice_lands_its_window_once_and_nothing_of_the_dataset_changes() -> None:
    world = World()
    world.puller().pull(world.dataset)
    before = world.state.read("cats")
    world.landing.objects.clear()
    result = world.puller().pull_slice(world.dataset, PART)
    assert result is not None
    assert result.run.status is RunStatus.LANDED
    assert world.landed() == sorted(WANTED)
    assert world.state.read("cats") == before
    assert world.puller().pull_slice(world.dataset, PART) is None
    assert world.landed() == sorted(WANTED)


@pytest.mark.parametrize(
    "cursor",
    [
        {"range_end": "closed"},
        {"lag": 3},
        {"end_value": 4},
        {"row_order": "asc"},
    ],
)
def test_a_slice_is_half_open_whatever_live_pulls_are(cursor: dict[str, Any]) -> None:
    world = World(**cursor)
    world.puller().pull_slice(world.dataset, PART)
    assert world.landed() == sorted(WANTED)
    assert (world.windows[0].start, world.windows[0].end) == (2, 7)


def test_a_record_without_a_cursor_is_in_no_window() -> None:
    world = World(on_cursor_value_missing="include")
    world.upstream = [*ROWS, b'{"id":99}']
    world.puller().pull_slice(world.dataset, PART)
    assert world.landed() == sorted(WANTED)


def test_a_long_slice_is_cut_and_goes_on_in_its_own_queue_and_group() -> None:
    world = World(row_order="asc")
    budget = Budget(rows=1)
    assert world.deliver(message(), budget=budget)
    for _ in range(10):
        last = world.sent[-1]
        if "MessageBody" not in last:
            break
        assert (last["QueueUrl"], last["MessageGroupId"]) == ("backfills", PART.lane)
        world.deliver(last["MessageBody"], budget=budget)
    assert world.landed() == sorted(WANTED)
    lane = world.lane().lane
    assert lane is not None
    assert (lane.rows, len(lane.runs)) == (len(WANTED), len(set(lane.runs)))
    assert len(lane.runs) > 1
    assert world.state.read("cats") == DatasetState(dataset="cats")


def test_wherever_a_slice_dies_it_is_completed_and_lands_once() -> None:
    world, faults = World(), Faults()
    world.faulty(faults)
    world.puller().pull_slice(world.dataset, PART)
    assert faults.seen > 5
    for at in range(1, faults.seen + 1):
        for is_after in (False, True):
            world = World()
            world.faulty(Faults(at=at, after=is_after))
            with pytest.raises(Killed):
                world.puller().pull_slice(world.dataset, PART)
            world.faulty(Faults())
            world.puller().pull_slice(world.dataset, PART)
            assert world.landed() == sorted(WANTED)
            assert world.state.read("cats") == DatasetState(dataset="cats")


def test_of_two_deliveries_side_by_side_one_is_fenced() -> None:
    world = World()
    first = world.puller()

    def beside(dataset: Dataset, window: Window) -> PageSource:
        world.puller().pull_slice(world.dataset, PART)
        return world.source(dataset, window)

    first._source = beside
    with pytest.raises(StateConflict):
        first.pull_slice(world.dataset, PART)
    assert world.landed() == sorted(WANTED)


def test_another_attempt_pulls_a_landed_slice_and_an_older_message_does_not() -> None:
    world = World()
    world.deliver(message())
    world.deliver(message(dataclasses.replace(PART, attempt=2)))
    assert world.landed() == sorted(WANTED * 2)
    lane = world.lane().lane
    assert lane is not None
    assert (lane.attempt, lane.rows, len(lane.runs)) == (2, len(WANTED), 1)
    world.deliver(message())
    assert world.landed() == sorted(WANTED * 2)


def test_a_slice_that_failed_for_good_says_so_until_it_lands() -> None:
    world = World()
    world.fault = Terminal("429", kind=RunErrorKind.THROTTLED)
    assert not world.deliver(message())
    (pending,) = progress([PART], [world.lane()], asked="me")
    assert pending.status is SliceStatus.PENDING
    assert world.deliver(message(), tries=MAX_TRIES)
    (failed,) = progress([PART], [world.lane()], asked="me")
    assert failed.status is SliceStatus.FAILED
    assert failed.error is not None
    assert (failed.error.kind, failed.error.message) == (RunErrorKind.THROTTLED, "429")
    # Another command's question is not answered by it.
    (other,) = progress([PART], [world.lane()], asked="somebody else")
    assert other.status is SliceStatus.PENDING
    assert world.landed() == []
    world.fault = None
    assert world.deliver(message())
    (landed,) = progress([PART], [world.lane()], asked="me")
    assert (landed.status, landed.error) == (SliceStatus.LANDED, None)
    assert world.landed() == sorted(WANTED)


def test_its_message_is_hidden_in_the_queue_of_backfills() -> None:
    world = World()
    world.deliver(message())
    assert {one["QueueUrl"] for one in world.sent} == {"backfills"}
    world.sent.clear()
    world.deliver(json.dumps({"dataset": "cats"}))
    assert {one["QueueUrl"] for one in world.sent} == {"pulls"}


def test_its_failure_is_told_on_the_bus_with_its_lane() -> None:
    world = World()
    world.fault = Terminal("401", kind=RunErrorKind.AUTH)
    world.deliver(message())
    kind, detail = world.events.published[-1]
    assert (kind, detail["lane"]) == ("pull.failed", PART.lane)


def test_its_run_stands_between_what_had_landed_and_what_is_to_come() -> None:
    world = World()
    older = world.puller().pull(world.dataset).run
    part = world.puller().pull_slice(world.dataset, PART)
    # A live pull whose clock says that it began before both.
    world.clock.advance(-timedelta(hours=3))
    newer = world.puller().pull(world.dataset).run
    assert part is not None
    assert older.run_id < part.run.run_id < newer.run_id


def test_a_live_pull_that_began_before_a_slice_wins_over_it() -> None:
    world = World()
    world.puller().pull(world.dataset)
    slices: list[str] = []

    def meanwhile(dataset: Dataset, window: Window) -> PageSource:
        world.clock.advance(timedelta(minutes=5))
        result = world.puller().pull_slice(world.dataset, PART)
        assert result is not None
        slices.append(result.run.run_id)
        return world.source(dataset, window)

    live = world.puller()
    live._source = meanwhile
    assert live.pull(world.dataset).run.run_id > slices[0]


def test_a_failure_forgets_no_run_that_somebody_else_has_recorded() -> None:
    world = World()
    world.faulty(Faults(at=5, after=True))
    with pytest.raises(Killed, match="record committing"):
        world.puller().pull_slice(world.dataset, PART)
    world.faulty(Faults())
    later = dataclasses.replace(PART, attempt=2)
    error = RunError(kind=RunErrorKind.AUTH, message="401")
    world.puller().give_up(later, error)
    assert world.lane().committing is not None
    world.puller().pull_slice(world.dataset, PART)
    assert world.landed() == sorted(WANTED)
