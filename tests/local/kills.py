"""`make kills`: pulls are killed at random moments of their work, many times.

Each hour a dataset is pulled through a proxy that notices the pull's first call to AWS
and, a random time later, has its process killed with SIGKILL: in the middle of a page,
of an upload, of a commit. The message comes again once its visibility is over, or the
sweep of a check comes first. In the end upstream, landing zone and table are compared
row for row, by key and content.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from lambdas.core.run import RunStatus
from local.fabric import Fabric
from local.stack import ROOT, EmbeddedStack, Functions, read, synthesize
from local.upstream import Upstream, new_york_flights
from tests.local.embedded_world import PULL, World, fabric_of
from tests.local.killing_proxy import Call, KillingProxy

DATASETS = ("flights", "weather")
STARTS = datetime(2013, 1, 1, 12, tzinfo=UTC)
HIDDEN = timedelta(minutes=17)
"""A killed function's message: its 15 minutes, and two more."""
UNTOUCHED = timedelta(minutes=95)
"""A message that no function has touched: the queue's visibility, and a little more."""
SWEPT = 0.25
"""How often a check comes before the message."""
UNDISTURBED = 4


class Moment(StrEnum):
    """Where a kill fell."""

    BEFORE = "before the run was recorded"
    COMMITTING = "while it was committing"
    AFTER = "after it had landed"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the kills came to."""

    fell: Counter[Moment] = field(default_factory=Counter)
    missed: int = 0
    """Pulls that had ended before their kill came."""
    swept: int = 0
    """Runs that a check's sweep completed."""
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many there were."""
        return sum(self.fell.values())


class Assassin:
    """Kills the pulls of a world at random moments. Not for two threads at once."""

    def __init__(
        self, world: World, *, host: Functions, proxy: KillingProxy, seed: int
    ) -> None:
        self._world = world
        self._host = host
        self._proxy = proxy
        self._rng = random.Random(seed)
        self._fabric: Fabric = fabric_of(world.stack, now=world.now, host=host)
        self.tally = Tally()

    def run(self, kills: int, *, minutes: float = 60.0) -> Tally:
        """Kill so often, or for so long, then look at the rows."""
        end_s = time.monotonic() + 60 * minutes
        took_s = statistics.median(self._undisturbed() for _ in range(UNDISTURBED))
        while self.tally.kills < kills and time.monotonic() < end_s:
            self._hour(took_s)
        self._judge()
        return self.tally

    def _undisturbed(self) -> float:
        """Seconds from a pull's first call to its end."""
        calls: list[float] = []

        def watch(_: Call) -> bool:
            calls.append(time.monotonic())
            return False

        self._next_hour()
        self._proxy.arm(watch)
        self._fabric.drain(self._world.now)
        self._proxy.disarm()
        return calls[-1] - calls[0]

    def _hour(self, took_s: float) -> None:
        """One pull, killed if the kill comes before its end; then all is well again."""
        world = self._world
        dataset = self._next_hour()
        timers: list[threading.Timer] = []

        def begin(_: Call) -> bool:
            if not timers:
                delay_s = self._rng.uniform(0, 1.1 * took_s)
                timers.append(threading.Timer(delay_s, self._kill))
                timers[0].start()
            return False

        self._host.invocations.clear()
        self._proxy.arm(begin)
        self._fabric.drain(world.now)
        self._proxy.disarm()
        for timer in timers:
            timer.cancel()
            timer.join()
        errors = [one.error for one in self._host.invocations if one.error is not None]
        self.tally.faults += [str(one) for one in errors if "SIGKILL" not in str(one)]
        if not errors:
            self.tally.missed += 1
            return
        self.tally.fell[self._moment(dataset)] += 1
        if self._rng.random() < SWEPT:
            was_committing = world.state().read(dataset).committing
            world.check()
            self.tally.swept += was_committing is not None
        world.move(world.now + HIDDEN)
        self._fabric.drain(world.now)
        state = world.state().read(dataset)
        if state.committing is not None:
            self.tally.faults.append(f"{dataset}: {state.committing} is left")

    def _next_hour(self) -> str:
        world = self._world
        world.move(world.now.replace(minute=5) + timedelta(hours=1))
        dataset = self._rng.choice(DATASETS)
        world.send(dataset)
        return dataset

    def _kill(self) -> None:
        for pid in self._host.pids(self._world.function(PULL)):
            os.kill(pid, signal.SIGKILL)

    def _moment(self, dataset: str) -> Moment:
        state = self._world.state()
        if state.read(dataset).committing is not None:
            return Moment.COMMITTING
        newest = state.latest_runs(dataset, 1)
        since = self._world.now - timedelta(minutes=1)
        has_landed = [
            run
            for run in newest
            if run.status is RunStatus.LANDED and run.started_at >= since
        ]
        return Moment.AFTER if has_landed else Moment.BEFORE

    def _judge(self) -> None:
        """Pull once more undisturbed, and compare."""
        world = self._world
        # A process that was killed between two messages takes the next one with it
        # before that is hidden for less: it comes again after the queue's 90 minutes.
        world.move(world.now + UNTOUCHED)
        self._fabric.drain(world.now)
        for dataset in DATASETS:
            world.send(dataset)
        self._fabric.drain(world.now)
        self.tally.faults += world.state().committing_datasets()
        for dataset in DATASETS:
            compared = world.compared(dataset)
            self.tally.faults += [f"{dataset}: {fault}" for fault in compared.faults]
            if not compared.upstream == compared.landed == compared.table > 0:
                self.tally.faults.append(f"{dataset}: {compared}")


