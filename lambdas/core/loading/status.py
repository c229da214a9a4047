"""Which landed objects are loaded, which are not, and what that asks for. Pure.

Two things tell. A pipe says which file it ingested last: where a run is one object and
that is it, the run is loaded, and no warehouse was woken. The history of the table
tells of every object by name: it is read only where the pipe's word is not enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.landing.names import (
    RawName,
    file_name,
    marked_key,
    raw_name,
    run_started_at,
)
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.pull.run import LandedRun

REFRESH_REACH = timedelta(days=7) - timedelta(hours=4)
"""REFRESH takes what is younger than seven days; a margin for the clocks."""
HISTORY_REACH = timedelta(days=13)
"""Snowflake keeps the history of loads for fourteen."""
MAX_ATTEMPTS = 8
"""How often an object lands again before a person has to look."""
MAX_REFRESHES = 3
LONGEST_REST = timedelta(hours=1)

_UNDER_WAY, _IN_PART = "Load in progress", "Partially loaded"
_ON_ERROR = re.compile(r"\bON_ERROR\s*=\s*'?(?P<kind>\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipeNow:
    """A pipe's own report. `last_ingested` is the last part of a path."""

    state: str
    pending: int
    last_ingested: str | None = None
    last_ingested_at: datetime | None = None
    last_forwarded_at: datetime | None = None
    channel: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether it loads what it is told of."""
        return self.state == "RUNNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object of the landing zone."""

    key: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An object that failed to load, in part or whole, and no later name of it loaded.

    `source` is the object as it landed first, `record` tells of its newest name.
    `loaded` are (attempt, rows) of its names that were loaded in part: of JSON these
    are always the first rows, up to one that is refused, and what comes after that one
    is left out however good it is (Snowflake: "COPY INTO", ON_ERROR).
    """

    source: StoredObject
    attempt: int
    record: LoadRecord
    loaded: tuple[tuple[int, int], ...] = ()

    def name_of(self, attempt: int) -> str:
        """The last part of its key when it had landed again so often."""
        key = self.source.key
        return file_name(marked_key(key, f"r{attempt}") if attempt else key)

    @property
    def refused_line(self) -> int | None:
        """Which line of the newest name Snowflake refused, from 1; None: it says none.

        What stopped a partial load is the line after the last that was loaded.
        """
        rows = dict(self.loaded).get(self.attempt)
        return self.record.first_error_line if rows is None else rows + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLoads:
    """The objects of one run that are not loaded."""

    waiting: tuple[StoredObject, ...] = ()
    missing: tuple[StoredObject, ...] = ()
    failed: tuple[Failed, ...] = ()


def loads_whole_files(copy: str) -> bool:
    """Whether a pipe with this COPY loads a file whole or not at all.

    SKIP_FILE is what a pipe does that says nothing of it (Snowflake: "CREATE PIPE").
    """
    said = [found["kind"].upper() for found in _ON_ERROR.finditer(copy)]
    return said in ([], ["SKIP_FILE"])


def seen_loaded(run: LandedRun, pipe: PipeNow) -> bool:
    """Whether the pipe's own report shows that the run is loaded.

    What it ingested it may have ingested in part, if it is no pipe that
    `loads_whole_files`.
    """
    return run.objects == 1 and pipe.last_ingested == file_name(run.newest_key)


def loads_of(
    objects: Sequence[StoredObject],
    records: Mapping[str, LoadRecord],
    *,
    now: datetime,
    grace: timedelta,
) -> RunLoads:
    """Which of `objects`, all of one run, are not loaded, by their names' records.

    An object and what landed again for it are one: loaded if either is.
    """
    groups: dict[str, list[tuple[RawName, StoredObject]]] = {}
    for item in objects:
        name = raw_name(item.key)
        if name is not None:
            groups.setdefault(name.first, []).append((name, item))
    waiting: list[StoredObject] = []
    missing: list[StoredObject] = []
    failed: list[Failed] = []
    for group in groups.values():
        group.sort(key=lambda pair: pair[0].attempt)
        statuses = {
            item.key: records[file_name(item.key)].status
            for _, item in group
            if file_name(item.key) in records
        }
        (_, first), (newest, latest) = group[0], group[-1]
        record = records.get(file_name(latest.key))
        if "Loaded" in statuses.values():
            continue
        if record is None:
            is_late = now - latest.modified_at > grace
            (missing if is_late else waiting).append(latest)
        elif record.status in {_UNDER_WAY, "unknown"}:
            waiting.append(latest)
        else:
            loaded_rows = tuple(
                (name.attempt, records[file_name(item.key)].rows_loaded or 0)
                for name, item in group
                if statuses.get(item.key) == _IN_PART
            )
            failed.append(
                Failed(
                    source=first,
                    attempt=newest.attempt,
                    record=record,
                    loaded=loaded_rows,
                )
            )
    return RunLoads(
        waiting=tuple(waiting),
        missing=tuple(missing),
        failed=tuple(failed),
    )


def awaited_of(run: LandedRun, objects: Sequence[StoredObject]) -> list[StoredObject]:
    """Those of a run's `objects` that are awaited: all, or those of one part."""
    return [
        item
        for item in objects
        if (name := raw_name(item.key)) is not None
        and (run.part is None or name.first == run.part)
    ]


def since_when(runs: Sequence[LandedRun], *, now: datetime) -> datetime:
    """From when on the history tells of the objects of `runs`."""
    begun = min(
        run_started_at(run.run_id) if run.part is None else run.landed_at
        for run in runs
    )
    return max(begun - timedelta(hours=1), now - HISTORY_REACH)


def rest_after(checks: int, *, every: timedelta) -> timedelta:
    """How long a dataset is left alone after so many checks that changed nothing."""
    return min(every * (1 << min(checks, 10)), LONGEST_REST)


def refresh_bounds(
    missing: Sequence[StoredObject],
) -> tuple[tuple[str, ...], datetime]:
    """The days (below the pipe's path) to refresh, and after which time."""
    days = sorted({item.key.rsplit("/", 2)[1] + "/" for item in missing})
    oldest = min(item.modified_at for item in missing)
    return tuple(days), oldest - timedelta(minutes=1)
