"""Moved out of facts.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from lambdas.core.landing.names import run_id_of, run_started_at

HISTORY = timedelta(days=13)
"""How far back load records are asked for; Snowflake keeps 14 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedObject:
    """One object under `raw/`. `modified_at` is S3's, to the second."""

    key: str
    modified_at: datetime

    @property
    def landed_at(self) -> datetime:
        """When it landed, at the earliest.

        S3 counts whole seconds, from the start of a multipart upload on; the run's
        start, which the name carries, may be later by a fraction.
        """
        run_id = run_id_of(self.key)
        if run_id is None:
            return self.modified_at
        return max(self.modified_at, run_started_at(run_id))

    @property
    def name(self) -> str:
        """The last part of the key, which no other object shares."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedObjects:
    """The objects of the newest day and of the last days; empty: there are none."""

    objects: tuple[LandedObject, ...]

    @property
    def newest(self) -> LandedObject | None:
        """The one that landed last."""
        return max(
            self.objects, key=lambda item: (item.landed_at, item.key), default=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """A row of COPY_HISTORY."""

    file: str
    status: LoadStatus
    rows_loaded: int | None
    rows_parsed: int | None
    first_error: str | None
    loaded_at: datetime | None
    first_error_line: int | None = None
    """From 1."""

    @property
    def name(self) -> str:
        """The last part of the file's path, which is the object's."""
        return self.file.rpartition("/")[2]


LoadStatus: TypeAlias = Literal[
    "Loaded",
    "Load in progress",
    "Load failed",
    "Partially loaded",
    "Load skipped",
    "none",
    "unknown",
]
