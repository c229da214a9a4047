"""What became of checks, as the state keeps it and people read it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from lambdas.core.events import CheckOutcome, ChecksRunEvent

CheckState: TypeAlias = Literal["pass", "fail", "error"]
"""`error`: it could not run, so that nothing is known."""
HISTORY = 30
"""Results that are remembered of a check; all stand in RAW._CHECKS."""
SAMPLES_KEPT_DAYS = 30
PUBLISHED = 500
"""Results in one event of the bus, which takes 256 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastResult:
    """One result of a check in its history."""

    at: datetime
    state: CheckState
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityResult:
    """The newest result of a check. `run_id` is the newest run among the rows; `reason`
    says why it could not run; `since` when it began to be as it is, and `since_run`
    which run brought that.
    """

    check: str
    metric: str
    column: str | None
    severity: Literal["warn", "error"]
    state: CheckState
    value: float | None
    must: str
    at: datetime
    run_id: str | None = None
    reason: str | None = None
    since: datetime | None = None
    since_run: str | None = None
    history: tuple[PastResult, ...] = ()

    @property
    def sentence(self) -> str:
        """What is wrong with it, for a person."""
        if self.state == "error":
            return f"{self.check} could not run: {self.reason}"
        named = f" ({self.reason})" if self.reason else ""
        return f"{self.check} is {shown(self.value)}{named}, and must be {self.must}"

    def after(self, before: QualityResult | None) -> QualityResult:
        """The same, with what is remembered of those before."""
        is_same = before is not None and before.state == self.state
        now = PastResult(at=self.at, state=self.state, value=self.value)
        known = () if before is None else before.history
        return dataclasses.replace(
            self,
            since=before.since if before is not None and is_same else self.at,
            since_run=before.since_run
            if before is not None and is_same
            else self.run_id,
            history=(*known, now)[-HISTORY:],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChecks:
    """The newest results of a dataset's checks, in their order. `columns` are those of
    the data at the first check, if none are declared; `failed_days` on which the volume
    was not as usual; `samples` bad rows by check, of the last 30 days.
    """

    dataset: str
    checked_at: datetime
    loaded_at: datetime | None
    run_id: str | None
    results: tuple[QualityResult, ...] = ()
    columns: tuple[str, ...] | None = None
    failed_days: tuple[str, ...] = ()
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def failing(self) -> list[QualityResult]:
        """Those that failed."""
        return [one for one in self.results if one.state == "fail"]

    @property
    def unknown(self) -> list[QualityResult]:
        """Those that could not run."""
        return [one for one in self.results if one.state == "error"]

    def named(self, check: str) -> QualityResult | None:
        """The result of a check."""
        return next((one for one in self.results if one.check == check), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """That a person wants a run to be shown which its checks have held back."""

    dataset: str
    run_id: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLoad:
    """What a freshness check begins with: up to which run and load a dataset was
    checked by which rules, and which of its checks fail or could not run. `incident_id`
    is the newest incident of them, open or over.
    """

    dataset: str
    checked_at: datetime
    run_id: str | None
    loaded_at: datetime | None
    rules: str
    failing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    incident_id: str | None = None
    held: tuple[str, ...] = ()
    """Runs that the circuit breaker holds back."""
    waits: bool = False
    """Whether runs wait for the circuit breaker's word."""
    waiting: tuple[str, ...] = ()
    """The newest of those, at most 20."""
    shown_until: datetime | None = None
    """The newest time that shows, while runs are held back or wait."""


def shown(value: float | None) -> str:
    """A value as people write it."""
    if value is None:
        return "not known"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def checked_event(checks: DatasetChecks) -> ChecksRunEvent:
    """What the bus is told."""
    at = checks.checked_at.isoformat()
    return ChecksRunEvent(
        id=f"{checks.dataset}-checked-{at}",
        dataset=checks.dataset,
        run_id=checks.run_id,
        checked_at=at,
        checks=[
            CheckOutcome(
                check=one.check,
                metric=one.metric,
                column=one.column,
                severity=one.severity,
                state=one.state,
                value=one.value,
                must=one.must,
                reason=one.reason,
            )
            for one in checks.results[:PUBLISHED]
        ],
    )
