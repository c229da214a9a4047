"""The templates of dev, synthesized once for all workers of a run."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from local.stack import synthesize


def synthesized_once(factory: pytest.TempPathFactory, *, worker: str | None) -> Path:
    """The cloud assembly of dev, unbundled; to be read, and not to be changed.

    `worker` is the id of this process among several of one run, whose folders stand
    beside each other (pytest-xdist, "Making session-scoped fixtures execute only
    once"). Whoever comes first makes it, the others wait for it.
    """
    base = factory.getbasetemp()
    shared = base if worker is None else base.parent
    made, unfinished = shared / "dev.cdk.out", shared / "dev.cdk.out.unfinished"
    with (shared / "dev.cdk.out.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            synthesize(unfinished)
            unfinished.rename(made)
    return made
