"""A pull is killed in the middle of its commit: no row is lost, none lands twice.

It dies between recording its run and completing its uploads, or between completing
them and moving the cursor. The run is rolled forward by the message, which comes
again, or before that by the sweep of a freshness check.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import orjson
import pytest

from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.incidents.incident import Incident, Recipient
from lambdas.core.pull.run import DatasetState, RunStatus
from local.aws.fabric import Fabric
from local.aws.invoke import FunctionHost
from local.stack import ROOT
from stacks.ingestion import MAX_RECEIVES
from tests.local.embedded_world import PULL, World, fabric_of, pids_alive
from tests.local.killing_proxy import Call, KillingProxy, begun, completed, recorded

DEAD_PULLS = "catflap-dev-ingestion-DeadPulls"
VISIBILITY = timedelta(minutes=90)
HIDDEN = timedelta(minutes=16)
"""A killed function's message: its 15 minutes, and one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """A world whose pulls go through the proxy."""

    world: World
    proxy: KillingProxy
    host: FunctionHost
    fabric: Fabric

    def pull_until_killed(
        self, fits: Callable[[Call], bool], *, early: bool = False
    ) -> DatasetState:
        """In the next hour flights are pulled and killed after the call that fits,
        or `early`, before it; what the state table says then.
        """
        world = self.world
        world.move(world.now.replace(minute=5) + timedelta(hours=1))
        world.send("flights")
        return self._drain_until_killed(fits, early=early)

    def pull_again_until_killed(self, fits: Callable[[Call], bool]) -> DatasetState:
        """As its message comes again."""
        self.world.move(self.world.now + HIDDEN + timedelta(minutes=1))
        return self._drain_until_killed(fits)

    def _drain_until_killed(
        self, fits: Callable[[Call], bool], *, early: bool = False
    ) -> DatasetState:
        world = self.world
        self.proxy.arm(fits, early=early)
        self.fabric.drain(world.now)
        assert not self.proxy.is_armed, "the call it was to die after never came"
        (invocation,) = self.host.invocations
        assert invocation.error is not None
        assert invocation.error.kind == "Runtime.ExitError"
        assert "SIGKILL" in invocation.error.message
        self.host.invocations.clear()
        return world.state().read("flights")


@pytest.fixture(scope="module")
def danger(
    embedded: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Danger]:
    pull = embedded.function(PULL)

    def kill() -> None:
        pids = host.pids(pull)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert len(pids) == 1

    with KillingProxy(embedded.stack.cloud.endpoint_url, kill=kill) as proxy:
        host = FunctionHost(
            embedded.stack.cloud,
            bundle_root=ROOT,
            log_dir=tmp_path_factory.mktemp("logs"),
            extra_environment={
                **embedded.stack.host.environment(pull),
                "AWS_ENDPOINT_URL": proxy.url,
            },
        )
        try:
            yield Danger(
                world=embedded,
                proxy=proxy,
                host=host,
                fabric=fabric_of(embedded.stack, now=embedded.now, host=host),
            )
        finally:
            host.stop()


def incident_of_flights(world: World) -> Incident | None:
    """The one that is open."""
    table = world.function(PULL).environment["STATE_TABLE"]
    dynamodb = world.stack.cloud.client("dynamodb")
    state = IncidentTable(dynamodb=dynamodb, table=table)
    return state.open_incident("flights")


def _is_whole(world: World, *, killed: int = 0) -> None:
    """Nothing is half-done, and the rows are upstream's, each once. `killed` is how
    many runs died before they were recorded.
    """
    assert world.state().committing_datasets() == []
    runs = world.state().latest_runs("flights", limit=100)
    statuses = Counter(run.status for run in runs)
    assert statuses.pop(RunStatus.RUNNING, 0) == killed
    assert set(statuses) == {RunStatus.LANDED}
    comparison = world.compared("flights")
    assert comparison.upstream > 20
    assert comparison.faults == ()
    assert comparison.upstream == comparison.landed == comparison.table


def test_the_same_pulls_undisturbed_go_through_the_proxy(danger: Danger) -> None:
    """So that what follows fails of the kill, and not of the proxy."""
    world = danger.world
    world.move(world.now + timedelta(minutes=5))
    world.send("flights")
    danger.fabric.drain(world.now)
    (invocation,) = danger.host.invocations
    assert invocation.error is None
    danger.host.invocations.clear()
    _is_whole(world)


