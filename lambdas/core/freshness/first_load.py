"""A dataset that has never had a row, or was paused: it is given the time to be pulled
and loaded.

An empty table is late by any age, so that a first deploy would page for every dataset.
Nothing was due yet: rows can be there once the first tick of the schedule has been
pulled and loaded. With a tick at 13:05, a pull of one minute and a grace of fifteen,
an empty table is as late as any other from 13:21 on.

That is decided once for a dataset. From the first row that was seen, or from that
moment, it is judged as ever: a table that was emptied is late at once. After a pause
the rows are as old as the pause is long, and the first tick after it counts alike.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.assessment import State
from lambdas.core.diagnosis.signals import Signals
from lambdas.core.diagnosis.verdict import Verdict
from lambdas.core.freshness.watch import Watch
from lambdas.core.schedule.expressions import expression, next_due

FIRST_RUN = timedelta(minutes=15)
"""How long a first pull may take, as nobody knows yet: a function's longest."""


def awaited_until(
    dataset: Dataset,
    signals: Signals,
    before: Watch | None,
    *,
    schedule_created_at: datetime | None = None,
) -> datetime | None:
    """When the first rows are to be there; None if that is no question (any more).

    `schedule_created_at` is known of a suspect only: a deploy may take its time between
    the monitor and the schedule.
    """
    table = signals.table
    if table.read != "ok":
        return None
    if table.row_count != 0:
        return _awaited_after_pause(dataset, signals, before)
    if before is not None and before.first_load_over:
        return None
    seen_at = signals.now if before is None else before.seen_since
    since = max(filter(None, (seen_at, schedule_created_at)))
    return _loaded_by(dataset, signals, since)


def resumed_at(before: Watch | None, now: datetime) -> datetime | None:
    """When a dataset was first seen after a pause."""
    if before is None:
        return None
    return now if before.is_paused else before.resumed_at


def _awaited_after_pause(
    dataset: Dataset, signals: Signals, before: Watch | None
) -> datetime | None:
    since, loaded_at = resumed_at(before, signals.now), signals.table.newest_loaded_at
    if since is None or (loaded_at is not None and loaded_at > since):
        return None
    return _loaded_by(dataset, signals, since)


def _loaded_by(dataset: Dataset, signals: Signals, since: datetime) -> datetime | None:
    """When the rows of the first tick after `since` are to be there."""
    try:
        when = expression(dataset.schedule)
        # A rate counts from about when it was made; where that is not known, from when
        # it was first seen here, which is later.
        tick = next_due(when, dataset.schedule.timezone, since, anchor=since)
    except ValueError:
        return None
    if tick is None:
        return None  # it will never be pulled, and that is to be said
    run_s = signals.pull.usual_run_s
    run = FIRST_RUN if run_s is None else timedelta(seconds=run_s)
    return tick + run + timedelta(seconds=signals.policy.load_grace_s or 0)


def awaiting(verdict: Verdict, *, until: datetime, is_empty: bool) -> Verdict:
    """What is said instead of a verdict that such a table is late."""
    what = "its first rows" if is_empty else "its first rows since it was paused"
    evidence = (
        "the table is empty and has always been"
        if is_empty
        else "it was paused until just now, and nothing was pulled in that time"
    )
    return dataclasses.replace(
        verdict,
        state=State.PASS,
        cause=None,
        stage=None,
        page=False,
        tell=frozenset(),
        headline=f"{verdict.dataset} waits for {what}, due by "
        f"{until:%Y-%m-%d %H:%M} UTC",
        evidence=(evidence,),
        next_step="nothing to do",
        also=(),
        eta=until,
        next_look=None,
        at_risk=False,
        late_at=None,
    )
