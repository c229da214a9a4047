"""Dynamic tables that are not refreshed: suspended, or behind their lag.

Snowflake suspends one after five failed refreshes, with all that is made from it, and
tells nobody ("Troubleshooting dynamic table refresh"). SHOW DYNAMIC TABLES says whether
it is suspended and up to when its data are (`data_timestamp`: of the last refresh that
succeeded), without a warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.dataset import Catalogue
from lambdas.core.incidents.models import DYNAMIC_TABLE_STOPPED
from lambdas.core.loading.repair import Problem
from lambdas.core.models.graph import refs_of
from lambdas.core.sql import names
from lambdas.core.sql.models import last_refresh_error
from lambdas.core.sql.target_lag import parse_target_lag
from lambdas.core.text.duration import lasting

GRACE = timedelta(minutes=15)
"""What a refresh may take besides."""
LAGS = 2
"""So many lags without a refresh are too many: Snowflake aims at one, and promises
none.
"""
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicTableNow:
    """What SHOW says of one. `data_at` is aware; None if it says none."""

    is_suspended: bool
    data_at: datetime | None


def dynamic_tables_of(catalogue: Catalogue) -> dict[str, str]:
    """The lag of each dataset and model that is a dynamic table."""
    found = {
        name: one.table.target_lag or ""
        for name, one in catalogue.datasets.items()
        if one.table.materialized == "dynamic_table"
    }
    return found | {
        name: one.target_lag or ""
        for name, one in catalogue.models.items()
        if one.materialized == "dynamic_table"
    }


def stopped_tables(
    catalogue: Catalogue,
    seen: Mapping[str, DynamicTableNow],
    *,
    database: str,
    now: datetime,
) -> list[Problem]:
    """One problem for each that stopped by itself; those that wait for it are named in
    it. `seen` is by dataset or model; what is not there is not judged.
    """
    lags = dynamic_tables_of(catalogue)
    why = {
        name: said
        for name, lag in lags.items()
        if name in seen and (said := _why(seen[name], lag, now)) is not None
    }
    roots: dict[str, list[str]] = {}
    for name in why:
        above = [one for one in _above(catalogue, name) if one in why]
        if not above:
            roots.setdefault(name, [])
        for one in above:
            if not any(other in why for other in _above(catalogue, one)):
                roots.setdefault(one, []).append(name)
    return [
        _problem(name, why[name], sorted(waiting), database=database, now=now)
        for name, waiting in sorted(roots.items())
    ]


def _why(table: DynamicTableNow, lag: str, now: datetime) -> str | None:
    if table.is_suspended:
        return "is suspended, by hand or after five failed refreshes"
    aimed_at = parse_target_lag(lag) if lag else None
    if aimed_at is None or table.data_at is None:
        return None
    behind = now - table.data_at
    if behind <= LAGS * aimed_at + GRACE:
        return None
    return (
        f"was last refreshed {lasting(behind.total_seconds())} ago, and its lag is "
        f"{lag}: its refreshes fail, or those of what it is made from"
    )


def _above(catalogue: Catalogue, name: str) -> Iterator[str]:
    """All that a model is made from, by way of others too."""
    seen: set[str] = set()
    left = [name]
    while left:
        model = catalogue.models.get(left.pop())
        for one in () if model is None else refs_of(model):
            if one not in seen:
                seen.add(one)
                left.append(one)
                yield one


def _problem(
    name: str, why: str, waiting: Sequence[str], *, database: str, now: datetime
) -> Problem:
    relation = names.analytics_view(database, name)
    listed = ", ".join(waiting[:_LISTED])
    more = f" and {len(waiting) - _LISTED} more" if len(waiting) > _LISTED else ""
    with_it = f"; {listed}{more} with it" if waiting else ""
    return Problem(
        code=DYNAMIC_TABLE_STOPPED,
        dataset=name,
        sentence=f"the dynamic table {why}{with_it}",
        next_step=f"ask Snowflake why: `{last_refresh_error(database, name)}`; once "
        f"that is corrected, `ALTER DYNAMIC TABLE {relation} RESUME`, and the same "
        "with REFRESH",
        since=now,
    )
