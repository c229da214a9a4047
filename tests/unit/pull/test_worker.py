from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from lambdas.adapters.state.places import NoLimit, Places
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.diagnosis.causes.pulling import FAILURES_AT_RISK
from lambdas.core.errors import (
    BadInput,
    LandingError,
    RunErrorKind,
    Transient,
    UpstreamError,
)
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.message import (
    MAX_TRIES,
    Delivery,
    comes_again_at,
    deliveries,
    wait_before_retry,
)
from lambdas.core.pull.run import Run
from lambdas.pull.worker import WAITING_TRIES, Worker
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

NO_LIMIT = NoLimit()
REMAINING = timedelta(minutes=15)


def sqs_event(body: object, *, tries: int = 1) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": "m1",
                "receiptHandle": "r1",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": str(tries)},
            }
        ]
    }


def a_delivery(*, tries: int = 1, **body: object) -> Delivery:
    return deliveries(sqs_event({"dataset": "cats", **body}, tries=tries))[0]


class FakeQueue:
    """Remembers for how long each message was hidden."""

    def __init__(self) -> None:
        self.hidden_s: list[int] = []
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **request: Any) -> None:
        self.sent.append(request)

    def change_message_visibility(self, **request: Any) -> None:
        self.hidden_s.append(request["VisibilityTimeout"])


class Rig:
    """A worker, and all that it works with."""

    def __init__(self, *pages: Sequence[bytes] | UpstreamError) -> None:
        self.clock = FakeClock()
        self.landing = MemoryLanding()
        self.state = MemoryState()
        self.queue = FakeQueue()
        self.opened = 0
        self.denied: LandingError | None = None
        self._pages = pages

    def worker(self, places: Places = NO_LIMIT) -> Worker:
        return Worker(
            catalogue=self._catalogue,
            puller=Puller(
                landing=self.landing,
                state=self.state,
                events=MemoryEvents(),
                clock=self.clock,
                source=self._source,
                random=lambda size: self.opened.to_bytes(size, "big"),
            ),
            sqs=self.queue,  # type: ignore[arg-type]  # the one call that is made
            queue_url="queue",
            backfills_queue_url="backfills",
            places=places,
            remaining=lambda: REMAINING,
        )

    def newest_runs(self) -> list[Run]:
        return [*reversed(self.state.runs.values())][:MAX_TRIES]

    def _catalogue(self) -> Catalogue:
        if self.denied is not None:
            raise self.denied
        return Catalogue(datasets={"cats": a_dataset()})

    def _source(self, *_: object) -> ListSource:
        self.opened += 1
        return ListSource(self._pages)


ROW = b'{"id":1,"at":1}'


def test_the_first_act_hides_the_message_until_the_function_would_have_ended() -> None:
    rig = Rig([ROW])
    outcome = rig.worker().work(a_delivery())
    assert outcome.is_done
    assert rig.queue.hidden_s == [15 * 60 + 60]


def test_a_tick_that_an_earlier_run_has_answered_asks_nobody() -> None:
    rig = Rig([ROW])
    due = rig.clock.now().isoformat()
    rig.worker().work(a_delivery(due_at=due))
    outcome = rig.worker().work(a_delivery(due_at=due))
    assert outcome.is_done
    assert outcome.result is None
    assert rig.opened == 1


@pytest.mark.parametrize("tries", [1, MAX_TRIES])
def test_an_upstream_that_may_come_back_is_tried_again_a_few_times(tries: int) -> None:
    rig = Rig(Transient("503", kind=RunErrorKind.HTTP))
    outcome = rig.worker().work(a_delivery(tries=tries))
    assert outcome.is_done == (tries == MAX_TRIES)
    waits = rig.queue.hidden_s[1:]
    assert waits == ([60] if tries == 1 else [])


@pytest.mark.parametrize("tries", [1, 2])
def test_a_message_that_comes_again_has_the_next_check_look(tries: int) -> None:
    """Its last function may have been killed, and told nobody."""
    rig = Rig([ROW])
    rig.worker().work(a_delivery(tries=tries))
    assert ("cats" in rig.state.suspected) == (tries > 1)


@pytest.mark.parametrize("is_ours", [False, True])
def test_the_runs_show_until_when_no_other_pull_of_the_dataset_begins(
    *, is_ours: bool
) -> None:
    rig = Rig([ROW] if is_ours else Transient("503", kind=RunErrorKind.HTTP))
    if is_ours:
        rig.landing.put = rig.landing.open = _refuse  # type: ignore[method-assign,assignment]  # from now on
    for tries in range(1, MAX_TRIES):
        with suppress(OSError):
            rig.worker().work(a_delivery(tries=tries))
        hidden = timedelta(seconds=rig.queue.hidden_s[-1])
        assert comes_again_at(rig.newest_runs()) == rig.clock.now() + hidden
        rig.clock.sleep(hidden.total_seconds())


def test_after_the_last_delivery_and_after_a_success_nothing_waits() -> None:
    rig = Rig(Transient("503", kind=RunErrorKind.HTTP))
    for tries in range(1, MAX_TRIES + 1):
        rig.worker().work(a_delivery(tries=tries))
        rig.clock.sleep(60)
    assert comes_again_at(rig.newest_runs()) is None
    well = Rig([ROW])
    well.worker().work(a_delivery())
    assert comes_again_at(well.newest_runs()) is None
    assert comes_again_at([]) is None


