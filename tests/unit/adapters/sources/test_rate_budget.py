"""Budgets that threads, processes and functions share."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.one_machine.rate_files import RateFiles
from lambdas.adapters.environment import SystemClock
from lambdas.adapters.sources.api_pages import ApiPages
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.adapters.sources.rate_budget import (
    BucketStore,
    OwnBudgets,
    SharedBudget,
    SharedBudgets,
    StoredBucket,
)
from lambdas.adapters.state.rates import RateTable
from lambdas.core.dataset import Api, Endpoint, RateLimit
from lambdas.core.errors import OverBudget, RunErrorKind
from lambdas.core.source.rate_limit import full
from tests.api_pull import PlannedClock, PlannedSecrets
from tests.api_server import Answer, answer_json, in_turn, serving
from tests.aws import a_state_table
from tests.unit.core.source.test_rate_limit import most_in_a_window


class MemoryBuckets:
    """A store in memory; `calls` counts what a table would bill."""

    def __init__(self) -> None:
        self.stored: dict[str, StoredBucket] = {}
        self.calls = 0
        self._lock = threading.Lock()

    def read(self, key: str) -> StoredBucket | None:
        with self._lock:
            self.calls += 1
            return self.stored.get(key, StoredBucket(bucket=None, version=0))

    def write(self, key: str, after: StoredBucket) -> bool:
        with self._lock:
            self.calls += 1
            before = self.stored.get(key, StoredBucket(bucket=None, version=0))
            if before.version != after.version - 1:
                return False
            self.stored[key] = after
            return True


@pytest.fixture(params=["memory", "files", "dynamodb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BucketStore:
    match request.param:
        case "memory":
            return MemoryBuckets()
        case "files":
            return RateFiles(folder=tmp_path)
        case _:
            request.getfixturevalue("aws")
            return RateTable(dynamodb=a_state_table(), table="state")


def a_budget(store: BucketStore, limit: RateLimit, clock: Any = None) -> SharedBudget:
    return SharedBudget(
        key="k",
        limit=limit,
        store=store,
        clock=clock or SystemClock(),
        random=random.random,
    )


def test_a_bucket_is_written_only_over_the_one_that_was_read(
    store: BucketStore,
) -> None:
    bucket = full(RateLimit(requests=7), 12.25)
    assert store.read("a") == StoredBucket(bucket=None, version=0)
    assert store.write("a", StoredBucket(bucket=bucket, version=1))
    assert not store.write("a", StoredBucket(bucket=bucket, version=1))
    assert not store.write("a", StoredBucket(bucket=bucket, version=3))
    assert store.write("a", StoredBucket(bucket=bucket, version=2))
    assert store.read("a") == StoredBucket(bucket=bucket, version=2)
    assert store.read("b") == StoredBucket(bucket=None, version=0)


def test_two_who_share_wait_for_each_other(store: BucketStore) -> None:
    clock = PlannedClock()
    limit = RateLimit(requests=2)
    one, other = a_budget(store, limit, clock), a_budget(store, limit, clock)
    times = []
    for _ in range(5):
        for budget in (one, other):
            budget.wait(within_s=900)
            times.append(clock.now().timestamp())
    assert most_in_a_window(times, 1.0) <= 2
    assert times[-1] - times[0] == pytest.approx(9 * 0.55, abs=0.2)


class SeenClock(SystemClock):
    """Keeps what it last said: by that a budget let a request go, however long a busy
    machine takes to note it.
    """

    def __init__(self) -> None:
        self.seen_s = 0.0

    def now(self) -> datetime:
        now = super().now()
        self.seen_s = now.timestamp()
        return now


@pytest.mark.long
def test_four_threads_stay_within_one_budget() -> None:
    limit, store = RateLimit(requests=50), MemoryBuckets()
    times: list[float] = []

    def work() -> None:
        clock = SeenClock()
        budget = a_budget(store, limit, clock)
        for _ in range(30):
            budget.wait(within_s=900)
            times.append(clock.seen_s)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 4 * 30
    assert most_in_a_window(sorted(times), 1.0) <= 50
    assert len(store.stored) == 1


WORKER = """
import random, sys
from pathlib import Path
from cli.one_machine.rate_files import RateFiles
from lambdas.adapters.environment import SystemClock
from lambdas.adapters.sources.rate_budget import SharedBudget
from lambdas.core.dataset import RateLimit
class SeenClock(SystemClock):
    def now(self):
        self.seen = super().now()
        return self.seen
