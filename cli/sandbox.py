"""Looking at a Python source without trusting it: a child process imports it.

The child has no network, writes no file, starts no process, does not sleep, sees no
environment, and ends after `CPU_SECONDS` of work and `MEGABYTES` of memory. It is a
fence against accidents (code at the top of a file that fetches, writes or hangs), not a
prison for an attacker: what is in `sources/` runs with the pull's own rights anyway.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lambdas.core.rules.dataset import PYTHON_SOURCE

CPU_SECONDS = 10
"""Of the file's own work: how long that takes is the machine's affair."""

WAIT_SECONDS = 120
"""In all, for what waits and does not work."""

MEGABYTES = 1024
_CHILD = Path(__file__).with_name("sandbox_child.py")
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFinding:
    """`sentence` is what is wrong, with file and line; None if nothing is."""

    sentence: str | None


def look_at(reference: str, *, root: Path) -> SandboxFinding:
    """Whether `sources/foo.py:pages`, below `root`, is a generator of pages."""
    match = PYTHON_SOURCE.fullmatch(reference)
    if match is None:
        return SandboxFinding(sentence=None)  # said by the rules of the file already
    place = match[1]
    if not (root / place).is_file():
        return SandboxFinding(
            sentence=f"there is no {place} in {root}; accepted: a file in sources/"
        )
    command = [sys.executable, "-I", str(_CHILD), str(_ROOT), str(root), reference]
    command += [str(CPU_SECONDS), str(MEGABYTES)]
    try:
        done = subprocess.run(  # noqa: S603 - our own script, in a fence of its own
            command,
            cwd="/",
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return SandboxFinding(sentence=_too_long(place))
    last = done.stdout.rpartition(b"\n")[2]
    try:
        answer: object = json.loads(last)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return SandboxFinding(
            sentence=_too_long(place)
            if done.returncode < 0
            else f"{place} ended Python (status {done.returncode}) while it was "
            "imported; accepted: a file that only defines"
        )
    sentence = answer.get("wrong")
    return SandboxFinding(sentence=str(sentence) if sentence else None)


def _too_long(place: str) -> str:
    return (
        f"{place} was not imported within {CPU_SECONDS} s of work, {WAIT_SECONDS} s in "
        f"all and {MEGABYTES} MB; accepted: a file that only defines, and does its "
        "work in the generator"
    )
