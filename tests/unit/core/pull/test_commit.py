"""What is left behind when a run is committed: rows, state, files, events."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.columns.observed import Observed
from lambdas.core.errors import (
    LandingError,
    RunBroken,
    StateConflict,
    SweepIncomplete,
)
from lambdas.core.landing.names import MANIFESTS, manifest_key, raw_key, run_key
from lambdas.core.pull.commit import EDGE_IN_STATE, READS, Committer
from lambdas.core.pull.manifest import (
    edge_from_bytes,
    edge_to_bytes,
    manifest_to_json,
    old_edge_from_bytes,
)
from lambdas.core.pull.run import (
    CursorPosition,
    DatasetState,
    Manifest,
    Resume,
    Run,
    RunStatus,
)
from tests.memory import (
    FakeClock,
    Faults,
    Killed,
    MemoryEvents,
    MemoryLanding,
    MemoryState,
)

START = datetime(2013, 1, 1, 5, tzinfo=UTC)
NOW = START + timedelta(minutes=3)


def run_id(number: int) -> str:
    return f"20130101T05000{number}.000Z-0123456789ab"


def wide(number: int = 0) -> frozenset[bytes]:
    """More hashes than the state item holds."""
    return frozenset(
        (number * 100_000 + one).to_bytes(16, "big") for one in range(EDGE_IN_STATE + 1)
    )


def run(number: int = 1, **changes: Any) -> Run:
    made = Run(
        dataset="cats",
        run_id=run_id(number),
        status=RunStatus.RUNNING,
        started_at=START,
        finished_at=None,
        rows=2,
        size=17,
        objects=1,
        pages=1,
        requests=1,
        retries=0,
        cursor_before=None,
        cursor_after=7,
        newest_key=raw_key("cats", 1, run_id(number), 1),
    )
    return dataclasses.replace(made, **changes)


class World:
    def __init__(self) -> None:
        self.landing = MemoryLanding()
        self.state = MemoryState()
        self.events = MemoryEvents()
        self.committer = Committer(
            landing=self.landing,
            state=self.state,
            events=self.events,
            clock=FakeClock(NOW),
        )

    def manifest(
        self, number: int = 1, *, edge: frozenset[bytes] = frozenset(), **changes: Any
    ) -> Manifest:
        """One uploaded object, as a pull leaves it."""
        upload = self.landing.open(
            raw_key("cats", 1, run_id(number), 1), run_id=run_id(number)
        )
        upload.write(b"{}\n{}\n")
        made = Manifest(
            dataset="cats",
            run_id=run_id(number),
            objects=(upload.finish(2),),
            cursor_after=CursorPosition(value=7, edge=edge),
            write_disposition="merge",
            answered_until=START,
        )
        return dataclasses.replace(made, **changes)

    def commit(self, number: int = 1, **changes: Any) -> Run:
        before = self.committer.read("cats")
        return self.committer.commit(
            before, run(number), self.manifest(number, **changes)
        )

    def commit_nothing(self, number: int = 1, **changes: Any) -> Run:
        """A pull that brought no row."""
        before = self.committer.read("cats")
        manifest = self.manifest(
            number,
            **{
                "objects": (),
                "cursor_after": before.cursor,
                "resume_after": before.resume,
                **changes,
            },
        )
        nothing = {"rows": 0, "size": 0, "objects": 0, "newest_key": None}
        return self.committer.commit(before, run(number, **nothing), manifest)

    def recorded(self, *, uploads_are_gone: bool = False, **changes: Any) -> None:
        """A run that was recorded, and died before it was visible."""
        before, manifest = self.state.read("cats"), self.manifest(**changes)
        self.landing.faults = Faults(at=2)  # the manifest is there, no upload is
        with pytest.raises(Killed):
            self.committer.commit(before, run(), manifest)
        self.landing.faults = Faults()
        if uploads_are_gone:
            self.landing.uploads.clear()

    def published(self) -> list[tuple[str, Mapping[str, object]]]:
        return self.events.published

    def edges(self) -> set[str]:
        return {key for key in self.landing.objects if key.endswith(".edge")}


@pytest.fixture
def world() -> World:
    return World()


# what is announced -------------------------------------------------------------------
def test_a_landed_run_is_announced_with_exactly_this(world: World) -> None:
    world.commit()
    assert world.published() == [
        (
            "dataset.landed",
            {
                "id": f"cats/{run_id(1)}/landed",
                "dataset": "cats",
                "run_id": run_id(1),
                "rows": 2,
                "bytes": 17,
                "quarantined": 0,
                "objects": [raw_key("cats", 1, run_id(1), 1)],
                "started_at": "2013-01-01T05:00:00+00:00",
            },
        )
    ]


def test_a_slice_of_a_backfill_is_announced_with_its_lane(world: World) -> None:
    before = DatasetState.fresh("cats/lane-1")
    world.committer.commit(before, run(lane="lane-1"), world.manifest())
    ((_, detail),) = world.published()
    assert detail["lane"] == "lane-1"


def test_a_voided_run_is_announced_recorded_and_moves_no_cursor(world: World) -> None:
    world.recorded(uploads_are_gone=True)
    assert world.committer.read("cats") == DatasetState(dataset="cats", version=2)
    voided = world.state.read_run("cats", run_id(1))
    assert voided is not None
    error = voided.error
    assert error is not None
    assert voided == run(
        status=RunStatus.VOIDED,
        finished_at=NOW,
        rows=0,
        size=0,
        objects=0,
        newest_key=None,
        cursor_after=None,
        error=error,
    )
    assert error.message == (
        "its uploads expired before they were completed; nothing of it is visible, "
        "and the next pull fetches the same rows"
    )
    assert world.published() == [
        (
            "pull.failed",
            {
                "id": f"cats/{run_id(1)}/failed",
                "dataset": "cats",
                "run_id": run_id(1),
                "cause": "internal",
                "message": error.message,
                "started_at": "2013-01-01T05:00:00+00:00",
            },
        )
    ]


# what stands in the landing zone -----------------------------------------------------
def test_a_replaced_table_whose_upstream_is_empty_now_becomes_empty(
    world: World,
) -> None:
    world.commit_nothing(write_disposition="replace")
    said = json.loads(world.landing.objects[run_key("cats", run_id(1))])
    assert (said["write_disposition"], said["rows"], said["objects"]) == (
        "replace",
        0,
        [],
    )
    assert [kind for kind, _ in world.published()] == ["dataset.landed"]


@pytest.mark.parametrize("disposition", ["append", "merge"])
def test_a_pull_of_nothing_writes_and_announces_nothing(
    world: World, disposition: str
) -> None:
    world.commit_nothing(write_disposition=disposition)
    assert world.landing.objects == {}
    assert world.published() == []
    assert world.state.read("cats").last_success_started_at == START


def test_a_manifest_is_gone_once_its_run_has_landed(world: World) -> None:
    world.recorded()
    assert [key for key in world.landing.objects if key.startswith(MANIFESTS)]
    world.committer.read("cats")
    assert not [key for key in world.landing.objects if key.startswith(MANIFESTS)]


# edges that outgrow the state item ---------------------------------------------------
def test_a_spilled_edge_comes_back_whole(world: World) -> None:
    world.commit(edge=wide())
    assert world.state.read("cats").cursor.edge == frozenset()
    read = world.committer.read("cats")
    assert (read.cursor.value, read.cursor.edge) == (7, wide())


def test_a_pull_that_brings_nothing_leaves_the_spilled_edge_where_it_is(
    world: World,
) -> None:
    world.commit(edge=wide())
    (before,) = world.edges()
    world.commit_nothing(2)
    assert world.edges() == {before}
    state = world.state.read("cats")
    assert (state.cursor.edge, state.cursor.edge_key) == (frozenset(), before)
    assert world.landing.written.count(before) == 1


def test_an_edge_that_the_cursor_has_left_is_removed(world: World) -> None:
    world.commit(edge=wide())
    (before,) = world.edges()
    world.commit(2, edge=wide(2))
    (after,) = world.edges()
    assert after != before
    assert world.committer.read("cats").cursor.edge == wide(2)
    world.commit(3)
    assert world.edges() == set()
    assert world.state.read("cats").cursor.edge_key is None


def resume(reached: CursorPosition) -> Resume:
    return Resume(
        position=None,
        reached=reached,
        pull_id=run_id(1),
        started_at=START,
        segments=1,
        shape="",
    )


def test_what_a_half_done_pull_has_reached_spills_beside_the_cursor(
    world: World,
) -> None:
    reached = CursorPosition(value=9, edge=wide(1))
    world.commit(edge=wide(), resume_after=resume(reached))
    assert len(world.edges()) == 2
    state = world.state.read("cats")
    assert state.resume is not None
    assert (state.cursor.edge, state.resume.reached.edge) == (frozenset(), frozenset())
    read = world.committer.read("cats")
    assert read.resume is not None
    assert (read.cursor.edge, read.resume.reached.edge) == (wide(), wide(1))

    kept = world.edges()
    world.commit_nothing(2)
    assert world.edges() == kept
    again = world.state.read("cats").resume
    assert again is not None
    assert again.reached.edge == frozenset()
    assert all(world.landing.written.count(key) == 1 for key in kept)

    world.commit(3)
    assert world.edges() == set()


def test_a_spilled_edge_that_is_gone_is_an_error_that_names_it(world: World) -> None:
    world.commit(edge=wide())
    (edge,) = world.edges()
    del world.landing.objects[edge]
    with pytest.raises(LandingError, match=edge):
        world.committer.read("cats")


# two at once -------------------------------------------------------------------------
def beside(world: World, name: str, act: Callable[[], object]) -> None:
    """Let somebody else `act` once, right before `name` is done."""
    effect, acted = getattr(world.state, name), list[bool]()

    def then(*arguments: Any) -> Any:
        if not acted:
            acted.append(True)
            act()
        return effect(*arguments)

    setattr(world.state, name, then)


def another(world: World) -> Committer:
    return Committer(
        landing=world.landing,
        state=world.state,
        events=world.events,
        clock=FakeClock(NOW),
    )


@pytest.mark.parametrize(
    ("write", "uploads_are_gone"), [("record_landed", False), ("record_voided", True)]
)
def test_of_two_who_roll_forward_at_once_both_end_well(
    world: World, write: str, *, uploads_are_gone: bool
) -> None:
    world.recorded(uploads_are_gone=uploads_are_gone)
    other = another(world)
    beside(world, write, lambda: other.read("cats"))
    state = world.committer.read("cats")
    assert state.committing is None
    assert state.version == 2
    written = world.landing.written
    assert len(written) == len(set(written))
    ids = {detail["id"] for _, detail in world.published()}
    assert len(ids) == 1


def test_who_finds_the_manifest_gone_since_another_landed_it_goes_on(
    world: World,
) -> None:
    world.recorded()
    other = another(world)
    beside(world, "read_run", lambda: other.read("cats"))
    state = world.committer.read("cats")
    assert (state.committing, state.cursor.value) == (None, 7)


def test_who_reads_a_spilled_edge_while_another_replaces_it_reads_again(
    world: World,
) -> None:
    world.commit(edge=wide())
    get, raced = world.landing.get, list[bool]()

    def get_late(key: str) -> bytes | None:
        if key.endswith(".edge") and not raced:
            raced.append(True)
            other = another(world)
            other.commit(other.read("cats"), run(2), world.manifest(2, edge=wide(2)))
        return get(key)

    world.landing.get = get_late  # type: ignore[method-assign]  # a reader that is slow
    assert world.committer.read("cats").cursor.edge == wide(2)


def test_a_state_that_never_rests_is_given_up_in_a_sentence(world: World) -> None:
    number = iter(range(1, 10_000))

    def restless(dataset: str) -> DatasetState:
        at = next(number)
        edge = CursorPosition(value=at, edge_key=f"edges/{at}")
        return DatasetState(dataset=dataset, version=at, cursor=edge)

    world.state.read = restless  # type: ignore[method-assign]  # it moves on each time
    with pytest.raises(StateConflict, match=f"moved on {READS} times"):
        world.committer.read("cats")


def test_a_stuck_run_says_since_when(world: World) -> None:
    world.recorded()
    del world.landing.objects[manifest_key("cats", run_id(1))]
    with pytest.raises(SweepIncomplete) as refused:
        world.committer.sweep()
    (stuck,) = refused.value.stuck
    assert stuck.started_at == START


def test_each_stuck_run_has_a_sentence_of_its_own(world: World) -> None:
    world.recorded()
    del world.landing.objects[manifest_key("cats", run_id(1))]
    state = world.state.states["cats"]
    for name in ("dogs", "mice"):
        world.state.states[name] = dataclasses.replace(state, dataset=name)
    with pytest.raises(SweepIncomplete) as refused:
        world.committer.sweep()
    sentences = [stuck.sentence for stuck in refused.value.stuck]
    assert len(set(sentences)) == 3
    assert str(refused.value) == "; ".join(sentences)


def test_hashes_are_written_in_one_order() -> None:
    ahead = b"\0\x0b\x43\x80" + b"c" * 16
    edge = frozenset({b"b" * 16, b"a" * 16, ahead})
    written = edge_to_bytes(edge)
    assert written == ahead + bytes(4) + b"a" * 16 + bytes(4) + b"b" * 16
    assert edge_from_bytes(written) == edge
    assert old_edge_from_bytes(b"a" * 16 + b"b" * 16) == {b"a" * 16, b"b" * 16}


@pytest.mark.parametrize("status", [None, RunStatus.COMMITTING, RunStatus.LANDED])
def test_a_last_write_that_lost_is_an_error_unless_the_run_is_settled(
    world: World, status: RunStatus | None
) -> None:
    def lost(*_: Any) -> DatasetState:
        key = ("cats", run_id(1))
        if status is None:
            world.state.runs.pop(key, None)
        else:
            world.state.runs[key] = run(status=status)
        raise StateConflict("somebody was first")

    world.state.record_landed = lost  # type: ignore[method-assign,assignment]  # second
    if status is RunStatus.LANDED:
        assert world.commit().status is RunStatus.LANDED
    else:
        with pytest.raises(StateConflict, match="somebody was first"):
            world.commit()


# what the state says -----------------------------------------------------------------
def test_the_state_says_what_the_run_has_left(world: World) -> None:
    seen = Observed(columns={"id": "integer"})
    half = resume(CursorPosition(value=9))
    landed = world.commit(observed_after=seen, resume_after=half)
    assert (landed.status, landed.finished_at) == (RunStatus.LANDED, NOW)
    assert world.state.read("cats") == DatasetState(
        dataset="cats",
        version=2,
        cursor=CursorPosition(value=7),
        last_success_started_at=START,
        newest_run_at=START,
        resume=half,
        observed=seen,
    )
    world.commit(2)
    after = world.state.read("cats")
    assert (after.resume, after.observed, after.lane) == (None, seen, None)


def test_a_lane_counts_what_its_runs_have_landed(world: World) -> None:
    before = DatasetState.fresh("cats/lane-1")
    world.committer.commit(before, run(lane="lane-1"), world.manifest())
    lane = world.state.read("cats/lane-1").lane
    assert lane is not None
    assert (lane.rows, lane.runs) == (2, (run_id(1),))


def test_a_run_that_was_outrun_makes_nothing_visible(world: World) -> None:
    before = world.committer.read("cats")
    manifest = world.manifest(1)
    world.commit(2)
    visible = set(world.landing.objects)
    with pytest.raises(StateConflict):
        world.committer.commit(before, run(1), manifest)
    assert set(world.landing.objects) - visible == {manifest_key("cats", run_id(1))}
    assert len(world.published()) == 1


def test_as_many_hashes_as_the_state_holds_stay_in_it(world: World) -> None:
    edge = frozenset(sorted(wide())[:EDGE_IN_STATE])
    world.commit(edge=edge)
    assert world.edges() == set()
    assert world.state.read("cats").cursor == CursorPosition(value=7, edge=edge)


# what cannot be completed ------------------------------------------------------------
def two(world: World) -> Manifest:
    """A manifest of two objects, the second in quarantine."""
    manifest = world.manifest()
    upload = world.landing.open("quarantine/cats/q.ndjson.gz", run_id=run_id(1))
    upload.write(b"{}\n")
    return dataclasses.replace(manifest, quarantined=(upload.finish(1),))


def test_a_run_that_is_half_visible_waits_for_a_person(world: World) -> None:
    before, manifest = world.state.read("cats"), two(world)
    (refused,) = manifest.quarantined
    world.landing.faults = Faults(at=2)
    with pytest.raises(Killed):
        world.committer.commit(before, run(), manifest)
    world.landing.faults = Faults()
    world.landing.uploads.pop(refused.upload_id)
    with pytest.raises(RunBroken) as broken:
        world.committer.read("cats")
    assert str(broken.value) == (
        f"run {run_id(1)} of cats is half visible: 1 of 2 objects are there, and the "
        "upload of quarantine/cats/q.ndjson.gz is gone; its rows must be pulled again "
        "with a backfill over the run's window"
    )
    assert world.state.read("cats").committing == run_id(1)
    assert world.published() == []


@pytest.mark.parametrize("gone", ["record", "manifest"])
def test_what_of_a_recorded_run_is_gone_is_named(world: World, gone: str) -> None:
    world.recorded()
    if gone == "record":
        del world.state.runs["cats", run_id(1)]
    else:
        del world.landing.objects[manifest_key("cats", run_id(1))]
    with pytest.raises(RunBroken) as broken:
        world.committer.read("cats")
    assert str(broken.value) == (
        f"run {run_id(1)} of cats is recorded as committing, but its {gone} is gone; "
        f"look for {manifest_key('cats', run_id(1))} among the bucket's versions"
    )


def test_a_run_that_cannot_be_completed_hinders_no_other(world: World) -> None:
    for dataset in ("cats", "dogs"):
        before = world.state.read(dataset)
        made = run(dataset=dataset)
        world.state.record_committing(
            before, dataclasses.replace(made, status=RunStatus.COMMITTING)
        )
    world.landing.put(
        manifest_key("dogs", run_id(1)),
        manifest_to_json(dataclasses.replace(world.manifest(), dataset="dogs")),
    )
    with pytest.raises(SweepIncomplete) as refused:
        world.committer.sweep()
    (stuck,) = refused.value.stuck
    assert (stuck.dataset, stuck.run_id, stuck.is_broken) == ("cats", run_id(1), True)
    assert "its manifest is gone" in stuck.problem
    assert stuck.sentence in str(refused.value)
    assert world.state.read("dogs").committing is None
    assert list(world.state.committing_datasets()) == ["cats"]


def test_a_run_that_fails_for_now_is_not_broken(world: World) -> None:
    world.recorded()

    def refused(*_: object, **__: object) -> None:
        raise LandingError("S3 did not answer")

    world.landing.complete = refused  # type: ignore[method-assign]  # for now
    with pytest.raises(SweepIncomplete) as incomplete:
        world.committer.sweep()
    (stuck,) = incomplete.value.stuck
    assert (stuck.is_broken, stuck.problem) == (False, "S3 did not answer")


def test_a_run_that_another_completed_meanwhile_is_not_stuck(world: World) -> None:
    world.recorded()
    other, complete = another(world), world.landing.complete

    def late(*_: Any, **__: Any) -> None:
        world.landing.complete = complete  # type: ignore[method-assign]  # as it was
        other.read("cats")
        raise LandingError("S3 did not answer")

    world.landing.complete = late  # type: ignore[method-assign]  # once
    assert list(world.committer.sweep()) == ["cats"]
    assert world.state.read("cats").committing is None


def test_a_run_file_says_which_objects_make_the_run(world: World) -> None:
    half = resume(CursorPosition(value=9))
    world.commit(resume_after=half, pull_id="p1", segment=3)
    said = json.loads(world.landing.objects[run_key("cats", run_id(1))])
    key = raw_key("cats", 1, run_id(1), 1)
    assert said == {
        "dataset": "cats",
        "run_id": run_id(1),
        "started_at": "2013-01-01T05:00:00Z",
        "finished_at": "2013-01-01T05:03:00Z",
        "write_disposition": "merge",
        "pull_id": "p1",
        "segment": 3,
        "is_last": False,
        "rows": 2,
        "bytes": 17,
        "quarantined": 0,
        "objects": [{"key": key, "rows": 2, "bytes": 6}],
        "cursor_before": None,
        "cursor_after": 7,
    }
    world.commit(2)
    whole = json.loads(world.landing.objects[run_key("cats", run_id(2))])
    assert (whole["pull_id"], whole["segment"], whole["is_last"]) == (
        run_id(2),
        1,
        True,
    )


# edges, as they come and go ----------------------------------------------------------
def test_a_pull_of_nothing_that_ends_another_removes_what_that_had_reached(
    world: World,
) -> None:
    reached = CursorPosition(value=9, edge=wide(1))
    world.commit(resume_after=resume(reached))
    assert len(world.edges()) == 1
    world.commit_nothing(2, resume_after=None)
    assert world.edges() == set()
    assert world.state.read("cats").resume is None


def test_an_edge_beside_the_manifests_is_read_as_it_was_written(world: World) -> None:
    key = f"{MANIFESTS}cats/1.edge"
    world.landing.put(key, b"a" * 16 + b"b" * 16)
    world.state.states["cats"] = DatasetState(
        dataset="cats", version=1, cursor=CursorPosition(value=7, edge_key=key)
    )
    read = world.committer.read("cats").cursor
    assert read.edge == {b"a" * 16, b"b" * 16}
    world.commit_nothing(2)
    assert world.committer.read("cats").cursor.edge == {b"a" * 16, b"b" * 16}
    assert key not in world.landing.objects


def test_who_reads_one_of_two_edges_while_it_is_replaced_reads_both_again(
    world: World,
) -> None:
    half = resume(CursorPosition(value=9, edge=wide(1)))
    world.commit(edge=wide(), resume_after=half)
    get, raced = world.landing.get, list[bool]()

    def get_late(key: str) -> bytes | None:
        if not raced and key == world.state.read("cats").cursor.edge_key:
            raced.append(True)
            other = another(world)
            before = other.read("cats")
            manifest = world.manifest(2, edge=wide(2), resume_after=before.resume)
            other.commit(before, run(2), manifest)
        return get(key)

    world.landing.get = get_late  # type: ignore[method-assign]  # a reader that is slow
    read = world.committer.read("cats")
    assert read.resume is not None
    assert (read.cursor.edge, read.resume.reached.edge) == (wide(2), wide(1))


def test_who_reads_what_a_cut_pull_had_reached_while_it_ends_reads_that_it_ended(
    world: World,
) -> None:
    world.commit(resume_after=resume(CursorPosition(value=9, edge=wide(1))))
    get, raced = world.landing.get, list[bool]()

    def get_late(key: str) -> bytes | None:
        if not raced:
            raced.append(True)
            other = another(world)
            other.commit(other.read("cats"), run(2), world.manifest(2))
        return get(key)

    world.landing.get = get_late  # type: ignore[method-assign]  # a reader that is slow
    assert world.committer.read("cats").resume is None
