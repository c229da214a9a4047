from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest

from lambdas.core.dataset import Dataset
from lambdas.core.errors import (
    DeliveryError,
    LandingError,
    RunErrorKind,
    StateConflict,
    StuckRun,
    SweepIncomplete,
    Terminal,
)
from lambdas.core.landing.names import MANIFESTS, RAW, RUNS
from lambdas.core.pull.commit import EDGE_IN_STATE, Committer
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.ports import PageSource
from lambdas.core.pull.run import (
    LONGEST_TEXT,
    CursorPosition,
    DatasetState,
    RunError,
    RunStatus,
)
from lambdas.core.pull.window import Window
from tests.datasets import a_dataset
from tests.memory import (
    FakeClock,
    Faults,
    Killed,
    ListSource,
    MemoryEvents,
    MemoryLanding,
    MemoryState,
)

FILLER = random.Random(1).randbytes(100_000).hex().encode()
"""Enough that the compressor has to let go of a page before the next one comes."""


def row(number: int, at: int) -> bytes:
    return b'{"id":%d,"at":%d,"filler":"%b"}' % (number, at, FILLER)


PAGES: list[list[bytes]] = [
    [row(1, 1), row(2, 2)],
    [row(3, 2), row(4, 3)],
    [row(5, 4)],
]
ROWS = list(itertools.chain.from_iterable(PAGES))


class World:
    """One dataset's landing zone and state, and pulls upon them."""

    def __init__(self, *, roll_over_bytes: int = 1) -> None:
        self.clock = FakeClock()
        self.landing = MemoryLanding()
        self.state = MemoryState()
        self.events = MemoryEvents()
        self.dataset = a_dataset()
        self.roll_over_bytes = roll_over_bytes
        self._random = itertools.count()

    def source(self, dataset: Dataset, window: Window) -> PageSource:
        del dataset
        floor = int(window.start or 0)
        return ListSource(
            [
                [line for line in page if json.loads(line)["at"] >= floor]
                for page in self.upstream
            ]
        )

    upstream: Sequence[Sequence[bytes]] = PAGES

    def faulty(self, faults: Faults) -> None:
        self.landing.faults = self.state.faults = self.events.faults = faults

    def puller(
        self, source: Callable[[Dataset, Window], PageSource] | None = None
    ) -> Puller:
        return Puller(
            landing=self.landing,
            state=self.state,
            events=self.events,
            clock=self.clock,
            source=source or self.source,
            random=lambda size: next(self._random).to_bytes(size, "big"),
            roll_over_bytes=self.roll_over_bytes,
        )

    def landed(self) -> list[bytes]:
        return [
            line
            for key, body in sorted(self.landing.objects.items())
            if key.startswith(RAW)
            for line in gzip.decompress(body).splitlines()
        ]


def test_a_pull_lands_every_row_once_and_moves_the_cursor() -> None:
    world = World()
    result = world.puller().pull(world.dataset)
    assert sorted(world.landed()) == sorted(ROWS)
    assert result.run.status is RunStatus.LANDED
    assert (result.run.rows, result.run.pages, result.run.objects) == (5, 3, 3)
    assert world.state.read("cats").cursor.value == 4
    assert world.events.published[0][0] == "dataset.landed"
    assert not world.landing.uploads


def test_a_second_pull_finds_nothing_and_lands_nothing() -> None:
    world = World()
    world.puller().pull(world.dataset)
    before = dict(world.landing.objects)
    result = world.puller().pull(world.dataset)
    assert result.run.rows == 0
    assert result.run.status is RunStatus.LANDED
    assert world.landing.objects == before


def test_nothing_is_visible_before_the_run_is_recorded() -> None:
    world = World()
    world.faulty(Faults())
    world.puller().pull(world.dataset)
    names = world.landing.faults.names
    assert names.index("record committing") < names.index("complete upload")
    assert names.index("complete upload") < names.index("record landed")
    assert names.index("put runs") < names.index("record landed")


def test_an_upstream_fault_lands_nothing_and_keeps_the_cursor() -> None:
    world = World()
    fault = Terminal("the API answered HTML", kind=RunErrorKind.RESPONSE)
    result = world.puller(lambda _, __: ListSource([PAGES[0], fault])).pull(
        world.dataset
    )
    assert result.run.status is RunStatus.FAILED
    assert result.run.error is not None
    assert result.run.error.kind is RunErrorKind.RESPONSE
    assert world.landed() == []
    assert world.state.read("cats").cursor == CursorPosition()
    assert world.events.published[-1][0] == "pull.failed"
    world.puller().pull(world.dataset)
    assert sorted(world.landed()) == sorted(ROWS)


