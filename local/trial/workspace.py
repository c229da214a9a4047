"""The folder of a trial: made when one starts, gone when it ends, or with the next.

Whoever has a workspace holds a lock on it, which the operating system gives back when
its process ends, however that ends. So a folder whose lock can be had is left over.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

FOLDER = Path(".catflap")
"""Below the working directory; git does not see it."""
OWNER, _KEPT = "owner.json", "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A workspace whose process is gone; `is_kept`: it was to stay."""

    path: Path
    pid: int | None
    started_at: str | None
    is_kept: bool


@contextmanager
def workspace(root: Path, *, now: datetime, keep: bool) -> Iterator[Path]:
    """A new folder below `root`, removed at the end unless it is to be kept."""
    root.mkdir(parents=True, exist_ok=True)
    (root / ".gitignore").write_text("*\n")
    path = root.resolve() / f"try-{now:%Y%m%dT%H%M%SZ}-{os.getpid()}"
    path.mkdir()
    with (path / OWNER).open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        json.dump({"pid": os.getpid(), "started_at": now.isoformat()}, owner)
        owner.flush()
        if keep:
            (path / _KEPT).touch()
        try:
            yield path
        finally:
            if not keep:
                shutil.rmtree(path, ignore_errors=True)


def leftovers(root: Path) -> list[Leftover]:
    """The workspaces below `root` that nobody uses, oldest first."""
    return [
        _described(path)
        for path in sorted(root.glob("try-*"))
        if path.is_dir() and not is_in_use(path)
    ]


def remove(leftover: Leftover) -> None:
    """Remove a workspace that nobody uses."""
    shutil.rmtree(leftover.path, ignore_errors=True)


def is_in_use(path: Path) -> bool:
    """Whether the process that made a workspace is alive."""
    try:
        with (path / OWNER).open("r+") as owner:
            return not _is_free(owner)
    except OSError:
        return False


def _is_free(owner: IO[str]) -> bool:
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _described(path: Path) -> Leftover:
    try:
        said = json.loads((path / OWNER).read_text())
    except (OSError, ValueError):
        said = {}
    return Leftover(
        path=path,
        pid=said.get("pid"),
        started_at=said.get("started_at"),
        is_kept=(path / _KEPT).exists(),
    )
