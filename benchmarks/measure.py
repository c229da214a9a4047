"""Running a program and weighing it: seconds on the wall, megabytes at the peak."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one run took."""

    seconds: float
    cpu: float
    megabytes: float


class RunFailedError(RuntimeError):
    """A measured program ended with an error: there is nothing to compare."""


def weigh(command: Sequence[str], log: Path) -> Measurement:
    """Run `command` to its end. Raises RunFailedError with its last words."""
    weight, code = ran(command, log)
    if code != 0:
        raise RunFailedError(
            f"{' '.join(command)} ended with {code}:\n"
            f"{log.read_text(errors='replace')[-2000:]}"
        )
    return weight


def ran(
    command: Sequence[str], log: Path, folder: Path | None = None
) -> tuple[Measurement, int]:
    """The same, in a folder of its own, with the exit code.

    A small process starts it: Linux counts what the process that starts another has in
    memory as the other's peak (`ru_maxrss` outlives execve), and this one has a lot.
    """
    starter = [sys.executable, __file__, str(log), *command]
    said = subprocess.run(starter, cwd=folder, stdout=subprocess.PIPE, check=True)
    seconds, cpu, megabytes, code = json.loads(said.stdout)
    return Measurement(seconds=seconds, cpu=cpu, megabytes=megabytes), code


def _start(log: str, command: Sequence[str]) -> tuple[float, float, float, int]:
    """Seconds on the wall and of CPU, megabytes and exit code of a command."""
    with Path(log).open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    return seconds, cpu, usage.ru_maxrss / 1024, process.returncode


def interleaved(
    contenders: Mapping[str, Callable[[int], Measurement]], *, rounds: int
) -> dict[str, Measurement]:
    """The medians of `rounds` runs each, in turn: a slow minute hits all alike."""
    runs: dict[str, list[Measurement]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            runs[name].append(run(number))
            last = runs[name][-1]
            print(
                f"  round {number + 1}/{rounds} {name:12} {last.seconds:7.2f} s "
                f"{last.megabytes:6.0f} MB",
                flush=True,
            )
    return {
        name: Measurement(
            seconds=statistics.median(weight.seconds for weight in weights),
            cpu=statistics.median(weight.cpu for weight in weights),
            megabytes=statistics.median(weight.megabytes for weight in weights),
        )
        for name, weights in runs.items()
    }


if __name__ == "__main__":
    print(json.dumps(_start(sys.argv[1], sys.argv[2:])))
