"""`make kills`: pulls are killed at random moments of their work, many times.

Each hour a dataset is pulled through a proxy that counts the pull's calls to AWS and,
at a random one or a moment later, has its process killed with SIGKILL: in the middle of
a page, of an upload, of a commit; now and then before its first call. (It counts, since
by the clock all kills of a busy machine would fall where time passes most.) The message
comes again once its visibility is over, and may be killed again, until it is a dead
letter; or the sweep of a check comes first. In the end, once no message is left, each
dataset is pulled undisturbed, and upstream, landing zone and table are compared row for
row, by key and content.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import orjson

from lambdas.core.names import pulls_queue_name
from lambdas.core.pull.run import RunStatus
from local.aws.fabric import Fabric
from local.aws.invoke import FunctionHost, Invocation
from local.scenarios.comparison import Comparison
from local.scenarios.flights_alone import flights_alone
from local.stack import ROOT, EmbeddedStack, read, synthesize
from local.upstream import Upstream, new_york_flights
from tests.local.embedded_world import PULL, World, fabric_of, pids_alive
from tests.local.killing_proxy import Call, KillingProxy

DATASETS = ("flights", "weather")
PULLS = pulls_queue_name("dev")
STARTS = datetime(2013, 1, 1, 12, tzinfo=UTC)
HIDDEN = timedelta(minutes=17)
"""A killed function's message: its 15 minutes, and two more."""
UNTOUCHED = timedelta(minutes=95)
"""A message that no function has touched: the queue's visibility, and a little more."""
SETTLED_AFTER = 10
"""Times that a message which no function has touched may come again."""
SWEPT = 0.25
"""How often a check comes before the message."""
EARLY = 0.05
"""How often a pull is killed before its first call."""
AGAIN = 0.4
"""How often a killed message is hunted again when it comes again."""
WARM_PULLS = 3
"""Of which the time is taken before the kills."""
MAX_RUNS = 10_000
PROGRESS = 20