def test_refused_credentials_wait_for_a_person_not_for_the_queue() -> None:
    rig = Rig(UpstreamError("401", kind=RunErrorKind.AUTH))
    assert rig.worker().work(a_delivery()).is_done


def test_a_fault_of_ours_is_raised_and_comes_again_soon() -> None:
    rig = Rig([ROW])
    rig.landing.put = rig.landing.open = _refuse  # type: ignore[method-assign,assignment]  # from now on
    with pytest.raises(OSError, match="no bucket"):
        rig.worker().work(a_delivery(tries=3))
    assert rig.queue.hidden_s[-1] == 240


def test_datasets_that_cannot_be_read_are_a_failed_pull_and_come_again() -> None:
    rig = Rig([ROW])
    rig.denied = LandingError("the datasets cannot be read: AccessDenied")
    with pytest.raises(LandingError):
        rig.worker().work(a_delivery(tries=3))
    (run,) = rig.state.runs.values()
    assert run.error is not None
    assert run.error.kind is RunErrorKind.INTERNAL
    assert "AccessDenied" in run.error.message
    assert rig.queue.hidden_s[-1] == 240


def test_a_dataset_is_at_risk_before_its_message_is_a_dead_letter() -> None:
    rig = Rig([ROW])
    rig.landing.put = rig.landing.open = _refuse  # type: ignore[method-assign,assignment]  # from now on
    for tries in range(1, MAX_TRIES + 1):
        rig.clock.sleep(60)
        with pytest.raises(OSError, match="no bucket"):
            rig.worker().work(a_delivery(tries=tries))
    assert len(rig.state.runs) >= FAILURES_AT_RISK
    assert "cats" in rig.state.suspected


def _refuse(*_: object, **__: object) -> None:
    raise OSError("no bucket")


def test_a_removed_dataset_is_still_rolled_forward() -> None:
    rig = Rig([ROW])
    rig.state.faults = rig.landing.faults = Faults(at=6)
    with pytest.raises(Killed):
        rig.worker().work(a_delivery())
    assert rig.state.read("cats").committing is not None
    rig.state.faults = rig.landing.faults = Faults()
    worker = rig.worker()
    worker._catalogue = lambda: Catalogue(datasets={})
    assert worker.work(a_delivery()).result is None
    assert rig.state.read("cats").committing is None


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("not json", "body"),
        ({"dataset": "cats", "why": 1}, "why"),
        ({}, "dataset"),
        ({"dataset": "cats", "due_at": "2013-01-01T00:00:00"}, "due_at"),
    ],
)
def test_a_message_that_is_no_request_says_what_was_expected(
    body: object, fault: str
) -> None:
    with pytest.raises(BadInput, match=fault):
        deliveries(sqs_event(body))


def test_waits_grow_and_end_at_a_quarter_of_an_hour() -> None:
    minutes = [wait_before_retry(tries).total_seconds() / 60 for tries in range(1, 7)]
    assert minutes == [1, 2, 4, 8, 15, 15]


class Full:
    """An API whose places are all taken."""

    def take(self, *_: object, **__: object) -> bool:
        return False

    def leave(self, *_: object) -> None:
        raise AssertionError("nothing was taken")


@pytest.mark.parametrize("body", [{}, {"due_at": "2013-01-01T00:00:00Z"}])
def test_a_pull_without_a_place_waits_and_never_becomes_a_dead_letter(
    body: dict[str, str],
) -> None:
    rig = Rig([ROW])
    for tries in range(1, WAITING_TRIES):
        outcome = rig.worker(places=Full()).work(a_delivery(tries=tries, **body))
        assert (outcome.is_done, outcome.waits) == (False, True)
        assert rig.queue.hidden_s[-1] == wait_before_retry(tries).total_seconds()
    last = a_delivery(tries=WAITING_TRIES, **body)
    outcome = rig.worker(places=Full()).work(last)
    assert (outcome.is_done, outcome.waits) == (True, True)
    (copy,) = rig.queue.sent
    assert (copy["QueueUrl"], copy["MessageGroupId"]) == ("queue", "cats")
    again = deliveries(sqs_event(json.loads(copy["MessageBody"])))[0]
    assert again.request == last.request
    assert rig.opened == 0
    assert WAITING_TRIES < MAX_TRIES


def test_a_place_is_left_however_the_pull_ends() -> None:
    left: list[str] = []

    class Counted(NoLimit):
        def leave(self, dataset: Dataset, holder: str) -> None:
            left.append(f"{dataset.name} {holder}")

    rig = Rig([ROW])
    rig.worker(places=Counted()).work(a_delivery())
    rig = Rig([ROW])
    rig.landing.put = rig.landing.open = _refuse  # type: ignore[method-assign,assignment]  # from now on
    with pytest.raises(OSError, match="no bucket"):
        rig.worker(places=Counted()).work(a_delivery())
    assert left == ["cats m1", "cats m1"]
