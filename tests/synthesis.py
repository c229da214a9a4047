"""The templates of dev, synthesized once for all workers of a run."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.stack import synthesize


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesized:
    """A project, and the cloud assembly of its dev, unbundled; both to be read, and not
    to be changed.
    """

    root: Path
    assembly: Path


def synthesized_once(
    factory: pytest.TempPathFactory,
    *,
    worker: str | None,
    name: str,
    project: Callable[[Path], Path],
) -> Synthesized:
    """Of a project, which `project` makes in a new folder, or knows a place of.

    `worker` is the id of this process among several of one run, whose folders stand
    beside each other (pytest-xdist, "Making session-scoped fixtures execute only
    once"). Whoever comes first makes it, the others wait for it.
    """
    base = factory.getbasetemp()
    shared = base if worker is None else base.parent
    made, unfinished = shared / f"{name}.cdk.out", shared / f"{name}.unfinished"
    known = shared / f"{name}.root"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            root = project(shared / f"{name}.project")
            known.write_text(str(root))
            synthesize(unfinished, root=root)
            unfinished.rename(made)
    return Synthesized(root=Path(known.read_text()), assembly=made)
