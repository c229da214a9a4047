"""What was found on the way of a dataset's rows, and the signals it amounts to.

A section of which nothing was found is None, and its signals are not known.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from lambdas.core.cursor.order import CursorOrder
from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.signals import (
    Landing,
    LastRun,
    Load,
    Pipe,
    Pull,
    RunOutcome,
)
from lambdas.core.errors import RunErrorKind
from lambdas.core.landing.names import run_id_of
from lambdas.core.loading.objects import (
    HISTORY,
    LandedObject,
    LandedObjects,
    LoadRecord,
)
from lambdas.core.pull.run import DatasetState, Run, RunError, RunStatus
from lambdas.core.records.json_path import steps
from lambdas.core.schedule.expressions import expression, last_due, next_due

RUN_LIMIT = timedelta(minutes=16)
"""A run that has been running for longer than any function may, 15 minutes and a clock
that is off by one, is dead."""
KILLED = RunError(
    kind=RunErrorKind.INTERNAL,
    message="its function was killed before it ended, out of memory or out of time; "
    "the function's log says of which",
)
"""A function that is killed writes nothing down: this is written for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedSchedule:
    """A schedule as it stands in AWS; None is not known."""

    is_enabled: bool | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PullFacts:
    """The state of a dataset, its runs, the newest first, and its schedule."""

    state: DatasetState
    runs: tuple[Run, ...]
    schedule: DeployedSchedule


class PipeReport(Pipe):
    """The pipe's own report, and `path`: what it reads below its stage."""

    path: str | None = None


def pull_signals(
    dataset: Dataset, facts: PullFacts | None, *, now: datetime, grace: timedelta
) -> Pull:
    """The cursor, the schedule and the last run.

    The last due tick is the one before `grace` began if no run has answered that one:
    of a dataset that is pulled more often than the grace is long, the newest tick is
    always too young to be held against anybody.
    """
    if facts is None:
        return _due(dataset, now, since=None)
    since = facts.schedule.created_at
    due = _due(dataset, now, since=since)
    last_run = _last_run(facts, now)
    before_grace = _due(dataset, now - grace, since=since).last_due_at
    if before_grace is not None and (
        last_run.status == "never"
        or (last_run.started_at is not None and last_run.started_at < before_grace)
    ):
        due = due.model_copy(update={"last_due_at": before_grace})
    return due.model_copy(
        update={
            "cursor_at": _cursor_at(dataset, facts.state),
            "schedule_enabled": facts.schedule.is_enabled,
            "usual_run_s": usual_run_s(facts.runs),
            "rereads": rereads(dataset),
            "cursor_by": _cursor_by(dataset),
            "failures_in_row": _failures_in_row(facts.runs, now),
            "last_run": last_run,
        }
    )


def _due(dataset: Dataset, now: datetime, *, since: datetime | None) -> Pull:
    """The ticks around `now`. There was none before the schedule was made."""
    try:
        text = expression(dataset.schedule)
        zone = dataset.schedule.timezone
        if text.startswith("rate("):
            # A rate counts from when AWS made the schedule, or changed it: no answer of
            # its own says from when.
            return Pull()
        last = last_due(text, zone, now)
        if last is not None and since is not None and last < since:
            last = None
        return Pull(last_due_at=last, next_due_at=next_due(text, zone, now))
    except ValueError:
        return Pull()


def _cursor_at(dataset: Dataset, state: DatasetState) -> datetime | None:
    try:
        return CursorOrder.of(dataset.source.cursor).instant(state.cursor.value)
    except ValueError:
        return None


def event_reached(dataset: Dataset, state: DatasetState) -> datetime | None:
    """The newest event that was pulled, where the cursor tells it."""
    return _cursor_at(dataset, state) if _cursor_by(dataset) == "event" else None


_PLACEHOLDER = "{incremental."


def rereads(dataset: Dataset) -> bool | None:
    """Whether each pull brings rows that were there before, by its nature. What a
    generator of pages does with its cursor is not known.
    """
    source, cursor = dataset.source, dataset.source.cursor
    if cursor is None or dataset.write_disposition == "replace" or cursor.lag > 0:
        return True
    if source.endpoint is None:
        return None
    asked = source.endpoint.model_dump_json(include={"path", "params", "json_body"})
    return source.parent is not None or _PLACEHOLDER not in asked