def effects_of_a_pull() -> int:
    world = World()
    faults = Faults()
    world.faulty(faults)
    world.puller().pull(world.dataset)
    return faults.seen


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, effects_of_a_pull() + 1))
def test_a_death_at_any_effect_loses_and_doubles_nothing(
    at: int, *, after: bool
) -> None:
    world = World()
    world.faulty(Faults(at=at, after=after))
    with pytest.raises(Killed):
        world.puller().pull(world.dataset)
    cursor = world.state.read("cats").cursor.value
    visible = {json.loads(line)["at"] for line in world.landed()}
    assert cursor is None or cursor in visible, "the cursor is ahead of what landed"
    world.faulty(Faults())
    world.puller().pull(world.dataset)
    assert sorted(world.landed()) == sorted(ROWS)
    assert len(world.landing.written) == len(set(world.landing.written))
    assert world.state.read("cats").cursor.value == 4
    runs = {key for key in world.landing.objects if key.startswith(RUNS)}
    assert len(runs) == 1, "one run landed, so one run file says so"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, effects_of_a_pull() + 1))
def test_the_sweep_finishes_what_was_recorded(at: int, *, after: bool) -> None:
    world = World()
    world.faulty(Faults(at=at, after=after))
    with pytest.raises(Killed):
        world.puller().pull(world.dataset)
    was_recorded = world.state.read("cats").committing is not None
    world.faulty(Faults())
    committer = Committer(
        landing=world.landing, state=world.state, events=world.events, clock=world.clock
    )
    assert list(committer.sweep()) == (["cats"] if was_recorded else [])
    assert world.state.read("cats").committing is None
    if was_recorded:
        assert sorted(world.landed()) == sorted(ROWS)


def test_an_old_invocation_that_wakes_up_late_cannot_commit() -> None:
    world = World()

    def slow(dataset: Dataset, window: Window) -> PageSource:
        world.puller().pull(world.dataset)  # a newer one overtakes it
        return world.source(dataset, window)

    with pytest.raises(StateConflict):
        world.puller(slow).pull(world.dataset)
    assert sorted(world.landed()) == sorted(ROWS)


def test_a_recorded_run_whose_uploads_are_gone_is_voided_and_pulled_again() -> None:
    world = World()
    world.faulty(Faults(at=effect_named("complete upload")))
    with pytest.raises(Killed):
        world.puller().pull(world.dataset)
    world.landing.uploads.clear()
    world.faulty(Faults())
    world.puller().pull(world.dataset)
    assert sorted(world.landed()) == sorted(ROWS)
    assert RunStatus.VOIDED in {run.status for run in world.state.runs.values()}


def test_a_run_that_is_half_visible_is_an_incident_never_a_repair() -> None:
    world = World()
    world.faulty(Faults(at=effect_named("complete upload"), after=True))
    with pytest.raises(Killed):
        world.puller().pull(world.dataset)
    world.landing.uploads.clear()
    world.faulty(Faults())
    with pytest.raises(LandingError, match="half visible: 1 of 3"):
        world.puller().pull(world.dataset)
    assert world.state.read("cats").cursor.value is None
    (stuck,) = stuck_after_a_sweep(world)
    assert (stuck.dataset, stuck.is_broken) == ("cats", True)
    assert "half visible: 1 of 3" in stuck.sentence


def test_a_run_whose_manifest_is_gone_is_broken_and_one_that_failed_may_not_be() -> (
    None
):
    world = World()
    world.faulty(Faults(at=effect_named("complete upload")))
    with pytest.raises(Killed):
        world.puller().pull(world.dataset)
    world.faulty(Faults())
    publish = world.events.publish

    def refuse(detail_type: str, detail: Mapping[str, object]) -> None:
        raise DeliveryError(f"{detail_type} of {detail['dataset']} was refused")

    world.events.publish = refuse  # type: ignore[method-assign]  # for one sweep
    (stuck,) = stuck_after_a_sweep(world)
    assert (stuck.is_broken, stuck.problem) == (
        False,
        "dataset.landed of cats was refused",
    )
    world.events.publish = publish  # type: ignore[method-assign]  # as it was
    (manifest,) = [key for key in world.landing.objects if key.startswith(MANIFESTS)]
    del world.landing.objects[manifest]
    (stuck,) = stuck_after_a_sweep(world)
    assert stuck.is_broken
    assert "its manifest is gone" in stuck.problem


