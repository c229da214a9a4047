"""Backfills in a process of their own, and when they have noticed a Ctrl-C."""

from __future__ import annotations

import subprocess
import sys

from cli.backfill.progress import STOPPING

PATIENT = """
from cli.backfill import here
from cli.main import main
here.GRACE_S = 600.0
main()
"""
"""`catflap`, which waits for its slices however slow the machine is."""


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    return subprocess.Popen(  # noqa: S603 - our own command, no shell
        [sys.executable, "-c", PATIENT, "backfill", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def said_that_it_ends(process: subprocess.Popen[bytes]) -> bool:
    """Waits for the line which says that the first Ctrl-C was noticed."""
    assert process.stderr is not None
    return any(STOPPING.encode() in line for line in process.stderr)