def _cursor_by(dataset: Dataset) -> Literal["event", "other"] | None:
    """Whether the cursor is the time that records are compared by."""
    cursor, declared = dataset.source.cursor, dataset.freshness.loaded_at_field
    if cursor is None:
        return None
    is_same = declared is None or steps(declared) == steps(cursor.cursor_path)
    return "event" if is_same else "other"


def _failures_in_row(runs: Sequence[Run], now: datetime) -> int:
    """Failed runs up to the newest, or right before it while it is running."""
    is_running = bool(runs) and _last_status(runs, now) == "running"
    ended = runs[1:] if is_running else runs
    failed = itertools.takewhile(
        lambda place: _last_status(ended[place:], now) == "failed", range(len(ended))
    )
    return len(list(failed))


def _last_status(runs: Sequence[Run], now: datetime) -> RunOutcome:
    """What became of the first of `runs`, the newest first."""
    status = _OUTCOMES[runs[0].status]
    return "failed" if _was_killed(runs, now) else status


def usual_run_s(runs: Sequence[Run]) -> float | None:
    """How long a pull takes, by the runs that landed; None if there are none."""
    took = [
        (run.finished_at - run.started_at).total_seconds()
        for run in runs
        if run.status is RunStatus.LANDED and run.finished_at is not None
    ]
    return max(0.0, median(took)) if took else None


def _last_run(facts: PullFacts, now: datetime) -> LastRun:
    if not facts.runs:
        if facts.state.version == 0:
            return LastRun(status="never")
        # The records of runs expire; what the state remembers of the last is its start.
        started = facts.state.last_success_started_at
        if started is None:
            return LastRun()
        return LastRun(status="succeeded", started_at=started)
    run = facts.runs[0]
    status = _OUTCOMES[run.status]
    error = run.error.kind.value if run.error is not None else None
    if run.status is RunStatus.VOIDED or _was_killed(facts.runs, now):
        status, error = "failed", error or "internal"
    return LastRun(
        status=status,
        started_at=run.started_at,
        finished_at=run.finished_at,
        rows=run.rows if status == "succeeded" else None,
        error=error,
    )


def with_the_killed(runs: Sequence[Run], *, now: datetime) -> list[Run]:
    """A dataset's runs, the newest first; a killed one is a failed one."""
    return [
        dataclasses.replace(run, status=RunStatus.FAILED, error=KILLED)
        if run.status is RunStatus.RUNNING and (later or _has_outlived(run, now))
        else run
        for later, run in enumerate(runs)
    ]


def _has_outlived(run: Run, now: datetime) -> bool:
    return now - run.started_at > RUN_LIMIT


def _was_killed(runs: Sequence[Run], now: datetime) -> bool:
    """Whether the newest pull that is said to run was killed, or is the second try of
    one that was. A function that is killed writes nothing down; but one message of a
    dataset is worked on at a time, so a run with another after it runs no more.
    """
    newest = runs[0]
    if newest.status is not RunStatus.RUNNING:
        return False
    if _has_outlived(newest, now):
        return True
    before = runs[1] if len(runs) > 1 else None
    return (
        before is not None
        and before.status is RunStatus.RUNNING
        and before.started_at < newest.started_at
    )


_OUTCOMES: Mapping[RunStatus, RunOutcome] = {
    RunStatus.RUNNING: "running",
    RunStatus.COMMITTING: "running",
    RunStatus.LANDED: "succeeded",
    RunStatus.VOIDED: "failed",
    RunStatus.FAILED: "failed",
}