class Moment(StrEnum):
    """Where a kill fell."""

    UNBEGUN = "before its run had begun"
    BEFORE = "before the run was recorded"
    COMMITTING = "while it was committing"
    AFTER = "after it had landed"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the kills came to."""

    fell: Counter[Moment] = field(default_factory=Counter)
    sent: int = 0
    """Ticks that were queued."""
    deliveries: int = 0
    again: int = 0
    """Deliveries that were not a message's first."""
    dead: int = 0
    """Messages that were given up: killed at each of their deliveries."""
    landed: int = 0
    """Runs that landed."""
    missed: int = 0
    """Pulls that had ended before their kill came."""
    waited: int = 0
    """Ticks that waited behind a message which was still hidden."""
    swept: int = 0
    """Runs that a check's sweep completed."""
    compared: list[Comparison] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many there were, each of a process that had a message."""
        return sum(self.fell.values())


class Pace(NamedTuple):
    """How many calls a pull makes, and the seconds that pass from one to the next."""

    calls: int
    between_s: float


class Assassin:
    """Kills the pulls of a world at random moments. Not for two threads at once."""

    def __init__(
        self,
        world: World,
        *,
        host: FunctionHost,
        proxy: KillingProxy,
        kill: Callable[[], None],
        seed: int,
    ) -> None:
        """`kill` ends every process of the pull function."""
        self._world = world
        self._host = host
        self._proxy = proxy
        self._kill = kill
        self._rng = random.Random(seed)
        self._fabric: Fabric = fabric_of(world.stack, now=world.now, host=host)
        self._cold = self._warm = Pace(calls=0, between_s=0.0)
        """Of a pull in a new process, and in one that has pulled before."""
        self.tally = Tally()

    def run(
        self,
        kills: int,
        *,
        minutes: float = 60.0,
        progress: Callable[[Tally], None] | None = None,
    ) -> Tally:
        """Kill so often, or for so long, then look at the rows."""
        end_s = time.monotonic() + 60 * minutes
        self._cold = self._undisturbed()
        self._warm = max(self._undisturbed() for _ in range(WARM_PULLS))
        while self.tally.kills < kills and time.monotonic() < end_s:
            self._hour()
            if progress is not None:
                progress(self.tally)
        self._settle()
        self._judge()
        return self.tally

    def _undisturbed(self) -> Pace:
        """What a pull is like that nobody kills."""
        calls: list[float] = []

        def watch(_: Call) -> bool:
            calls.append(time.monotonic())
            return False

        self._next_hour()
        self._proxy.arm(watch)
        self._drain()
        self._proxy.disarm()
        between_s = (calls[-1] - calls[0]) / len(calls)
        return Pace(calls=len(calls), between_s=between_s)

    def _hour(self) -> None:
        """One tick, hunted; then its message comes again, hunted or not."""
        dataset = self._next_hour()
        seen = self._hunt()
        if not any(_dataset_of(one) == dataset for one in seen):
            self.tally.waited += 1
        elif not _were_killed(seen):
            self.tally.missed += 1
        while _were_killed(seen):
            if self._rng.random() < SWEPT:
                self._check(dataset)
            self._world.move(self._world.now + HIDDEN)
            is_hunted = self._rng.random() < AGAIN
            seen = self._hunt() if is_hunted else self._drain()
        self._left_nothing(seen)

    def _hunt(self) -> list[Invocation]:
        """Deliver what is due, and kill what is at work at a random moment: so many of
        its calls after its first, and a part of the time that lies between two.
        """
        if self._rng.random() < EARLY:
            self._proxy.arm(lambda _: True, early=True)
            seen = self._drain()
            self._proxy.disarm()
            return seen
        timers: list[threading.Timer] = []
        is_warm = pids_alive(self._host.pids(self._world.function(PULL)))
        pace = self._warm if is_warm else self._cold
        calls = itertools.count()
        last = self._rng.randint(0, pace.calls)
        delay_s = self._rng.uniform(0, pace.between_s)

        def begin(_: Call) -> bool:
            if next(calls) == last:
                timers.append(threading.Timer(delay_s, self._kill))
                timers[0].start()
            return False

        self._proxy.arm(begin)
        seen = self._drain()
        self._proxy.disarm()
        for timer in timers:
            timer.cancel()
            timer.join()
        return seen

    def _drain(self) -> list[Invocation]:
        """Deliver what is due; the pulls that it came to, all counted."""
        self._host.invocations.clear()
        self._fabric.drain(self._world.now)
        every = list(self._host.invocations)
        seen = [one for one in every if one.function == "pull"]
        self.tally.deliveries += len(seen)
        self.tally.again += sum(_receives(one) > 1 for one in seen)
        for one in every:
            if one.error is not None and not _were_killed([one]):
                self.tally.faults.append(str(one.error))
        for one in seen:
            if _were_killed([one]):
                self.tally.fell[self._moment(_dataset_of(one))] += 1
        return seen

    def _left_nothing(self, seen: Sequence[Invocation]) -> None:
        """Whoever was pulled undisturbed has completed what was left before."""
        for dataset in {_dataset_of(one) for one in seen if one.error is None}:
            state = self._world.state().read(dataset)
            if state.committing is not None:
                self.tally.faults.append(f"{dataset}: {state.committing} is left")

    def _check(self, dataset: str) -> None:
        world = self._world
        was_committing = world.state().read(dataset).committing
        world.check()
        self.tally.swept += was_committing is not None

    def _next_hour(self) -> str:
        world = self._world
        world.move(world.now.replace(minute=5) + timedelta(hours=1))
        dataset = self._rng.choice(DATASETS)
        self._send(dataset)
        return dataset

    def _send(self, dataset: str) -> None:
        self._world.send(dataset)
        self.tally.sent += 1

    def _moment(self, dataset: str) -> Moment:
        state = self._world.state()
        if state.read(dataset).committing is not None:
            return Moment.COMMITTING
        since = self._world.now - timedelta(minutes=1)
        newest = [
            run.status
            for run in state.latest_runs(dataset, 1)
            if run.started_at >= since
        ]
        if not newest:
            return Moment.UNBEGUN
        return Moment.AFTER if newest == [RunStatus.LANDED] else Moment.BEFORE

    def _settle(self) -> None:
        """Let time pass, with no more kills, until every message has had its end."""
        world = self._world
        for _ in range(SETTLED_AFTER):
            if not self._messages(PULLS):
                return
            world.move(world.now + UNTOUCHED)
            self._drain()
        self.tally.faults.append(f"{self._messages(PULLS)} messages never end")

    def _messages(self, queue: str) -> int:
        """In the queue of that name, hidden ones too."""
        sqs = self._world.stack.cloud.client("sqs")
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        every = self._world.stack.deployment.physical_ids("AWS::SQS::Queue")
        (url,) = (one for one in every if queue in one)
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[*names])
        return sum(int(count) for count in found["Attributes"].values())

    def _judge(self) -> None:
        """Pull each dataset undisturbed, as its next tick does, and compare."""
        world, tally = self._world, self.tally
        for dataset in DATASETS:
            self._send(dataset)
        self._drain()
        tally.dead = self._messages("-DeadPulls")
        tally.faults += world.state().committing_datasets()
        for dataset in DATASETS:
            runs = world.state().latest_runs(dataset, MAX_RUNS)
            tally.landed += sum(run.status is RunStatus.LANDED for run in runs)
            compared = world.compared(dataset)
            tally.compared.append(compared)
            tally.faults += [f"{dataset}: {fault}" for fault in compared.faults]
            if not compared.upstream == compared.landed == compared.table > 0:
                tally.faults.append(f"{dataset}: {compared}")


def _were_killed(seen: Sequence[Invocation]) -> bool:
    return any(one.error is not None and "SIGKILL" in str(one.error) for one in seen)


def _record(invocation: Invocation) -> dict[str, Any]:
    """The one message of a pull."""
    event: Any = invocation.event
    (record,) = event["Records"]
    return dict(record)


def _dataset_of(invocation: Invocation) -> str:
    return str(orjson.loads(_record(invocation)["body"])["dataset"])


def _receives(invocation: Invocation) -> int:
    return int(_record(invocation)["attributes"]["ApproximateReceiveCount"])


@contextmanager
def assassin_of(world: World, *, logs: Path, seed: int) -> Iterator[Assassin]:
    """Somebody who kills the pulls of a world, through a proxy of their own."""
    cloud, pull = world.stack.cloud, world.function(PULL)

    def kill() -> None:
        for pid in host.pids(pull):
            os.kill(pid, signal.SIGKILL)

    with KillingProxy(cloud.endpoint_url, kill=kill) as proxy:
        host = FunctionHost(
            cloud,
            bundle_root=ROOT,
            log_dir=logs,
            extra_environment={
                **world.stack.host.environment(pull),
                "AWS_ENDPOINT_URL": proxy.url,
            },
        )
        try:
            yield Assassin(world, host=host, proxy=proxy, kill=kill, seed=seed)
        finally:
            host.stop()


@contextmanager
def a_world(folder: Path, *, hours: int) -> Iterator[World]:
    """A stack on the embedded AWS and Snowflake, with real data for so long."""
    root = flights_alone(folder / "project")
    synthesize(folder / "cdk.out", root=root)
    until = STARTS + timedelta(hours=hours)
    upstream: Upstream
    with closing(new_york_flights(folder, until=until)) as upstream:
        upstream.start()
        project = read(root, "dev", upstream_url=upstream.base_url)
        with EmbeddedStack(
            project=project, assembly=folder / "cdk.out", folder=folder, start=STARTS
        ) as stack:
            fabric = fabric_of(stack, now=STARTS)
            yield World(
                root=root, stack=stack, upstream=upstream, now=STARTS, fabric=fabric
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every row is there once, else 1."""
    parser = argparse.ArgumentParser(prog="make kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0, help="at most")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    began_s = time.monotonic()
    told = 0

    def progress(tally: Tally) -> None:
        nonlocal told
        if tally.kills - told >= PROGRESS:
            told = tally.kills
            _say(f"{told} kills, {time.monotonic() - began_s:.0f} s", to=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="catflap-kills-") as name:
        folder = Path(name)
        with (
            a_world(folder, hours=3 * given.kills + 48) as world,
            assassin_of(world, logs=folder / "logs", seed=given.seed) as assassin,
        ):
            tally = assassin.run(given.kills, minutes=given.minutes, progress=progress)
    for line in _report(tally):
        _say(line)
    _say(_summary(tally, seed=given.seed, took_s=time.monotonic() - began_s))
    for fault in tally.faults:
        _say(f"not as it must be: {fault}")
    return 1 if tally.faults else 0


def _report(tally: Tally) -> Iterator[str]:
    for moment in Moment:
        yield f"  {tally.fell[moment]:>5}  {moment}"
    yield f"  {tally.swept:>5}  completed by the sweep of a check"
    yield f"  {tally.missed:>5}  pulls ended before their kill came"
    yield f"  {tally.waited:>5}  ticks waited behind a hidden message"
    for one in tally.compared:
        yield (
            f"{one.dataset}: {one.upstream:,} rows upstream, {one.landed:,} landed, "
            f"{one.table:,} in the table"
        )


def _summary(tally: Tally, *, seed: int, took_s: float) -> str:
    """All of it in a line, for whoever keeps results."""
    rows = sum(one.upstream for one in tally.compared)
    verdict = f"{len(tally.faults)} faults" if tally.faults else "none lost, none twice"
    return (
        f"seed {seed}: {tally.kills} kills in {took_s:.0f} s; {tally.sent} ticks, "
        f"{tally.deliveries} deliveries ({tally.again} of them again), {tally.dead} "
        f"dead letters, {tally.landed} runs landed; {rows:,} rows compared: {verdict}"
    )


def _say(line: str, *, to: TextIO | None = None) -> None:
    out = to or sys.stdout
    out.write(f"{line}\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
