"""What a check has to say of catflap itself: checks, notices, runs left unfinished.

All of it stands in one incident, under a name that no dataset can have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from lambdas.core.diagnosis.self_check import monitor_verdict, problems_of
from lambdas.core.diagnosis.signals import Deployment
from lambdas.core.errors import StuckRun
from lambdas.core.freshness.assess import Limits
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import monitor_context
from lambdas.core.incidents.incident import advance
from lambdas.core.incidents.notice import (
    Notice,
    notices,
    overdue,
    with_notices,
)
from lambdas.core.incidents.ports import CheckState, IncidentState
from lambdas.core.names import MONITOR


class SelfCheck:
    """Judges the alerting itself, and tells engineers."""

    def __init__(
        self,
        *,
        state: IncidentState,
        routes: Routes,
        limits: Limits,
        deployment: Deployment,
    ) -> None:
        self._state = state
        self._routes = routes
        self._limits = limits
        self._deployment = deployment

    def check(
        self,
        check_state: CheckState,
        *,
        left: Sequence[Notice],
        stuck: Sequence[StuckRun],
        unchecked: Mapping[str, str],
        now: datetime,
    ) -> Sequence[Notice]:
        """Judge once, after a check did what it could; the notices that were made.

        `check_state` is what the check began with, `left` the notices that wait still:
        those that waited too long before it and do now are counted. `unchecked` says
        why a dataset could not be checked, by its name.
        """
        ids = {notice.notice_id for notice in left}
        old = [
            notice
            for notice in overdue(check_state.waiting, self._limits, now=now)
            if notice.notice_id in ids
        ]
        told_of = problems_of(stuck, now=now)
        verdict = monitor_verdict(
            now=now,
            last_check_at=check_state.last_check_at,
            check_every_s=self._limits.check_every.total_seconds(),
            undelivered_notices=len(old),
            stuck_runs=tuple(run.sentence for run in told_of),
            unchecked=[f"{name}: {why}" for name, why in sorted(unchecked.items())],
            deployment=self._deployment,
        )
        before = check_state.own.get(MONITOR)
        said = "" if before is None else "\n".join(before.evidence)
        transition = advance(
            before,
            verdict,
            now=now,
            has_news=any(run.name not in said for run in told_of)
            or any(f"{name}: " not in said for name in unchecked),
        )
        if transition.incident is None or transition.incident is before:
            return ()
        told = notices(
            transition,
            verdict,
            subject=monitor_context(),
            routes=self._routes,
            now=now,
        )
        self._state.record(
            before,
            with_notices(transition.incident, told),
            notices=told,
            watch=None,
        )
        return told
