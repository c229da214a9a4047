"""From what was read and found to the signals of one dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import ValidationError

from lambdas.core.dataset import Dataset, Freshness
from lambdas.core.diagnosis.evidence import (
    PullFacts,
    landing_signals,
    load_signals,
    pipe_signals,
    pull_signals,
)
from lambdas.core.diagnosis.signals import (
    Deployment,
    Monitor,
    Pipe,
    Signals,
    Table,
    Upstream,
)
from lambdas.core.diagnosis.verdict import Verdict, diagnose
from lambdas.core.freshness.attainment import (
    AttainmentState,
    Observation,
    attained_after,
)
from lambdas.core.freshness.first_load import resumed_at
from lambdas.core.freshness.promise import is_promised, next_look_at, policy_at
from lambdas.core.freshness.watch import Watch, promise_hash
from lambdas.core.loading.objects import LandedObjects, LoadRecord
from lambdas.core.sql import generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a clock may be off, how long a load may take, how often we check."""

    skew: timedelta
    load_grace: timedelta
    check_every: timedelta


class Collected(Protocol):
    """What was found of a dataset on its way; None is not known."""

    @property
    def upstream(self) -> Upstream | None:
        """The source's own word."""

    @property
    def pull(self) -> PullFacts | None:
        """Cursor, runs and schedule."""

    @property
    def landing(self) -> LandedObjects | None:
        """Objects in the landing zone."""

    @property
    def load(self) -> Sequence[LoadRecord] | None:
        """Load records, the newest first."""

    @property
    def pipe(self) -> Pipe | None:
        """The pipe's own report."""


def newest_of(dataset: Dataset, table: Table) -> datetime | None:
    """The table's newest time, by the clock that the dataset is judged by."""
    if dataset.freshness.loaded_at_field is None:
        return table.newest_loaded_at
    return table.newest_event_at


def table_signals(
    dataset: Dataset,
    table: Table,
    watch: Watch | None,
    *,
    now: datetime,
    limits: Limits,
    deployment: Deployment,
    evaluated: Table | None = None,
) -> Signals:
    """The signals that reading the table gives: enough to tell who is late.

    `evaluated` is what was judged before, if `table` was read a second time, directly.
    """
    newest = newest_of(dataset, table)
    judged = newest if evaluated is None else newest_of(dataset, evaluated)
    return Signals(
        dataset=dataset.name,
        now=now,
        policy=policy_at(
            dataset,
            now=now,
            newest=newest,
            skew_s=limits.skew.total_seconds(),
            load_grace_s=limits.load_grace.total_seconds(),
        ),
        table=table.model_copy(
            update={"previous_row_count": watch.row_count if watch else None}
        ),
        # What concerns the check as a whole is judged once, not with every dataset.
        monitor=Monitor(evaluated_newest_at=judged),
        deployment=deployment,
    )


def all_signals(
    dataset: Dataset, read: Signals, found: Collected, *, limits: Limits
) -> Signals:
    """The signals of a suspect: what was read, and what was found on the way."""
    loaded_at = read.table.newest_loaded_at
    return read.model_copy(
        update={
            "upstream": found.upstream or Upstream(),
            "pull": pull_signals(
                dataset, found.pull, now=read.now, grace=limits.load_grace
            ),
            "landing": landing_signals(
                found.landing,
                found.load,
                found.pull,
                now=read.now,
                grace=limits.load_grace,
                table_loaded_at=loaded_at,
            ),
            "load": load_signals(found.load, table_loaded_at=loaded_at),
            "pipe": pipe_signals(found.pipe, found.landing, found.load, now=read.now),
            "deployment": read.deployment.model_copy(
                update={"generation": generation(dataset)}
            ),
        }
    )


def passes_only_for_quiet(signals: Signals, verdict: Verdict) -> bool:
    """Whether a dataset that is late passes because nothing is due now."""
    if verdict.state != "pass" or not signals.policy.in_quiet_time:
        return False
    loud = signals.policy.model_copy(update={"in_quiet_time": False})
    return diagnose(signals.model_copy(update={"policy": loud})).state.late


