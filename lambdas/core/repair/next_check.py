"""When a case is checked next, and what is done once nothing of it is awaited."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import timedelta

from lambdas.core.loading.repair import RetryState
from lambdas.core.loading.status import rest_after
from lambdas.core.repair.case import (
    NOTHING_DONE,
    Case,
    RepairContext,
    RepairCounts,
)
from lambdas.core.sql import repair as repairing

PRUNE_EVERY = timedelta(days=1)


def rest(context: RepairContext, case: Case) -> None:
    """Nothing more can be done now; each rest is longer than the last."""
    retry = case.retry_from(context.now)
    # a moment less than a tick, or a rest of one tick would last two
    pause = rest_after(retry.looks, every=context.every) - timedelta(seconds=30)
    context.watch.remember(
        dataclasses.replace(retry, looks=retry.looks + 1, next_at=context.now + pause)
    )


def soon(context: RepairContext, case: Case, *, refreshed: Iterable[str] = ()) -> None:
    """The next check should see it load; `refreshed` are files sent to REFRESH."""
    retry = case.retry_from(context.now)
    files = set(refreshed)
    context.watch.remember(
        dataclasses.replace(
            retry,
            next_at=context.now,
            looks=0,
            refreshes=retry.refreshes + bool(files),
            refreshed=tuple(sorted({*retry.refreshed, *files})),
        )
    )


def over(context: RepairContext, case: Case) -> RepairCounts:
    """Nothing is awaited any more; once a day, old runs of a `replace` go."""
    dataset = context.catalogue.datasets.get(case.dataset)
    retry, counts = case.retry, NOTHING_DONE
    if dataset is None or dataset.write_disposition != "replace":
        if retry is not None:
            context.watch.forget(case.name)
        return counts
    pruned_at = retry.pruned_at if retry is not None else None
    if pruned_at is None or context.now - pruned_at >= PRUNE_EVERY:
        statement = repairing.delete_old_runs(context.database, dataset)
        counts = RepairCounts(pruned=_deleted(context.warehouse.query(statement)))
        pruned_at = context.now
    context.watch.remember(
        RetryState(dataset=case.name, next_at=context.now, pruned_at=pruned_at)
    )
    return counts


def _deleted(rows: Sequence[tuple[object, ...]]) -> int:
    count = rows[0][0] if rows else 0
    return count if isinstance(count, int) else 0
