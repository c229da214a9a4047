"""The environment `local`: the embedded stack that `catflap try --stay` keeps up.

It says in a file below the working directory where it answers and what time it is
there, so that every command takes `--env local` with nothing to export.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from lambdas.core.errors import BadInput

LOCAL = "local"
FILE = Path(".catflap") / "local.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStack:
    """Where a stack answers. `owner` is a file that is locked while it is up; its time
    was `start` at the real time `began_at`, and passes `speed` times as fast.
    """

    owner: Path
    environments: Path
    variables: Mapping[str, str]
    began_at: datetime
    start: datetime
    speed: float
    pages: Mapping[str, str]
    datasets: Sequence[str]

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """The stack that is up. Raises BadInput if none is."""
        try:
            said = json.loads(file.read_text())
        except OSError:
            raise BadInput(_NONE) from None
        stack = cls(
            owner=Path(said["owner"]),
            environments=Path(said["environments"]),
            variables=said["variables"],
            began_at=datetime.fromisoformat(said["began_at"]),
            start=datetime.fromisoformat(said["start"]),
            speed=said["speed"],
            pages=said["pages"],
            datasets=said["datasets"],
        )
        if not _is_locked(stack.owner):
            raise BadInput(_NONE)
        return stack

    def write(self, file: Path = FILE) -> None:
        """Say where it is; only its owner may read that."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(
            json.dumps(
                {
                    "owner": str(self.owner),
                    "environments": str(self.environments),
                    "variables": dict(self.variables),
                    "began_at": self.began_at.isoformat(),
                    "start": self.start.isoformat(),
                    "speed": self.speed,
                    "pages": dict(self.pages),
                    "datasets": list(self.datasets),
                }
            )
        )

    def now(self, real: datetime) -> datetime:
        """What time it is there."""
        passed: timedelta = (real - self.began_at) * self.speed
        return self.start + passed

    def enter(self) -> None:
        """Let this process ask it: AWS's and Snowflake's clients read variables."""
        now = self.now(datetime.now(UTC))
        os.environ.update({**self.variables, "CATFLAP_NOW": now.isoformat()})


_NONE = (
    "no embedded stack is up in this folder; `catflap try --stay` in another terminal "
    "starts one"
)


def _is_locked(owner: Path) -> bool:
    try:
        with owner.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
