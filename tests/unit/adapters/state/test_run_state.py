"""One set of promises for every place a run's state can stand."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.state.columns import StoredColumns
from lambdas.adapters.state.items import FAILED, monitor_items
from lambdas.adapters.state.runs import STAMP_TRIES, StateTable, awaiting_load
from lambdas.core.backfill.backfill import Backfill
from lambdas.core.columns.observed import Observed, mark_of
from lambdas.core.errors import RunErrorKind, StateConflict
from lambdas.core.pull.manifest import edge_to_bytes
from lambdas.core.pull.ports import RunState
from lambdas.core.pull.run import (
    CursorPosition,
    DatasetState,
    Lane,
    Resume,
    Run,
    RunError,
    RunStatus,
)
from tests.aws import a_state_table
from tests.memory import MemoryState

START = datetime(2013, 1, 1, 5, 0, 0, 123000, tzinfo=UTC)
RUN = Run(
    dataset="cats",
    run_id="20130101T050000.123Z-0123456789ab",
    status=RunStatus.COMMITTING,
    started_at=START,
    finished_at=None,
    rows=3,
    size=100,
    objects=1,
    pages=2,
    requests=3,
    retries=1,
    cursor_before=None,
    cursor_after="2013-01-01T04:00:00Z",
)


@pytest.fixture(params=["memory", "dynamodb"])
def state(request: pytest.FixtureRequest) -> RunState:
    if request.param == "memory":
        return MemoryState()
    request.getfixturevalue("aws")
    return StateTable(dynamodb=a_state_table(), table="state")


def landed(before: DatasetState) -> tuple[DatasetState, Run]:
    after = dataclasses.replace(
        before,
        cursor=CursorPosition(value=7, edge=frozenset({b"a" * 16, b"b" * 16})),
        committing=None,
        last_success_started_at=START,
    )
    return after, dataclasses.replace(RUN, status=RunStatus.LANDED, finished_at=START)


def test_a_dataset_nobody_wrote_is_fresh(state: RunState) -> None:
    assert state.read("cats") == DatasetState(dataset="cats")
    assert state.read_run("cats", RUN.run_id) is None
    assert list(state.committing_datasets()) == []


def test_a_committing_run_is_named_until_it_has_landed(state: RunState) -> None:
    recorded = state.record_committing(state.read("cats"), RUN)
    assert state.read("cats") == recorded
    assert recorded.committing == RUN.run_id
    assert list(state.committing_datasets()) == ["cats"]
    assert state.read_run("cats", RUN.run_id) == RUN
    after, run = landed(recorded)
    written = state.record_landed(recorded, after, run)
    assert state.read("cats") == written
    assert written.cursor == after.cursor
    assert written.last_success_started_at == START
    assert list(state.committing_datasets()) == []
    assert state.read_run("cats", RUN.run_id) == run


def test_a_run_without_rows_lands_in_one_write(state: RunState) -> None:
    before = state.read("cats")
    after, run = landed(before)
    state.record_landed(before, after, run)
    assert state.read("cats").cursor == after.cursor


def test_a_voided_run_leaves_the_cursor(state: RunState) -> None:
    recorded = state.record_committing(state.read("cats"), RUN)
    state.record_voided(recorded, dataclasses.replace(RUN, status=RunStatus.VOIDED))
    assert state.read("cats").cursor == CursorPosition()
    assert state.read("cats").committing is None


def test_who_read_an_older_version_is_refused_and_nothing_is_written(
    state: RunState,
) -> None:
    stale = state.read("cats")
    recorded = state.record_committing(stale, RUN)
    other = dataclasses.replace(RUN, run_id="20130101T060000.000Z-0123456789ab")
    with pytest.raises(StateConflict):
        state.record_committing(stale, other)
    assert state.read("cats") == recorded
    assert state.read_run("cats", other.run_id) is None
    after, run = landed(recorded)
    state.record_landed(recorded, after, run)
    with pytest.raises(StateConflict):
        state.record_landed(recorded, after, run)


def test_a_failed_run_is_kept_and_moves_nothing(state: RunState) -> None:
    failed = dataclasses.replace(
        RUN,
        status=RunStatus.FAILED,
        error=RunError(kind=RunErrorKind.HTTP, message="the API answered 500"),
    )
    state.record_started(dataclasses.replace(RUN, status=RunStatus.RUNNING))
    state.record_failed(failed)
    assert state.read_run("cats", RUN.run_id) == failed
    assert state.read("cats") == DatasetState(dataset="cats")


SEEN = Observed(
    columns={"id": "integer", "née": "null", 'odd"name': "variant"},
    missing=("fur",),
    sparse=("eyes",),
    misfits={mark_of("age"): "number"},
    refused=(mark_of("tail"),),
)


def test_columns_move_with_the_run_that_showed_them(state: RunState) -> None:
    before = state.record_committing(DatasetState(dataset="cats"), RUN)
    assert state.read("cats").observed == Observed()
    after = dataclasses.replace(before, committing=None, observed=SEEN)
    state.record_landed(before, after, dataclasses.replace(RUN, quarantined=2))
    found = state.read("cats").observed
    assert found == SEEN
    assert list(found.columns) == list(SEEN.columns), "in the order in which they came"
    run = state.read_run("cats", RUN.run_id)
    assert run is not None
    assert run.quarantined == 2
    if isinstance(state, StateTable):
        dynamodb = state._dynamodb
        stored = StoredColumns(client=lambda: dynamodb, table="state")
        assert stored.of("cats") == SEEN
        assert stored.of("dogs") == Observed()


def test_a_lane_is_beside_its_dataset_and_neither_touches_the_other(
    state: RunState,
) -> None:
    name = "cats/b1-00001"
    run = dataclasses.replace(RUN, lane="b1-00001")
    fresh = state.read(name)
    assert (fresh.name, fresh.version, fresh.dataset) == (name, 0, "cats")
    recorded = state.record_committing(fresh, run)
    assert list(state.committing_datasets()) == [name]
    assert state.read_run(name, run.run_id) == run
    assert state.read_run("cats", run.run_id) is None
    assert state.read("cats") == DatasetState(dataset="cats")
    after, ended = landed(recorded)
    assert after.lane is not None
    ended = dataclasses.replace(ended, lane="b1-00001")
    after = dataclasses.replace(after, lane=after.lane.with_run(ended))
    state.record_landed(recorded, after, ended)
    lane = state.read(name).lane
    assert lane is not None
    assert (lane.rows, lane.runs) == (run.rows, (run.run_id,))
    assert list(state.committing_datasets()) == []
    assert state.read("cats") == DatasetState(dataset="cats")


def test_what_a_lane_says_of_itself_is_fenced(state: RunState) -> None:
    before = state.read("cats/b1-00001")
    assert before.lane is not None
    error = RunError(kind=RunErrorKind.AUTH, message="401")
    said = dataclasses.replace(
        before, lane=dataclasses.replace(before.lane, error=error, asked="me")
    )
    state.record_lane(before, said)
    kept = state.read("cats/b1-00001").lane
    assert kept is not None
    assert (kept.error, kept.asked) == (error, "me")
    with pytest.raises(StateConflict):
        state.record_lane(before, said)


def test_stamps_of_lanes_only_grow(state: RunState) -> None:
    earlier, later = START - timedelta(hours=1), START + timedelta(hours=1)
    stamps = [
        state.next_lane_stamp("cats", floor)
        for floor in (START, START, earlier, later, START)
    ]
    assert [(one.at, one.number) for one in stamps] == [
        (START, 1),
        (START, 2),
        (START, 3),
        (later, 1),
        (later, 2),
    ]
    assert state.next_lane_stamp("dogs", START).number == 1


DAYS_90 = timedelta(days=90)


@pytest.fixture
def table(aws: None) -> Any:
    del aws
    return a_state_table()


def expiries(dynamodb: Any) -> dict[str, datetime]:
    """When DynamoDB removes what, by the beginning of its sort key."""
    return {
        item["pk"]["S"].partition("#")[0]
        + " "
        + item["sk"]["S"].partition("#")[0]: datetime.fromtimestamp(
            int(item["expires_at"]["N"]), UTC
        )
        for item in dynamodb.scan(TableName="state")["Items"]
        if "expires_at" in item
    }


def test_records_of_runs_are_kept_for_90_days_and_the_state_for_ever(
    table: Any,
) -> None:
    state = StateTable(dynamodb=table, table="state")
    recorded = state.record_committing(state.read("cats"), RUN)
    second = START.replace(microsecond=0)
    assert expiries(table) == {"DATASET RUN": second + DAYS_90}
    after, run = landed(recorded)
    run = dataclasses.replace(
        run,
        finished_at=START + timedelta(minutes=5),
        newest_key=f"raw/cats/g1/dt=2013-01-01/{RUN.run_id}-00001.ndjson.gz",
    )
    state.record_landed(recorded, after, run)
    assert expiries(table) == {
        "DATASET RUN": second + DAYS_90,
        "LANDED cats": second + timedelta(minutes=5) + DAYS_90,
    }


class Consistent:
    """The table, and whether each read asked for what was written last."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self.reads: list[tuple[str, bool]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def get_item(self, **asked: Any) -> Any:
        self.reads.append(("get_item", asked.get("ConsistentRead", False)))
        return self._dynamodb.get_item(**asked)

    def get_paginator(self, name: str) -> Any:
        paginator, reads = self._dynamodb.get_paginator(name), self.reads

        class Pages:
            def paginate(self, **asked: Any) -> Any:
                reads.append((name, asked.get("ConsistentRead", False)))
                return paginator.paginate(**asked)

        return Pages()


