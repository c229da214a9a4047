"""Running a program and weighing it: seconds on the wall, megabytes at the peak."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one run took."""

    seconds: float
    megabytes: float


class RunFailedError(RuntimeError):
    """A measured program ended with an error: there is nothing to compare."""


def weigh(command: Sequence[str], log: Path) -> Measurement:
    """Run `command` to its end. Raises RunFailedError with its last words."""
    with log.open("wb") as out:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RunFailedError(
            f"{' '.join(command)} ended with {process.returncode}:\n"
            f"{log.read_text(errors='replace')[-2000:]}"
        )
    return Measurement(seconds=seconds, megabytes=usage.ru_maxrss / 1024)


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
            megabytes=statistics.median(weight.megabytes for weight in weights),
        )
        for name, weights in runs.items()
    }