def stuck_after_a_sweep(world: World) -> Sequence[StuckRun]:
    committer = Committer(
        landing=world.landing, state=world.state, events=world.events, clock=world.clock
    )
    with pytest.raises(SweepIncomplete) as refused:
        committer.sweep()
    return refused.value.stuck


def effect_named(name: str) -> int:
    world = World()
    world.faulty(Faults())
    world.puller().pull(world.dataset)
    return world.landing.faults.names.index(name) + 1


def test_a_past_window_lands_without_touching_the_cursor() -> None:
    world = World()
    world.puller().pull(world.dataset)
    before = world.state.read("cats").cursor
    result = world.puller().pull(world.dataset, start=2, end=4)
    assert result.run.rows == 3
    assert world.state.read("cats").cursor == before


def test_many_rows_at_the_edge_are_kept_beside_the_state() -> None:
    world = World()
    count = EDGE_IN_STATE + 1
    world.upstream = [[b'{"id":%d,"at":1}' % number for number in range(count)]]
    world.puller().pull(world.dataset)
    state = world.state.read("cats")
    assert state.cursor.edge == frozenset()
    assert state.cursor.edge_key in world.landing.objects
    assert world.puller().pull(world.dataset).run.rows == 0


def test_a_tick_older_than_the_last_success_is_done() -> None:
    world = World()
    due = world.clock.now()
    assert not world.puller().is_done("cats", due)
    world.puller().pull(world.dataset)
    assert world.puller().is_done("cats", due)


def test_what_an_api_answers_is_recorded_however_long_it_is() -> None:
    error = RunError(kind=RunErrorKind.RESPONSE, message="x" * 1_000_000)
    assert len(error.message) == LONGEST_TEXT
    assert error.message.endswith("…")


def test_a_state_that_never_rests_ends_in_a_sentence() -> None:
    class Restless(MemoryState):
        """Has always moved on since it was read."""

        def read(self, dataset: str) -> DatasetState:
            state = super().read(dataset)
            moved = dataclasses.replace(state, version=state.version + 1)
            self.states[dataset] = moved
            return moved

    state = Restless()
    edge = CursorPosition(value=1, edge_key="manifests/cats/gone.edge")
    state.states["cats"] = DatasetState(dataset="cats", cursor=edge)
    committer = Committer(
        landing=MemoryLanding(),
        state=state,
        events=MemoryEvents(),
        clock=FakeClock(),
    )
    with pytest.raises(StateConflict, match="moved on 20 times"):
        committer.read("cats")


def test_no_rows_replace_many_only_where_that_is_declared() -> None:
    world = World()
    for allow_empty, status in ((False, RunStatus.FAILED), (True, RunStatus.LANDED)):
        world.dataset = a_dataset(
            write_disposition="replace",
            allow_empty=allow_empty,
            source={
                "client": {"base_url": "http://127.0.0.1:1/"},
                "endpoint": {"path": "cats"},
            },
        )
        world.upstream = [[b'{"id":1,"at":1}']]
        assert world.puller().pull(world.dataset).run.status is RunStatus.LANDED
        world.upstream = [[]]
        run = world.puller().pull(world.dataset).run
        assert run.status is status
        if run.error is not None:
            assert "set `allow_empty: true`" in run.error.message


def test_a_source_that_never_had_rows_may_have_none() -> None:
    world = World()
    world.dataset = a_dataset(write_disposition="replace", source={
        "client": {"base_url": "http://127.0.0.1:1/"}, "endpoint": {"path": "cats"},
    })  # fmt: skip
    world.upstream = [[]]
    for _ in range(2):
        assert world.puller().pull(world.dataset).run.status is RunStatus.LANDED


def test_a_clock_that_is_ahead_swallows_no_ticks() -> None:
    world = World()
    start = world.clock.now()
    world.clock.advance(timedelta(hours=30))
    world.puller().pull(world.dataset, asked_at=start)
    answered = world.state.read("cats").last_success_started_at
    assert answered == start
    for hour in range(1, 31):
        due = start + timedelta(hours=hour)
        assert not world.puller().is_done("cats", due)
    assert world.puller().is_done("cats", start)


def test_a_start_that_is_yet_to_come_answers_no_tick() -> None:
    world = World()
    ahead = world.clock.now() + timedelta(hours=30)
    world.state.states["cats"] = DatasetState(
        dataset="cats", last_success_started_at=ahead
    )
    assert not world.puller().is_done("cats", world.clock.now())


def test_no_two_runs_share_an_id() -> None:
    state = MemoryState()
    world = World()
    world.state = state
    result = world.puller().pull(world.dataset)
    with pytest.raises(StateConflict, match="another run is called"):
        state.record_started(result.run)
