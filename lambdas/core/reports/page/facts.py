"""What the status page is made of, and of whom it tells in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from lambdas.core.dataset import Catalogue
from lambdas.core.freshness.attainment import Day
from lambdas.core.incidents.incident import Incident
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.incidents.ports import CheckState
from lambdas.core.models.graph import inputs_of
from lambdas.core.pull.run import Run
from lambdas.core.quality.result import CheckedLoad, DatasetChecks
from lambdas.core.reports.page.row_state import OF_STATE, WORST_FIRST, RowState

IN_FULL = 60
"""Rows that are told of in full: those that are not well, then the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """What the page is made of. `incidents` are open ones, by dataset; `runs` are the
    newest of a dataset, newest first; `days` are those that are over.
    """

    environment: str
    now: datetime
    check_every: timedelta
    catalogue: Catalogue
    state: CheckState
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    days: Mapping[str, Sequence[Day]] = field(default_factory=dict)
    loads: Mapping[str, CheckedLoad] = field(default_factory=dict)
    """What quality checks found in the newest load, by dataset."""
    checks: Mapping[str, DatasetChecks] = field(default_factory=dict)
    costs: Mapping[str, str] = field(default_factory=dict)
    """What each dataset cost in the last week, in a sentence."""
    pointers: Pointers = field(default_factory=Pointers)
    simulated: bool = False


def in_full(
    catalogue: Catalogue,
    state: CheckState,
    loads: Mapping[str, CheckedLoad] = MappingProxyType({}),
    *,
    most: int = IN_FULL,
) -> list[str]:
    """The datasets and models that are told of in full, the worst first."""

    def known(name: str) -> RowState:
        watch = state.watches.get(name)
        if watch is None:
            return RowState.UNKNOWN
        is_failing = name in loads and bool(loads[name].failing)
        is_open = watch.incident_id is not None or is_failing
        is_risk = is_open and OF_STATE[watch.state] is RowState.ON_TIME
        return RowState.AT_RISK if is_risk else OF_STATE[watch.state]

    def order(name: str) -> tuple[int, bool, str]:
        is_model = name in catalogue.models
        inputs = inputs_of(catalogue, name) if is_model else (name,)
        own = [name] if name in state.watches else []
        worst = min(WORST_FIRST.index(known(one)) for one in (*own, *inputs))
        return worst, is_model, name

    return sorted((*catalogue.datasets, *catalogue.models), key=order)[:most]