def landing_signals(
    landed: LandedObjects | None,
    loads: Sequence[LoadRecord] | None,
    pull: PullFacts | None,
    *,
    now: datetime,
    grace: timedelta,
    table_loaded_at: datetime | None,
) -> Landing:
    """What lies in the landing zone, and what of it was not loaded."""
    if landed is None:
        return Landing()
    newest = landed.newest
    if newest is None:
        return Landing(empty=True, unloaded=0)
    run_id = run_id_of(newest.key)
    runs = pull.runs if pull is not None else ()
    unloaded = _unloaded(landed, loads, table_loaded_at, now=now, grace=grace)
    return Landing(
        newest_object_at=newest.landed_at,
        newest_key=newest.key,
        rows=next((run.rows for run in runs if run.run_id == run_id), None),
        empty=False,
        unloaded=None if unloaded is None else len(unloaded),
        overdue_at=max((item.landed_at for item in unloaded or ()), default=None),
        rewritten=_rewritten(landed, loads),
    )


def _unloaded(
    landed: LandedObjects,
    loads: Sequence[LoadRecord] | None,
    table_loaded_at: datetime | None,
    *,
    now: datetime,
    grace: timedelta,
) -> Sequence[LandedObject] | None:
    """Objects past grace without a load record.

    Records reach back some days, and go with their pipe: of an object from a run before
    the oldest of them nobody can tell. Where there is no record, the table's own newest
    load tells.
    """
    if loads is None:
        return None
    names = {record.name for record in loads}
    first = min((_run_start(record.name) for record in loads), default=None)

    def is_told_of(item: LandedObject) -> bool:
        if first is not None:
            return _run_start(item.name) >= first
        return table_loaded_at is None or item.landed_at > table_loaded_at

    return [
        item
        for item in landed.objects
        if item.name not in names
        and grace < now - item.landed_at < HISTORY
        and is_told_of(item)
    ]


def _run_start(name: str) -> str:
    """What names of objects sort by: they begin with their run's start, in UTC."""
    return name.partition("-")[0]


def _rewritten(
    landed: LandedObjects, loads: Sequence[LoadRecord] | None
) -> bool | None:
    """Whether an object is younger than the load of its name."""
    if loads is None:
        return None
    loaded_at = {
        record.name: record.loaded_at
        for record in loads
        if record.loaded_at is not None
    }
    return any(
        item.name in loaded_at and item.modified_at > loaded_at[item.name]
        for item in landed.objects
    )


def load_signals(
    loads: Sequence[LoadRecord] | None, *, table_loaded_at: datetime | None
) -> Load:
    """The newest load, and the last that added rows; records are the newest first."""
    if loads is None:
        return Load()
    if not loads:
        # No record within two weeks is not "none ever": the table may show an older.
        status: Literal["none", "unknown"] = (
            "none" if not table_loaded_at else "unknown"
        )
        return Load(status=status, last_loaded_at=table_loaded_at)
    newest = loads[0]
    added = [
        record.loaded_at
        for record in loads
        if record.loaded_at is not None and (record.rows_loaded or 0) > 0
    ]
    return Load(
        last_loaded_at=max(added, default=table_loaded_at),
        status=newest.status,
        key=newest.file,
        rows_parsed=newest.rows_parsed,
        rows_loaded=newest.rows_loaded,
        first_error=newest.first_error,
    )


def pipe_signals(
    pipe: Pipe | None,
    landed: LandedObjects | None,
    loads: Sequence[LoadRecord] | None,
    *,
    now: datetime,
) -> Pipe:
    """The pipe's own report, with what can be told of its reach and its pace."""
    if pipe is None:
        return Pipe()
    newest = landed.newest if landed is not None else None
    covered = pipe.path if isinstance(pipe, PipeReport) else None
    covers = (
        newest.key.startswith(covered)
        if newest is not None and covered is not None
        else None
    )
    told = pipe.model_dump(exclude={"path"})
    told |= {
        "covers_newest_key": covers,
        "files_per_minute": _files_per_minute(loads, now),
    }
    return Pipe.model_validate(told)


def _files_per_minute(
    loads: Sequence[LoadRecord] | None, now: datetime
) -> float | None:
    if not loads:
        return None
    within = timedelta(hours=1)
    recent = [
        item for item in loads if item.loaded_at and now - item.loaded_at < within
    ]
    return len(recent) / 60 if recent else None
