"""Tells people what the repair function found and did.

It works without knowing whom to tell; this knows whom, and nothing of repairing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from lambdas.core.errors import StateConflict
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import loading_context
from lambdas.core.incidents.incident import Recipient, advance
from lambdas.core.incidents.models import DYNAMIC_TABLE_STOPPED
from lambdas.core.incidents.notice import Notice, notices, with_notices
from lambdas.core.incidents.ports import CheckState, IncidentState, ReportedRepairs
from lambdas.core.incidents.verdicts.repairs import (
    NOT_NOTIFIED,
    loading_verdict,
    repair_notices,
)
from lambdas.core.loading.repair import Problem, Repair
from lambdas.core.names import LOADING

LOG = logging.getLogger("catflap.freshness.repair_notices")


class RepairNotices:
    """Makes notices of repairs, and one incident of what stands."""

    def __init__(
        self,
        *,
        state: IncidentState,
        told: ReportedRepairs,
        routes: Routes,
        dynamic_tables: Callable[[datetime], Sequence[Problem] | None],
    ) -> None:
        """`dynamic_tables` says which of them stopped; None if that was not seen."""
        self._state = state
        self._dynamic_tables = dynamic_tables
        self._told = told
        self._routes = routes

    def tell(self, check_state: CheckState, now: datetime) -> Sequence[Notice]:
        """Make the notices that are due, of what a check begins with."""
        made: list[Notice] = []
        try:
            made += self._tell_of_problems(check_state, now)
            for told in self._tell_of_repairs(check_state, now):
                made += told
        except StateConflict as conflict:
            LOG.warning("%s; the next check reports it", conflict)
        return made

    def _tell_of_problems(
        self, check_state: CheckState, now: datetime
    ) -> Sequence[Notice]:
        before = check_state.own.get(LOADING)
        said = "" if before is None else "\n".join(before.evidence)
        # What concerns one dataset is told with its own incident.
        told_of = [one for one in check_state.problems if one.dataset is None]
        stopped = self._dynamic_tables(now)
        if stopped is None and DYNAMIC_TABLE_STOPPED in said:
            return ()  # it stands as it did
        told_of += stopped or ()
        transition = advance(
            before,
            loading_verdict(told_of),
            now=now,
            has_news=any(f"{one.name}: " not in said for one in told_of),
        )
        if transition.incident is None or transition.incident is before:
            return ()
        made = notices(
            transition,
            loading_verdict(told_of),
            subject=loading_context(),
            routes=self._routes,
            now=now,
        )
        self._state.record(
            before,
            with_notices(transition.incident, made),
            notices=made,
            watch=None,
        )
        return made

    def _tell_of_repairs(
        self, check_state: CheckState, now: datetime
    ) -> Iterator[Sequence[Notice]]:
        """Once each; while the wiring is broken, the incident tells of it."""
        is_broken = any(one.code == NOT_NOTIFIED for one in check_state.problems)
        channels = self._routes.get(Recipient.ENGINEERS, ())
        for repaired in check_state.repaired:
            is_told = is_broken and repaired.repair is Repair.REFRESHED
            news = (
                () if is_told else repair_notices(repaired, channels=channels, now=now)
            )
            self._told.record_repaired(repaired.repair_id, news)
            yield news
