"""The monitor's verdict on itself.

That the last check is long ago, or that notices wait, is no dataset's problem: said
with every dataset it would page a thousand times. It is judged once a check, under a
name of its own, by the same rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from lambdas.core.diagnosis.signals import Deployment, Monitor, Signals, Table
from lambdas.core.diagnosis.verdict import Verdict, diagnose
from lambdas.core.errors import StuckRun
from lambdas.core.landing.names import run_started_at
from lambdas.core.names import MONITOR

COMMITTING = timedelta(hours=1)
"""A run that others will complete is theirs for so long; then a person hears of it."""


def problems_of(stuck: Sequence[StuckRun], *, now: datetime) -> list[StuckRun]:
    """The runs that a person has to hear of: broken ones, and those that last."""
    return [
        run
        for run in stuck
        if run.is_broken
        or now - (run.started_at or run_started_at(run.run_id)) > COMMITTING
    ]


def monitor_verdict(
    *,
    now: datetime,
    last_check_at: datetime | None,
    check_every_s: float,
    undelivered_notices: int,
    deployment: Deployment,
    stuck_runs: Sequence[str] = (),
    unchecked: Sequence[str] = (),
) -> Verdict:
    """The verdict `pass`, with a cause if the alerting itself needs somebody."""
    verdict = diagnose(
        Signals(
            dataset=MONITOR,
            now=now,
            table=Table(read="ok", row_count=0),
            monitor=Monitor(
                last_check_at=last_check_at,
                check_every_s=check_every_s,
                undelivered_notices=undelivered_notices,
                stuck_runs=tuple(stuck_runs),
                unchecked=tuple(unchecked),
            ),
            deployment=deployment,
        )
    )
    # There is no table and no promise here: what is said of them is left out.
    return dataclasses.replace(
        verdict,
        headline=f"monitoring: {verdict.headline.partition(': ')[2]}",
        evidence=verdict.evidence[1:],
    )