def passes_only_for_promise(
    dataset: Dataset, signals: Signals, verdict: Verdict, watch: Watch | None
) -> bool:
    """Whether a dataset that was late passes because less is promised: by what was
    promised when it was late last, it would be late still.
    """
    if verdict.state != "pass" or watch is None or watch.late_by is None:
        return False
    try:
        before = Freshness.model_validate_json(watch.late_by)
    except ValidationError:  # of a release that took what this one refuses
        return False
    if before == dataset.freshness:
        return False
    as_before = dataset.model_copy(update={"freshness": before})
    policy = policy_at(
        as_before,
        now=signals.now,
        newest=newest_of(as_before, signals.table),
        skew_s=signals.policy.skew_s,
        load_grace_s=signals.policy.load_grace_s,
    ).model_copy(update={"in_quiet_time": False})
    return diagnose(signals.model_copy(update={"policy": policy})).state.late


def watch_after(
    dataset: Dataset,
    signals: Signals,
    verdict: Verdict,
    before: Watch | None,
    *,
    incident_id: str | None,
    awaited_until: datetime | None = None,
    is_witnessed: bool = False,
    change_mark: int | None = None,
) -> Watch:
    """What to remember. A table that could not be read is remembered as it was;
    `is_witnessed`: it was not, and what landed told how new it is. `change_mark` was
    asked after that.

    `awaited_until`: the dataset waits for its first rows, which are due then.

    While something is wrong, the row count to compare with stays the greatest: rows
    that were deleted are still deleted five minutes later.
    """
    table = signals.table
    newest = newest_of(dataset, table)
    is_read = table.read == "ok"
    rows = table.row_count
    if before is not None and before.row_count is not None:
        if rows is None:
            rows = before.row_count
        elif verdict.state != "pass":
            rows = max(rows, before.row_count)
    promise = promise_hash(dataset)
    return Watch(
        dataset=dataset.name,
        checked_at=signals.now,
        promise=promise,
        state=verdict.state.value,
        cause=verdict.cause,
        next_look_at=(
            awaited_until or next_look_at(dataset, newest=newest, now=signals.now)
        ),
        newest_at=newest if is_read or before is None else before.newest_at,
        newest_loaded_at=(
            table.newest_loaded_at
            if is_read or before is None
            else before.newest_loaded_at
        ),
        row_count=rows,
        incident_id=incident_id,
        first_seen_at=signals.now if before is None else before.seen_since,
        is_promised=is_promised(dataset.freshness),
        at_risk=verdict.at_risk,
        ended_incident=None if before is None else before.ended_incident,
        ended_at=None if before is None else before.ended_at,
        first_load_over=(before is not None and before.first_load_over)
        or (is_read and awaited_until is None),
        tally=_attained_after(dataset, signals, verdict, before, promise),
        resumed_at=None if awaited_until is None else resumed_at(before, signals.now),
        read_at=signals.now
        if is_read and not is_witnessed
        else (None if before is None else before.read_at),
        change_mark=(change_mark if is_read or before is None else before.change_mark),
        late_by=_late_by(dataset, verdict, before, incident_id),
    )


def _late_by(
    dataset: Dataset, verdict: Verdict, before: Watch | None, incident_id: str | None
) -> str | None:
    if verdict.state.late:
        return dataset.freshness.model_dump_json(exclude_defaults=True)
    return before.late_by if before is not None and incident_id is not None else None


def _attained_after(
    dataset: Dataset,
    signals: Signals,
    verdict: Verdict,
    before: Watch | None,
    promise: str,
) -> AttainmentState | None:
    """What is counted so far, by checks that read the table. What came before a change
    of the promise is not measured by the new one.
    """
    known = before.tally if before is not None else None
    if signals.table.read != "ok":
        return known
    is_other = before is not None and before.promise != promise
    newest = newest_of(dataset, signals.table)
    seen = Observation(
        now=signals.now,
        is_late=verdict.state.late,
        newest=newest,
        newest_before=before.newest_at if before is not None else None,
        moved_at=signals.table.newest_loaded_at,
    )
    if is_other and known is not None:
        known = dataclasses.replace(known, until=signals.now, was_late=seen.is_late)
    return attained_after(known, dataset, seen)
