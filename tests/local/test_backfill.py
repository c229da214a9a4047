"""A backfill by the deployed pull function: queued, interrupted, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.names import backfills_queue_name
from local.stack import ROOT, EmbeddedStack, read
from local.upstream import FLIGHTS, Upstream, read_rows
from tests.local.embedded_world import PULL, World, fabric_of
from tests.synthesis import Synthesized

DAYS = 8
END = datetime(2013, 1, 1 + DAYS, tzinfo=UTC)
STARTS = END + timedelta(hours=1)
WINDOW = ["--from", "2013-01-01T00:00:00Z", "--to", f"{END:%Y-%m-%d}T00:00:00Z"]
PATIENCE_S = 300.0


@pytest.fixture(scope="module")
def days(
    calm: Synthesized, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A stack that begins when the flights of eight days are there."""
    folder = tmp_path_factory.mktemp("days")
    with closing(Upstream(folder)) as upstream:
        rows = list(read_rows("flights.csv.zip", FLIGHTS, until=END))
        upstream.add("flights", FLIGHTS, rows)
        upstream.start()
        upstream.release(STARTS)
        project = read(calm.root, "dev", upstream_url=upstream.base_url)
        with EmbeddedStack(
            project=project, assembly=calm.assembly, folder=folder, start=STARTS
        ) as stack:
            yield World(
                root=calm.root,
                stack=stack,
                upstream=upstream,
                now=STARTS,
                fabric=fabric_of(stack, now=STARTS),
            )


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A person's shell, in which `catflap backfill` runs beside the functions."""

    world: World

    @contextmanager
    def backfilling(self, *more: str) -> Iterator[subprocess.Popen[bytes]]:
        cloud = self.world.stack.cloud
        access_key, secret_key = cloud.administrator_keys()
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            [
                *(sys.executable, "-m", "cli", "backfill", "flights", *WINDOW),
                *("--json", *more),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                "AWS_ENDPOINT_URL": cloud.endpoint_url,
                "AWS_ACCESS_KEY_ID": access_key,
                "AWS_SECRET_ACCESS_KEY": secret_key,
                "CATFLAP_NOW": self.world.now.isoformat(),
            },
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def ended(self, process: subprocess.Popen[bytes]) -> tuple[int, Any, str]:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert b"Traceback" not in err, err
        return process.returncode, json.loads(out), err.decode()

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def queued(self) -> int:
        sqs = self.world.stack.cloud.client("sqs")
        url = self.world.function(PULL).environment["BACKFILLS_QUEUE_URL"]
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        found: Mapping[str, str] = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=names
        )["Attributes"]
        return sum(int(count) for count in found.values())


@pytest.fixture(scope="module")
def shell(days: World) -> Shell:
    return Shell(world=days)


def rename(world: World, before: str, after: str) -> None:
    """What upstream calls a table; it knows no other name."""
    with closing(sqlite3.connect(world.upstream.path)) as database:
        database.execute(f"alter table {before} rename to {after}")


# The tests below are one story, in their order.


def test_a_window_is_queued_in_slices_and_a_person_may_stop_watching(
    shell: Shell,
) -> None:
    with shell.backfilling("--slice", "P1D") as process:
        shell.until(lambda: shell.queued() == DAYS)
        process.send_signal(signal.SIGINT)
        code, document, err = shell.ended(process)
    assert (code, document["status"], document["pending"]) == (130, "interrupted", DAYS)
    assert "the same command watches them again" in err
    assert shell.world.objects("flights") == []


def test_the_same_command_goes_on_and_the_window_lands_once(shell: Shell) -> None:
    world = shell.world
    before = world.state().read("flights")
    with shell.backfilling("--slice", "P1D") as process:
        # As many messages again: what they ask for has landed when they come.
        shell.until(lambda: shell.queued() == 2 * DAYS)
        world.fabric.drain(world.now)
        code, document, _ = shell.ended(process)
    assert (code, document["status"], document["landed"]) == (0, "succeeded", DAYS)
    assert world.stack.failures() == []
    assert document["rows"] == len(world.upstream.tables["flights"].released())
    assert len(world.objects("flights")) == DAYS
    assert world.state().read("flights") == before
    assert world.state().latest_runs("flights", limit=10) == []
    comparison = world.compared("flights")
    assert comparison.upstream > 6_000
    assert comparison.faults == ()
    assert comparison.upstream == comparison.landed == comparison.table


def test_done_twice_it_asks_for_nothing_and_adds_nothing(shell: Shell) -> None:
    invocations = shell.world.fabric.counters.invocations
    with shell.backfilling("--slice", "P1D") as process:
        code, document, _ = shell.ended(process)
    assert (code, document["landed"]) == (0, DAYS)
    shell.world.fabric.drain(shell.world.now)
    assert shell.world.fabric.counters.invocations == invocations


def test_slices_were_pulled_side_by_side(shell: Shell) -> None:
    pids = shell.world.stack.host.pids(shell.world.function(PULL))
    assert len(pids) == 4


def test_a_slice_that_upstream_refuses_is_named_by_the_command(shell: Shell) -> None:
    world = shell.world
    rename(world, "flights", "elsewhere")
    with shell.backfilling("--slice", "P4D") as process:
        shell.until(lambda: shell.queued() == 2)
        for _ in range(4):
            world.wait(timedelta(minutes=20))
        code, document, err = shell.ended(process)
    assert (code, document["status"], document["failed"]) == (3, "failed", 2)
    assert {one["error"]["kind"] for one in document["slices"]} == {"http"}
    assert "slice " in err
    assert shell.queued() == 0
    rename(world, "elsewhere", "flights")
    with shell.backfilling("--slice", "P4D") as process:
        shell.until(lambda: shell.queued() == 2)
        world.fabric.drain(world.now)
        code, document, _ = shell.ended(process)
    assert (code, document["landed"]) == (0, 2)


def test_the_queue_of_the_template_is_the_one_that_is_named(shell: Shell) -> None:
    url = shell.world.function(PULL).environment["BACKFILLS_QUEUE_URL"]
    assert url.endswith(f"/{backfills_queue_name('dev')}")
