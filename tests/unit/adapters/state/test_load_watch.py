"""Loads that are awaited, what was done about them, and what keeps them from coming."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.state.items import PROBLEM, REPAIRED, monitor_items
from lambdas.adapters.state.loads import LoadTable
from lambdas.core.loading.erasure import Erasure
from lambdas.core.loading.repair import Problem, Repair, Repaired, RetryState
from lambdas.core.pull.run import LandedRun
from tests.aws import a_state_table

NOW = datetime(2013, 1, 2, 5, tzinfo=UTC)
RUN_ID = "20130101T050000.000Z-0123456789ab"
CATS = LandedRun(
    dataset="cats",
    run_id=RUN_ID,
    newest_key=f"raw/cats/g1/dt=2013-01-01/{RUN_ID}-00001.ndjson.gz",
    objects=1,
    landed_at=NOW,
)
DOGS = dataclasses.replace(CATS, dataset="dogs")
PART = dataclasses.replace(CATS, part="00001q1")
REPAIR = Repaired(
    dataset="cats",
    run_id=RUN_ID,
    repair=Repair.REFRESHED,
    at=NOW,
    files=(CATS.newest_key,),
)
STOPPED = Problem(
    code="pipe_stopped",
    dataset="cats",
    sentence="files wait, but the pipe is PAUSED",
    next_step="resume it",
    since=NOW,
)


@pytest.fixture
def dynamodb(aws: None) -> Any:
    del aws
    return a_state_table()


@pytest.fixture
def loads(dynamodb: Any) -> LoadTable:
    return LoadTable(dynamodb=dynamodb, table="state")


def told(dynamodb: Any, kind: str) -> list[str]:
    """The names of what the next check is told."""
    found = monitor_items(dynamodb, "state", kind)
    return [item["sk"]["S"].partition("#")[2] for item in found]


def test_what_landed_is_awaited_until_it_is_settled(
    loads: LoadTable, dynamodb: Any
) -> None:
    for run in (DOGS, CATS, PART):
        loads.watch(run)
    assert loads.landed() == [CATS, PART, DOGS]
    loads.settle(CATS, [])
    assert loads.landed() == [PART, DOGS]
    assert told(dynamodb, REPAIRED) == []


def test_a_repair_is_told_with_the_run_that_it_loaded_and_once(
    loads: LoadTable, dynamodb: Any
) -> None:
    loads.watch(CATS)
    other = dataclasses.replace(REPAIR, repair=Repair.LANDED_AGAIN)
    loads.settle(CATS, [REPAIR, other])
    assert sorted(told(dynamodb, REPAIRED)) == sorted(
        [REPAIR.repair_id, other.repair_id]
    )
    # Whoever comes second finds the run gone, and tells nothing.
    late = dataclasses.replace(REPAIR, files=("another", "two"))
    loads.settle(CATS, [late])
    assert late.repair_id not in told(dynamodb, REPAIRED)


class Refusing:
    """A table whose transactions are refused, for these reasons."""

    def __init__(self, *reasons: str) -> None:
        self._reasons = reasons

    def transact_write_items(self, **_: Any) -> None:
        answer: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": "no"},
            "CancellationReasons": [{"Code": one} for one in self._reasons],
        }
        raise ClientError(answer, "TransactWriteItems")


@pytest.mark.parametrize("reason", ["ConditionalCheckFailed", "TransactionConflict"])
def test_one_who_was_second_is_no_error(reason: str) -> None:
    dynamodb: Any = Refusing("None", reason)
    LoadTable(dynamodb=dynamodb, table="state").settle(CATS, [REPAIR])


def test_a_run_that_could_not_be_settled_is_an_error() -> None:
    dynamodb: Any = Refusing("ThrottlingError")
    with pytest.raises(ClientError):
        LoadTable(dynamodb=dynamodb, table="state").settle(CATS, [])


def test_what_is_remembered_of_a_dataset_is_kept_until_it_is_forgotten(
    loads: LoadTable,
) -> None:
    first = RetryState(dataset="cats.g1", next_at=NOW, looks=3, refreshed=("a",))
    other = RetryState(dataset="dogs.g1", next_at=NOW)
    again = dataclasses.replace(first, looks=4)
    for one in (first, other, again):
        loads.remember(one)
    assert loads.retries() == {"cats.g1": again, "dogs.g1": other}
    loads.forget("cats.g1")
    loads.forget("cats.g1")
    assert loads.retries() == {"dogs.g1": other}


def test_problems_stand_as_the_last_check_left_them(
    loads: LoadTable, dynamodb: Any
) -> None:
    of_all = dataclasses.replace(STOPPED, code="not_notified", dataset=None)
    loads.record_problems([], [STOPPED, of_all])
    assert loads.problems() == [of_all, STOPPED]
    worse = dataclasses.replace(STOPPED, sentence="files wait, and more of them")
    loads.record_problems([STOPPED, of_all], [worse])
    assert loads.problems() == [worse]
    assert told(dynamodb, PROBLEM) == [worse.name]


def test_a_problem_that_stands_unchanged_is_not_written_again(
    loads: LoadTable, dynamodb: Any
) -> None:
    loads.record_problems([STOPPED], [STOPPED])
    assert told(dynamodb, PROBLEM) == []


def test_an_erasure_is_on_record_with_its_end(loads: LoadTable) -> None:
    begun = Erasure(dataset="cats", started_at=NOW, who="mia", salt="s", keys=("k",))
    ended = dataclasses.replace(begun, finished_at=NOW + timedelta(hours=1))
    later = dataclasses.replace(begun, started_at=NOW + timedelta(days=1))
    same_moment = dataclasses.replace(begun, salt="t")
    of_dogs = dataclasses.replace(begun, dataset="dogs")
    for one in (later, begun, ended, same_moment, of_dogs):
        loads.record_erasure(one)
    assert loads.erasures("cats") == [ended, same_moment, later]
    assert loads.erasures("mice") == []


class Noting:
    """The table, and whether each page of items is as it was written last."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self.is_consistent: list[bool] = []

    def get_paginator(self, name: str) -> Any:
        pages, noted = self._dynamodb.get_paginator(name), self.is_consistent

        class Pages:
            def paginate(self, **asked: Any) -> Any:
                noted.append(asked.get("ConsistentRead", False))
                return pages.paginate(**asked)

        return Pages()


def test_a_check_begins_with_what_was_written_last(dynamodb: Any) -> None:
    """What is stale is a message that was sent already, or a run that is loaded."""
    noting: Any = Noting(dynamodb)
    loads = LoadTable(dynamodb=noting, table="state")
    for read in (loads.landed, loads.retries, loads.problems):
        read()
    loads.erasures("cats")
    assert len(noting.is_consistent) >= 4
    assert all(noting.is_consistent)