clock = SeenClock()
budget = SharedBudget(
    key="k", limit=RateLimit(requests=50), store=RateFiles(folder=Path(sys.argv[1])),
    clock=clock, random=random.random,
)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(30):
    budget.wait(within_s=900)
    print(clock.seen.timestamp())
"""


@pytest.mark.long
def test_four_processes_stay_within_one_budget(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(  # noqa: S603 - this interpreter, and the text above
            [sys.executable, "-c", WORKER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    times = [float(line) for output in outputs for line in output.splitlines()]
    assert len(times) == 4 * 30
    assert most_in_a_window(sorted(times), 1.0) <= 50


class Moody:
    """A store that refuses, is throttled, and loses answers, as it is told."""

    def __init__(self, moods: Iterator[str]) -> None:
        self._inner = MemoryBuckets()
        self._moods = moods

    def read(self, key: str) -> StoredBucket | None:
        return None if next(self._moods, "") == "throttled" else self._inner.read(key)

    def write(self, key: str, after: StoredBucket) -> bool:
        match next(self._moods, ""):
            case "throttled":
                return False
            case "lost":
                self._inner.write(key, after)
                return False
        return self._inner.write(key, after)


@settings(max_examples=150)
@given(
    requests=st.integers(1, 100),
    moods=st.lists(st.sampled_from(["", "throttled", "lost"]), max_size=200),
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 0.5), st.booleans()), max_size=60
    ),
)
def test_whatever_the_store_does_no_more_than_the_budget_is_sent(
    requests: int, moods: list[str], steps: list[tuple[int, float, bool]]
) -> None:
    clock, limit = PlannedClock(), RateLimit(requests=requests)
    store = Moody(iter(moods))
    workers = [a_budget(store, limit, clock) for _ in range(4)]
    times = []
    for worker, pause, is_held_back in steps:
        clock.sleep(pause)
        if is_held_back and not pause:
            workers[worker].hold_back(0.5)
        workers[worker].wait(within_s=900)
        times.append(clock.now().timestamp())
    assert most_in_a_window(times, 1.0) <= requests


class Sleepyhead(PlannedClock):
    """Its sleep ends when others want it to end."""

    def __init__(self, late: list[float]) -> None:
        super().__init__()
        self._late = [*late]

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + (self._late.pop() if self._late else 0.0))


@given(
    requests=st.integers(1, 30),
    late=st.lists(st.floats(0, 2), max_size=40),
    workers=st.lists(st.integers(0, 3), min_size=10, max_size=60),
)
def test_who_sleeps_too_long_has_missed_its_turn(
    requests: int, late: list[float], workers: list[int]
) -> None:
    clock, store = Sleepyhead(late), MemoryBuckets()
    budgets = [a_budget(store, RateLimit(requests=requests), clock) for _ in range(4)]
    times = []
    for worker in workers:
        budgets[worker].wait(within_s=900)
        times.append(clock.now().timestamp())
    assert most_in_a_window(times, 1.0) <= requests


def test_a_fast_api_does_not_cost_a_write_for_each_request() -> None:
    clock, store = PlannedClock(), MemoryBuckets()
    budget = a_budget(store, RateLimit(requests=6000, period="minute"), clock)
    for _ in range(1000):
        budget.wait(within_s=900)
    assert store.calls <= 120


def test_who_is_slower_than_the_budget_leaves_it_to_others() -> None:
    clock, store = PlannedClock(), MemoryBuckets()
    limit = RateLimit(requests=100)
    slow, fast = a_budget(store, limit, clock), a_budget(store, limit, clock)
    for _ in range(50):
        slow.wait(within_s=900)
        clock.sleep(0.5)
    begun = sum(clock.slept)
    for number in range(300):
        fast.wait(within_s=900)
        if number % 30 == 0:
            slow.wait(within_s=900)
    assert sum(clock.slept) - begun < 300 / 100 * 1.5


class Throttled:
    """A DynamoDB that has no time, or no permission to give."""

    def __init__(self, code: str) -> None:
        self._error = ClientError({"Error": {"Code": code}}, "PutItem")

    def get_item(self, **_: object) -> None:
        raise self._error

    def put_item(self, **_: object) -> None:
        raise self._error


def test_a_throttled_table_slows_down_and_never_lets_anybody_through() -> None:
    table = Throttled("ProvisionedThroughputExceededException")
    store = RateTable(dynamodb=table, table="state")  # type: ignore[arg-type]  # the calls that are made
    clock = PlannedClock()
    budget = a_budget(store, RateLimit(requests=10), clock)
    with pytest.raises(OverBudget, match="throttled") as caught:
        budget.wait(within_s=900)
    assert caught.value.kind is RunErrorKind.THROTTLED
    assert 1 < sum(clock.slept) < 200
    budget.hold_back(10)


def test_a_table_that_refuses_is_no_matter_of_patience() -> None:
    table = Throttled("AccessDeniedException")
    store = RateTable(dynamodb=table, table="state")  # type: ignore[arg-type]  # the calls that are made
    with pytest.raises(ClientError, match="AccessDenied"):
        a_budget(store, RateLimit(requests=10)).wait(within_s=1)


def test_a_budget_that_leaves_no_time_is_not_reserved_from() -> None:
    clock, store = PlannedClock(), MemoryBuckets()
    budget = a_budget(store, RateLimit(requests=1, period="hour"), clock)
    budget.wait(within_s=900)
    before = dict(store.stored)
    for _ in range(3):
        with pytest.raises(OverBudget, match="leaves no request for 39"):
            budget.wait(within_s=900)
    assert store.stored == before


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_retry_after_holds_the_other_datasets_of_the_api_back(
    *, is_shared: bool
) -> None:
    clock = PlannedClock()
    store = MemoryBuckets()

    def budgets() -> SharedBudgets | OwnBudgets:
        """Each function has its own, and they meet in the store."""
        return SharedBudgets(store=store, clock=clock, random=random.random)

    alone = OwnBudgets(clock=clock)
    refused = Answer(status=429, headers={"Retry-After": "30"})
    with serving(in_turn(refused, answer_json([{"id": 1}]))) as server:
        api = {
            "base_url": server.url,
            "rate_limit": {"requests": 10},
            "retry": {"max_attempts": 1},
        }
        model = Api.model_validate_json(json.dumps(api))

        def pages() -> ApiPages:
            known = budgets() if is_shared else alone
            http = HttpApi(
                api=model,
                secrets=PlannedSecrets(),
                clock=clock,
                random=lambda: 0.0,
                deadline_s=900,
                budget=known.of(model),
            )
            return ApiPages(http=http, endpoint=Endpoint(path="cats"))

        with pytest.raises(Exception, match="429"):
            list(pages().pages())
        assert clock.slept == []
        assert len(list(pages().pages())) == 1
        assert 30 <= sum(clock.slept) < 30.2


def test_what_stands_in_the_table_shows_nothing_of_the_api() -> None:
    store = MemoryBuckets()
    budgets = SharedBudgets(store=store, clock=PlannedClock(), random=random.random)
    limit = RateLimit(requests=10)
    api = Api(base_url="https://user:hunter2@api.example.com/", rate_limit=limit)
    same = Api(base_url="https://user:hunter2@api.example.com", rate_limit=limit)
    assert budgets.of(api) is budgets.of(same)
    budgets.of(api).wait(within_s=1)
    assert "hunter2" not in str(store.stored)
    assert "example" not in str(store.stored)
    assert budgets.of(Api(base_url="https://x.test/")) is not budgets.of(api)