@contextmanager
def assassin_of(world: World, *, logs: Path, seed: int) -> Iterator[Assassin]:
    """Somebody who kills the pulls of a world, through a proxy of their own."""
    cloud, pull = world.stack.cloud, world.function(PULL)
    # It kills by itself: the proxy only tells when a pull makes its first call.
    with KillingProxy(cloud.endpoint_url, kill=lambda: None) as proxy:
        host = Functions(
            cloud,
            bundle_root=ROOT,
            log_dir=logs,
            extra_environment={
                **world.stack.host.environment(pull),
                "AWS_ENDPOINT_URL": proxy.url,
            },
        )
        try:
            yield Assassin(world, host=host, proxy=proxy, seed=seed)
        finally:
            host.stop()


@contextmanager
def a_world(folder: Path, *, hours: int) -> Iterator[World]:
    """A stack on the embedded AWS and Snowflake, with real data for so long."""
    synthesize(folder / "cdk.out")
    until = STARTS + timedelta(hours=hours)
    upstream: Upstream
    with closing(new_york_flights(folder, until=until)) as upstream:
        upstream.start()
        project = read(ROOT, "dev", upstream_url=upstream.base_url)
        with EmbeddedStack(
            project=project, assembly=folder / "cdk.out", folder=folder, start=STARTS
        ) as stack:
            fabric = fabric_of(stack, now=STARTS)
            yield World(stack=stack, upstream=upstream, now=STARTS, fabric=fabric)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every row is there once, else 1."""
    parser = argparse.ArgumentParser(prog="make kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0, help="at most")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="catflap-kills-") as name:
        folder = Path(name)
        with (
            a_world(folder, hours=3 * given.kills + 48) as world,
            assassin_of(world, logs=folder / "logs", seed=given.seed) as assassin,
        ):
            tally = assassin.run(given.kills, minutes=given.minutes)
            compared = [world.compared(dataset) for dataset in DATASETS]
    out = sys.stdout
    out.write(f"{tally.kills} kills in {time.monotonic() - began_s:.0f} s\n")
    for moment in Moment:
        out.write(f"  {tally.fell[moment]:>5}  {moment}\n")
    out.write(f"  {tally.swept:>5}  completed by the sweep of a check\n")
    out.write(f"  {tally.missed:>5}  pulls ended before their kill came\n")
    for one in compared:
        out.write(
            f"{one.dataset}: {one.upstream:,} rows upstream, {one.landed:,} landed, "
            f"{one.table:,} in the table\n"
        )
    for fault in tally.faults:
        out.write(f"not as it must be: {fault}\n")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
