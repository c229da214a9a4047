"""What the embedded stack starts ends with it, and with whoever started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.stack import ROOT
from tests.local.embedded_world import pids_alive
from tests.synthesis import Synthesized

PATIENCE_S = 120.0

PROGRAM = """
import json, subprocess, sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

started = []

class Recorded(subprocess.Popen):
    def __init__(self, *positional, **named):
        super().__init__(*positional, **named)
        started.append(self)

subprocess.Popen = Recorded

from local.stack import EmbeddedStack, read
from local.upstream import WEATHER, Upstream

root, assembly, folder = map(Path, sys.argv[1:])
start = datetime(2013, 1, 1, 12, tzinfo=UTC)
with closing(Upstream(folder)) as upstream:
    upstream.add("weather", WEATHER, [])
    upstream.start()
    project = read(root, "dev", upstream_url=upstream.base_url)
    with EmbeddedStack(
        project=project, assembly=assembly, folder=folder, start=start
    ) as stack:
        stack.host.invoke(
            stack.deployment.function("lambdas.freshness.handler.handle"),
            {"reason": "schedule", "due_at": start.isoformat()},
            now=start,
        )
        running = {
            " ".join(map(str, one.args)): one.pid
            for one in started
            if one.poll() is None
        }
        print(json.dumps(running), flush=True)
        sys.stdin.readline()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A process with an embedded stack, and what that started."""

    process: subprocess.Popen[str]
    children: dict[str, int]

    def left_after(self, seconds: float) -> list[str]:
        """What still runs when all had that time to end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and pids_alive(list(self.children.values())):
            time.sleep(0.05)
        alive = pids_alive(list(self.children.values()))
        return [name for name, pid in self.children.items() if pid in alive]


@pytest.fixture(scope="module")
def two(
    calm: Synthesized, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Started]]:
    """Two stacks, started side by side."""
    processes = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        processes.append(
            subprocess.Popen(  # noqa: S603 - our own program, no shell
                [
                    sys.executable,
                    "-c",
                    PROGRAM,
                    str(calm.root),
                    str(calm.assembly),
                    str(folder),
                ],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    started = []
    for process in processes:
        assert process.stdout is not None
        children = json.loads(process.stdout.readline())
        started.append(Started(process=process, children=children))
    yield started
    for one in started:
        for pid in pids_alive(list(one.children.values())):
            os.kill(pid, signal.SIGKILL)
        one.process.kill()
        one.process.wait()
        for stream in (one.process.stdin, one.process.stdout):
            if stream is not None:
                stream.close()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux's /proc")
def test_everything_ends_with_the_stack_and_with_its_killed_parent(
    two: list[Started],
) -> None:
    for one in two:
        names = "\n".join(one.children)
        for part in ("cloud_server", "snowflake.server", "datasette", "invoke_child"):
            assert part in names
        assert len(pids_alive(list(one.children.values()))) == len(one.children)
    orderly, killed = two
    killed.process.kill()
    assert killed.process.wait(PATIENCE_S) == -signal.SIGKILL
    assert killed.left_after(PATIENCE_S) == []
    assert orderly.process.stdin is not None
    orderly.process.stdin.write("\n")
    orderly.process.stdin.flush()
    assert orderly.process.wait(PATIENCE_S) == 0
    assert orderly.left_after(0.0) == []