@pytest.mark.parametrize(
    ("fits", "is_visible"),
    [(recorded, False), (completed, True)],
    ids=["before-completing", "before-the-cursor-moves"],
)
def test_its_message_comes_again_and_completes_it(
    danger: Danger, fits: Callable[[Call], bool], *, is_visible: bool
) -> None:
    world = danger.world
    before, objects = world.state().read("flights"), world.objects("flights")
    state = danger.pull_until_killed(fits)
    assert state.committing is not None
    assert state.cursor == before.cursor
    assert len(world.objects("flights")) == len(objects) + is_visible
    assert world.wait(HIDDEN - timedelta(minutes=1)) == 0
    assert world.state().read("flights").committing == state.committing
    assert world.wait(timedelta(minutes=2)) == 1
    after = world.state().read("flights")
    assert after.cursor != before.cursor
    assert len(world.objects("flights")) == len(objects) + 1
    _is_whole(world)


@pytest.mark.parametrize(
    ("fits", "is_visible"),
    [(recorded, False), (completed, True)],
    ids=["before-completing", "before-the-cursor-moves"],
)
def test_the_sweep_of_a_check_completes_it_before_its_message_comes(
    danger: Danger, fits: Callable[[Call], bool], *, is_visible: bool
) -> None:
    world = danger.world
    before, objects = world.state().read("flights"), world.objects("flights")
    state = danger.pull_until_killed(fits)
    assert state.committing is not None
    assert len(world.objects("flights")) == len(objects) + is_visible
    world.move(world.now + timedelta(minutes=5))
    assert world.check()["swept"] is True
    after = world.state().read("flights")
    assert after.committing is None
    assert after.cursor != before.cursor
    _is_whole(world)
    # The message comes all the same, and finds nothing to do.
    assert world.wait(HIDDEN) == 1
    assert world.state().read("flights").cursor == after.cursor
    assert len(world.objects("flights")) == len(objects) + 1
    _is_whole(world)


def test_a_pull_that_dies_before_its_first_call_waits_for_the_queues_own_visibility(
    danger: Danger,
) -> None:
    """Nobody had shortened it; a tick that comes meanwhile waits behind it."""
    world = danger.world
    before = world.state().read("flights")
    assert danger.pull_until_killed(lambda _: True, early=True) == before
    world.send("flights", due_at=world.now + timedelta(minutes=1))
    assert world.wait(VISIBILITY - timedelta(minutes=1)) == 0
    assert world.state().read("flights") == before
    assert world.wait(timedelta(minutes=2)) == 2
    assert world.state().read("flights").cursor != before.cursor
    _is_whole(world)


def test_a_pull_that_is_killed_at_each_delivery_is_a_dead_letter_and_loses_no_row(
    danger: Danger,
) -> None:
    """It is a risk before it is dead, and late in the same incident after that; the
    next tick pulls on from the cursor.
    """
    world = danger.world
    world.check()
    assert incident_of_flights(world) is None
    before, objects = world.state().read("flights"), world.objects("flights")
    sqs = world.stack.cloud.client("sqs")
    (dead,) = sqs.list_queues(QueueNamePrefix=DEAD_PULLS)["QueueUrls"]
    danger.pull_until_killed(begun)
    for _ in range(MAX_RECEIVES - 1):
        danger.pull_again_until_killed(begun)
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)
    world.check()
    risk = incident_of_flights(world)
    assert risk is not None
    assert (risk.kind, risk.cause, risk.page) == ("at_risk", "pull_failed", False)
    assert risk.told == (Recipient.ENGINEERS,)
    assert risk.headline == f"flights at risk: the last {MAX_RECEIVES} pulls failed"
    assert world.wait(HIDDEN + timedelta(minutes=1)) == 0
    (letter,) = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert orjson.loads(letter["Body"])["dataset"] == "flights"
    assert world.state().read("flights").cursor == before.cursor
    assert world.objects("flights") == objects
    world.move(world.now + timedelta(hours=6))
    world.check()
    late = incident_of_flights(world)
    assert late is not None
    assert (late.incident_id, late.kind) == (risk.incident_id, "late")
    assert (late.cause, late.page) == ("pull_not_run", True)
    world.move(world.now.replace(minute=5) + timedelta(hours=1))
    world.send("flights")
    danger.fabric.drain(world.now)
    after = world.state().read("flights")
    assert after.cursor != before.cursor
    _is_whole(world, killed=MAX_RECEIVES)
    world.check()
    assert incident_of_flights(world) is None
    # Queued again, it finds that all it asked for was fetched.
    sqs.send_message(
        QueueUrl=world.function(PULL).environment["PULLS_QUEUE_URL"],
        MessageBody=letter["Body"],
        MessageGroupId="flights",
        MessageDeduplicationId="queued-again",
    )
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    assert world.wait(timedelta(minutes=1)) == 1
    assert world.state().read("flights").cursor == after.cursor
    _is_whole(world, killed=MAX_RECEIVES)


def test_the_killed_processes_are_gone(danger: Danger) -> None:
    pids = danger.host.pids(danger.world.function(PULL))
    assert pids_alive(pids) == pids
    danger.host.stop()
    assert pids_alive(pids) == []
