"""One set of promises for every place where incidents can stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.loads import LoadTable
from lambdas.adapters.state.writes import TableWriter
from lambdas.core.errors import StateConflict
from lambdas.core.freshness.attainment import AttainmentState, Day
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.context import context_of
from lambdas.core.incidents.incident import (
    HumanSide,
    Incident,
    Recipient,
    advance,
    retired,
)
from lambdas.core.incidents.notice import Notice, notices
from lambdas.core.loading.repair import Problem, Repair, Repaired
from lambdas.core.names import LOADING
from lambdas.core.pull.run import LandedRun
from tests.aws import a_state_table
from tests.datasets import a_dataset
from tests.state_table import TableInMemory
from tests.watched import NOW, MemoryIncidents, a_verdict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

State = IncidentTable | MemoryIncidents
Kept = tuple[IncidentTable, LoadTable]


@pytest.fixture
def dynamodb_state(aws: None) -> Kept:
    del aws
    dynamodb = a_state_table()
    return (
        IncidentTable(dynamodb=dynamodb, table="state"),
        LoadTable(dynamodb=dynamodb, table="state"),
    )


@pytest.fixture(params=["memory", "dynamodb"])
def state(request: pytest.FixtureRequest) -> State:
    if request.param == "memory":
        return MemoryIncidents()
    kept: Kept = request.getfixturevalue("dynamodb_state")
    return kept[0]


def opened() -> tuple[Incident, tuple[Notice, ...]]:
    verdict = dataclasses.replace(a_verdict(), evidence=("<&>", "猫", ""))
    transition = advance(None, verdict, now=NOW, newest_at=NOW - timedelta(hours=7))
    assert transition.incident is not None
    routes = {
        Recipient.ENGINEERS: ("sns", "slack"),
        Recipient.STAKEHOLDERS: ("sns",),
        Recipient.SYSTEMS: ("bus",),
    }
    told = notices(
        transition, verdict, subject=context_of(a_dataset()), routes=routes, now=NOW
    )
    return transition.incident, told


def a_watch(name: str = "cats", **changes: object) -> Watch:
    watch = Watch(
        dataset=name,
        checked_at=NOW,
        promise="p",
        state="error",
        cause="pipe_stopped",
        next_look_at=None,
        newest_at=NOW,
        newest_loaded_at=None,
        row_count=7,
        incident_id=None,
    )
    return dataclasses.replace(watch, **changes)  # type: ignore[arg-type]  # fields by name


def test_nothing_is_there_at_first(state: State) -> None:
    assert state.watches() == {}
    assert state.open_incident("cats") is None
    assert state.open_incidents(["cats"]) == {"cats": None}
    assert list(state.check_state().waiting) == []
    check_state = state.check_state()
    assert (
        dict(check_state.watches),
        list(check_state.waiting),
        dict(check_state.own),
    ) == ({}, [], {})
    assert check_state.last_check_at is None


def test_a_check_finds_all_it_begins_with_on_its_desk(state: State) -> None:
    incident, told = opened()
    state.record(None, incident, notices=told, watch=a_watch())
    ours = dataclasses.replace(incident, incident_id="_loading-1", dataset=LOADING)
    state.record(None, ours, notices=(), watch=None)
    state.remember([a_watch("dogs")])
    state.checked(NOW)
    check_state = state.check_state()
    assert dict(check_state.watches) == {"cats": a_watch(), "dogs": a_watch("dogs")}
    assert [one.notice_id for one in check_state.waiting] == sorted(
        notice.notice_id for notice in told
    )
    assert dict(check_state.own) == {LOADING: ours}
    assert state.open_incident(LOADING) == ours
    assert check_state.last_check_at == NOW
    over = retired(ours, now=NOW).incident
    assert over is not None
    state.record(ours, over, notices=(), watch=None)
    assert dict(state.check_state().own) == {}


def test_what_the_repair_function_found_is_on_the_desk(dynamodb_state: Kept) -> None:
    incidents, loads = dynamodb_state
    problem = Problem(
        code="pipe_stopped", dataset="cats", sentence="s", next_step="n", since=NOW
    )
    done = Repaired(
        dataset="cats", run_id="r", repair=Repair.REFRESHED, at=NOW, files=("f",)
    )
    run = LandedRun(
        dataset="cats", run_id="r", landed_at=NOW, newest_key="k", objects=1
    )
    loads.watch(run)
    loads.settle(run, [done])
    loads.record_problems([], [problem])
    check_state = incidents.check_state()
    assert (list(check_state.problems), list(check_state.repaired)) == (
        [problem],
        [done],
    )
    incidents.record_repaired(done.repair_id, ())
    loads.record_problems([problem], [])
    check_state = incidents.check_state()
    assert (list(check_state.problems), list(check_state.repaired)) == ([], [])
    with pytest.raises(StateConflict):
        incidents.record_repaired(done.repair_id, ())


def test_an_incident_its_notices_and_the_watch_come_back_as_they_were(
    state: State,
) -> None:
    incident, told = opened()
    incident = dataclasses.replace(
        incident, human=HumanSide(note="x", promised_for=NOW)
    )
    state.record(None, incident, notices=told, watch=a_watch())
    assert state.open_incident("cats") == incident
    assert state.open_incidents(["cats", "dogs"]) == {"cats": incident, "dogs": None}
    assert state.incident(incident.incident_id) == incident
    assert sorted(state.check_state().waiting, key=lambda x: x.notice_id) == sorted(
        told, key=lambda x: x.notice_id
    )
    assert state.watches() == {"cats": a_watch()}


def test_a_second_open_incident_of_a_dataset_is_refused_whole(state: State) -> None:
    incident, told = opened()
    state.record(None, incident, notices=told[:1], watch=None)
    other = dataclasses.replace(incident, incident_id="cats-another")
    with pytest.raises(StateConflict):
        state.record(None, other, notices=told, watch=a_watch())
    assert len(state.check_state().waiting) == 1
    assert state.watches() == {}
    assert state.incident("cats-another") is None


def test_a_change_of_a_version_that_has_moved_is_refused_whole(state: State) -> None:
    incident, told = opened()
    state.record(None, incident, notices=(), watch=None)
    acknowledged = dataclasses.replace(
        incident, version=2, human=HumanSide(acknowledged_at=NOW)
    )
    state.record(incident, acknowledged, notices=(), watch=None)
    late = dataclasses.replace(incident, version=2, state="warn")
    with pytest.raises(StateConflict):
        state.record(incident, late, notices=told, watch=None)
    assert state.open_incident("cats") == acknowledged
    assert list(state.check_state().waiting) == []


def test_a_resolved_incident_is_kept_and_makes_room_for_another(state: State) -> None:
    incident, _ = opened()
    state.record(None, incident, notices=(), watch=None)
    over = retired(incident, now=NOW + timedelta(hours=1)).incident
    assert over is not None
    state.record(incident, over, notices=(), watch=None)
    assert state.open_incident("cats") is None
    assert state.incident(incident.incident_id) == over
    with pytest.raises(StateConflict):
        state.record(incident, over, notices=(), watch=None)
    again = dataclasses.replace(incident, incident_id="cats-2")
    state.record(None, again, notices=(), watch=None)
    assert state.open_incident("cats") == again


def test_what_is_over_can_be_added_to_while_another_is_open(state: State) -> None:
    incident, _ = opened()
    state.record(None, incident, notices=(), watch=None)
    over = retired(incident, now=NOW + timedelta(hours=1)).incident
    assert over is not None
    state.record(incident, over, notices=(), watch=None)
    again = dataclasses.replace(incident, incident_id="cats-2")
    state.record(None, again, notices=(), watch=None)
    noted = dataclasses.replace(over, version=3, human=HumanSide(note="a hose burst"))
    state.record(over, noted, notices=(), watch=None)
    assert state.incident(incident.incident_id) == noted
    assert state.open_incident("cats") == again
    with pytest.raises(StateConflict):
        state.record(over, noted, notices=(), watch=None)


def test_delivered_notices_are_gone_and_may_be_gone_already(state: State) -> None:
    incident, told = opened()
    state.record(None, incident, notices=told, watch=None)
    state.delivered(told[1:])
    state.delivered(told[1:])
    assert list(state.check_state().waiting) == [told[0]]


def test_many_watches_are_remembered_and_forgotten(state: State) -> None:
    watches = {f"t{number}": a_watch(f"t{number}") for number in range(60)}
    state.remember(watches.values())
    assert state.watches() == watches
    state.remember([a_watch("t1", row_count=9)])
    assert state.watches()["t1"].row_count == 9
    state.forget([name for name in watches if name != "t1"])
    assert list(state.watches()) == ["t1"]
    state.remember([])


def test_the_last_check_is_the_last_that_ended(state: State) -> None:
    state.checked(NOW)
    state.checked(NOW + timedelta(minutes=5))
    assert state.check_state().last_check_at == NOW + timedelta(minutes=5)


# a busy table ------------------------------------------------------------------------
class Busy:
    """A table that refuses some calls, and leaves a part of others undone."""

    def __init__(self, dynamodb: DynamoDBClient, refusals: Sequence[str]) -> None:
        self._dynamodb = dynamodb
        self._refusals = list(refusals)
        self.poison = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def _refuse(self, call: str) -> None:
        if self._refusals:
            code = self._refusals.pop()
            raise ClientError({"Error": {"Code": code, "Message": "later"}}, call)

    def transact_write_items(self, **request: Any) -> Any:
        self._refuse("TransactWriteItems")
        return self._dynamodb.transact_write_items(**request)

    def batch_write_item(self, **request: Any) -> Any:
        self._refuse("BatchWriteItem")
        if self.poison and self.poison in str(request):
            error: Any = {"Error": {"Code": "ValidationException", "Message": "size"}}
            raise ClientError(error, "BatchWriteItem")
        ((table, items),) = request["RequestItems"].items()
        self._dynamodb.batch_write_item(RequestItems={table: items[:10]})
        return {"UnprocessedItems": {table: items[10:]} if items[10:] else {}}


def busy_table(refusals: Sequence[str] = ()) -> tuple[IncidentTable, Busy, list[float]]:
    busy = Busy(a_state_table(), refusals)
    pauses: list[float] = []
    writer = TableWriter(
        dynamodb=busy,  # type: ignore[arg-type]  # it stands for one
        table="state",
        sleep=pauses.append,
        jitter=lambda: 0.5,
    )
    table = IncidentTable(dynamodb=busy, table="state", writer=writer)  # type: ignore[arg-type]  # as above
    return table, busy, pauses


def test_open_incidents_are_read_at_once_and_one_that_cannot_be_is_left_out() -> None:
    left: list[str] = []
    dynamodb = cast("DynamoDBClient", TableInMemory(is_unread=lambda sk: sk in left))
    table = IncidentTable(dynamodb=dynamodb, table="state")
    names = [f"cats{number}" for number in range(101)]
    kept = {}
    for name in names[:-1]:
        verdict = a_verdict("error", "pipe_stopped", dataset=name, page=True)
        incident = advance(None, verdict, now=NOW).incident
        assert incident is not None
        table.record(None, incident, notices=(), watch=None)
        kept[name] = incident
    assert table.open_incidents([]) == {}
    assert table.open_incidents(names) == {**kept, names[-1]: None}
    left.append(kept["cats7"].incident_id)
    assert table.open_incidents(["cats7", "cats8"]) == {"cats8": kept["cats8"]}
    left.append("INCIDENT")
    assert table.open_incidents(["cats7", "cats8"]) == {}
    left.clear()
    spoilt = {"pk": {"S": "INCIDENT"}, "sk": {"S": kept["cats7"].incident_id}}
    dynamodb.put_item(TableName="state", Item={**spoilt, "incident": {"S": "{"}})
    assert table.open_incidents(["cats7", "cats8"]) == {"cats8": kept["cats8"]}


@pytest.mark.usefixtures("aws")
def test_throttled_writes_and_transactions_wait_longer_each_time() -> None:
    table, _, pauses = busy_table(["ThrottlingException"] * 3)
    incident, told = opened()
    table.record(None, incident, notices=told, watch=a_watch())
    assert table.open_incident("cats") == incident
    assert pauses == sorted(set(pauses))
    assert len(pauses) == 3
    table.remember(a_watch(f"d{number}") for number in range(60))
    assert len(table.watches()) == 61


@pytest.mark.usefixtures("aws")
def test_a_watch_that_cannot_be_written_takes_no_other_with_it() -> None:
    table, busy, _ = busy_table()
    busy.poison = "d07"
    unwritten = table.remember(a_watch(f"d{number:02d}") for number in range(30))
    assert set(unwritten) == {"d07"}
    assert len(table.watches()) == 29


@pytest.mark.usefixtures("aws")
def test_an_incident_is_recorded_after_a_hundred_days_off() -> None:
    table, _, _ = busy_table()
    incident, told = opened()
    days = tuple(
        Day(day=f"2026-{1 + n // 28:02d}-{1 + n % 28:02d}") for n in range(100)
    )
    tally = AttainmentState(
        since=NOW, until=NOW, was_late=True, due_share=1.0, today=days[0], over=days
    )
    table.record(None, incident, notices=told, watch=a_watch(tally=tally))
    assert len(table.days("cats", since="2026-01-01")) == 100


@pytest.mark.usefixtures("aws")
def test_days_that_ended_are_not_written_again_by_who_records_the_watch_next() -> None:
    """A person's report does, and may not write a history."""
    table, _, _ = busy_table()
    day = Day(day="2026-01-01")
    tally = AttainmentState(
        since=NOW, until=NOW, was_late=False, due_share=1.0, today=day, over=(day,)
    )
    table.remember([a_watch(tally=tally)])
    assert len(table.days("cats", since="2026-01-01")) == 1
    kept = table.watch("cats")
    assert kept is not None
    assert kept.tally is not None
    assert kept.tally.over == ()


@pytest.mark.usefixtures("aws")
def test_a_table_that_was_written_in_one_partition_is_read_and_spread() -> None:
    dynamodb = a_state_table()
    table = IncidentTable(dynamodb=dynamodb, table="state")
    incident, told = opened()
    table.record(None, incident, notices=told, watch=a_watch())
    before = table.check_state()
    for item in dynamodb.scan(TableName="state")["Items"]:
        if item["pk"]["S"].startswith("MONITOR#"):
            key = {"pk": item["pk"], "sk": item["sk"]}
            dynamodb.delete_item(TableName="state", Key=key)
            old = {**item, "pk": {"S": "MONITOR"}}
            dynamodb.put_item(TableName="state", Item=old)
    assert table.check_state() == before
    places = {item["pk"]["S"] for item in dynamodb.scan(TableName="state")["Items"]}
    assert "MONITOR" not in places
    table.delivered(before.waiting)
    assert table.check_state().waiting == []