def test_every_read_that_decides_sees_what_was_written_last(table: Any) -> None:
    """A stale state is a cursor that was left behind: its rows would land again."""
    dynamodb = Consistent(table)
    state = StateTable(dynamodb=dynamodb, table="state")  # type: ignore[arg-type]  # the calls that are made
    state.read("cats")
    state.read_run("cats", RUN.run_id)
    state.committing_datasets()
    state.lanes("cats", "b1")
    state.backfills("cats")
    state.next_lane_stamp("cats", START)
    assert dynamodb.reads
    assert [one for one in dynamodb.reads if not one[1]] == []


def test_a_fence_has_a_pull_under_way_conflict_and_its_slices(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    for name in ("cats", "cats/b1-00001", "dogs"):
        run = dataclasses.replace(
            RUN, dataset=name.partition("/")[0], lane=name.partition("/")[2] or None
        )
        recorded = state.record_committing(state.read(name), run)
        state.record_voided(recorded, run)
    under_way = [state.read(name) for name in ("cats", "cats/b1-00001")]
    beside = state.read("dogs")
    state.fence("cats")
    for before in under_way:
        with pytest.raises(StateConflict):
            state.record_committing(before, RUN)
    state.record_committing(beside, dataclasses.replace(RUN, dataset="dogs"))
    assert state.read("cats").cursor == under_way[0].cursor


def test_a_run_that_is_landing_is_not_fenced_off(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    state.record_committing(state.read("cats"), RUN)
    with pytest.raises(StateConflict, match=f"run {RUN.run_id} of cats is landing"):
        state.fence("cats")


def test_slices_that_are_being_pulled_are_seen(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    running = dataclasses.replace(
        RUN, lane="b1-00001", status=RunStatus.RUNNING, finished_at=None
    )
    state.record_started(running)
    assert state.running_slices("cats", START - timedelta(minutes=1)) == [RUN.run_id]
    assert state.running_slices("cats", START) == []


@pytest.mark.usefixtures("aws")
def test_the_slices_of_a_backfill_are_listed_by_their_names() -> None:
    table = StateTable(dynamodb=a_state_table(), table="state")
    for lane in ("b1-1", "b1-2", "b2-1"):
        before = table.read(f"cats/{lane}")
        after = dataclasses.replace(before, lane=Lane(name=lane))
        table.record_lane(before, after)
    assert [one.name for one in table.lanes("cats", "b1")] == ["cats/b1-1", "cats/b1-2"]


@pytest.mark.usefixtures("aws")
def test_what_was_asked_for_is_kept_and_replaced_by_another_attempt() -> None:
    table = StateTable(dynamodb=a_state_table(), table="state")
    asked = Backfill(
        dataset="cats",
        backfill_id="b1",
        start=1,
        end=9,
        slice="4",
        created_at=START,
    )
    again = dataclasses.replace(asked, attempt=2)
    other = dataclasses.replace(asked, dataset="dogs")
    for one in (asked, again, other):
        table.keep_backfill(one)
    assert table.backfills("cats") == [again]


EDGE = frozenset({b"a" * 16, b"b" * 16})
RESUME = Resume(
    position='{"offset": 20}',
    reached=CursorPosition(value=9, edge=EDGE),
    pull_id=RUN.run_id,
    started_at=START,
    segments=2,
    shape="s1",
)
SPILLED = CursorPosition(value=9, edge_key="edges/cats/1.edge")


@pytest.mark.parametrize("cursor", [CursorPosition(value=9, edge=EDGE), SPILLED])
def test_a_state_is_read_as_it_was_written(
    state: RunState, cursor: CursorPosition
) -> None:
    before = state.record_committing(state.read("cats"), RUN)
    after = dataclasses.replace(
        before,
        cursor=cursor,
        committing=None,
        last_success_started_at=START,
        newest_run_at=START + timedelta(hours=1),
        resume=dataclasses.replace(RESUME, reached=cursor),
    )
    written = state.record_landed(before, after, landed(before)[1])
    assert state.read("cats") == dataclasses.replace(after, version=written.version)


def test_an_edge_that_stands_in_an_object_does_not_fill_the_state(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    full = dataclasses.replace(SPILLED, edge=EDGE)
    after = dataclasses.replace(
        DatasetState(dataset="cats"),
        cursor=full,
        resume=dataclasses.replace(RESUME, reached=full),
    )
    state.record_landed(DatasetState(dataset="cats"), after, RUN)
    found = state.read("cats")
    assert found.resume is not None
    assert (found.cursor, found.resume.reached) == (SPILLED, SPILLED)


def test_an_edge_that_was_written_before_there_were_days_in_it_is_read(
    table: Any,
) -> None:
    state = StateTable(dynamodb=table, table="state")
    state.record_landed(*landed_of("cats"))
    key = {"pk": {"S": "DATASET#cats"}, "sk": {"S": "STATE"}}
    item = table.get_item(TableName="state", Key=key)["Item"]
    assert item.pop("remembered") == {"B": edge_to_bytes(EDGE)}
    table.put_item(TableName="state", Item={**item, "edge": {"B": b"".join(EDGE)}})
    assert state.read("cats").cursor.edge == EDGE


def landed_of(dataset: str) -> tuple[DatasetState, DatasetState, Run]:
    """A run that lands, of a dataset nobody wrote."""
    before = DatasetState(dataset=dataset)
    after, run = landed(before)
    return before, after, dataclasses.replace(run, dataset=dataset)


def test_the_newest_runs_come_first_and_only_so_many(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    ids = [f"2013010{day}T050000.123Z-0123456789ab" for day in (2, 1, 3)]
    for run_id in ids:
        state.record_started(dataclasses.replace(RUN, run_id=run_id))
    state.record_started(dataclasses.replace(RUN, run_id=ids[2], dataset="dogs"))
    state.record_started(dataclasses.replace(RUN, run_id=ids[2], lane="b1-1"))
    newest = state.latest_runs("cats", 2)
    assert [(run.run_id, run.lane) for run in newest] == [
        (ids[2], None),
        (ids[0], None),
    ]
    assert len(state.latest_runs("cats", 9)) == 3


def test_a_run_takes_no_name_that_another_has(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    state.record_started(RUN)
    with pytest.raises(StateConflict, match=f"another run is called {RUN.run_id}"):
        state.record_started(RUN)


def test_a_pull_that_failed_is_looked_at_by_the_next_check_and_a_slice_is_not(
    table: Any,
) -> None:
    state = StateTable(dynamodb=table, table="state")
    state.record_failed(dataclasses.replace(RUN, dataset="dogs", lane="b1-1"))
    assert list(monitor_items(table, "state", FAILED)) == []
    state.record_failed(RUN)
    assert list(monitor_items(table, "state", FAILED)) == [
        {
            "pk": {"S": "REPORTED"},
            "sk": {"S": "FAILED#cats"},
            "at": {"S": START.isoformat()},
        }
    ]


def test_slices_that_have_ended_are_not_being_pulled(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    state.record_started(
        dataclasses.replace(RUN, lane="b1-00001", status=RunStatus.FAILED)
    )
    assert state.running_slices("cats", START - timedelta(minutes=1)) == []


class Refused:
    """A table that refuses each write, for one reason."""

    def __init__(self, dynamodb: Any, code: str) -> None:
        self._dynamodb, self._code = dynamodb, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def put_item(self, **_: Any) -> None:
        raise self._error(self._code)

    def transact_write_items(self, **_: Any) -> None:
        raise self._error("TransactionCanceledException", self._code)

    def _error(self, code: str, reason: str = "None") -> ClientError:
        answer: Any = {
            "Error": {"Code": code, "Message": code},
            "CancellationReasons": [{"Code": "None"}, {"Code": reason}],
        }
        return ClientError(answer, "Write")


@pytest.mark.parametrize("reason", ["ConditionalCheckFailed", "TransactionConflict"])
def test_one_of_two_who_write_at_once_conflicts(table: Any, reason: str) -> None:
    refused: Any = Refused(table, reason)
    with pytest.raises(StateConflict) as conflict:
        StateTable(dynamodb=refused, table="state").record_landed(*landed_of("cats"))
    assert str(conflict.value) == (
        f"the state of cats moved past version 0 while run {RUN.run_id} was under way"
    )
    refused = Refused(table, f"{reason}Exception")
    state = StateTable(dynamodb=refused, table="state")
    lane = state.read("cats/b1-1")
    with pytest.raises(StateConflict, match="the state of cats/b1-1 moved past"):
        state.record_lane(lane, lane)
    with pytest.raises(StateConflict, match=f"{STAMP_TRIES} others took the stamp"):
        state.next_lane_stamp("cats", START)


def test_a_write_that_failed_for_another_reason_is_no_conflict(table: Any) -> None:
    refused: Any = Refused(table, "ThrottlingError")
    state = StateTable(dynamodb=refused, table="state")
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        state.record_landed(*landed_of("cats"))
    with pytest.raises(ClientError, match="ThrottlingError"):
        state.next_lane_stamp("cats", START)


def test_each_item_stands_where_the_table_says(table: Any) -> None:
    state = StateTable(dynamodb=table, table="state")
    asked = Backfill(
        dataset="cats", backfill_id="b1", start=1, end=9, slice="4", created_at=START
    )
    state.keep_backfill(asked)
    state.next_lane_stamp("cats", START)
    for lane in (None, "b1-1"):
        run = dataclasses.replace(RUN, lane=lane)
        state.record_committing(state.read(run.state_name), run)
    items = table.scan(TableName="state")["Items"]
    assert sorted((item["pk"]["S"], item["sk"]["S"]) for item in items) == [
        ("COMMITTING", "cats"),
        ("COMMITTING", "cats/b1-1"),
        ("DATASET#cats", "BACKFILL#b1"),
        ("DATASET#cats", "LANE#b1-1"),
        ("DATASET#cats", "LANERUN#b1-1#20130101T050000.123Z-0123456789ab"),
        ("DATASET#cats", "LANES"),
        ("DATASET#cats", "RUN#20130101T050000.123Z-0123456789ab"),
        ("DATASET#cats", "STATE"),
    ]


def test_a_run_is_awaited_once_it_has_landed_rows() -> None:
    key = f"raw/cats/g1/dt=2013-01-01/{RUN.run_id}-00001.ndjson.gz"
    whole = dataclasses.replace(RUN, newest_key=key, finished_at=START)
    assert len(awaiting_load("state", whole)) == 1
    for short in ({"newest_key": None}, {"finished_at": None}):
        changed: dict[str, Any] = short
        assert awaiting_load("state", dataclasses.replace(whole, **changed)) == ()
