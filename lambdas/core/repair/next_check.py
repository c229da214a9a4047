"""When a case is looked at next, and what is done once nothing of it is awaited."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lambdas.core.dataset import Catalogue
from lambdas.core.loading.repair import LoadWatch, RetryState
from lambdas.core.loading.status import rest_after
from lambdas.core.ports import Warehouse
from lambdas.core.repair.case import Case, RepairCounts
from lambdas.core.sql import repair as repairing

PRUNE_EVERY = timedelta(days=1)


class NextCheck:
    """Remembers when to come back; `every` is how often the function looks."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: str,
        watch: LoadWatch,
        warehouse: Warehouse,
        every: timedelta,
        tally: RepairCounts,
    ) -> None:
        self._catalogue = catalogue
        self._database = database
        self._watch = watch
        self._warehouse = warehouse
        self._every = every
        self._tally = tally

    def rest(self, case: Case, now: datetime) -> None:
        """Nothing more can be done now; each rest is longer than the last."""
        look = case.look_from(now)
        rest = rest_after(look.looks, every=self._every)
        # a moment less than a tick, or a rest of one tick would last two
        next_at = now + rest - timedelta(seconds=30)
        self._watch.remember(
            dataclasses.replace(look, looks=look.looks + 1, next_at=next_at)
        )

    def soon(self, case: Case, now: datetime) -> None:
        """Something is about to be loaded: the next look should see it."""
        look = case.look_from(now)
        self._watch.remember(dataclasses.replace(look, next_at=now, looks=0))

    def after_refresh(self, case: Case, files: Iterable[str], now: datetime) -> None:
        """As `soon`, with the names of the files that REFRESH was asked for."""
        look = case.look_from(now)
        self._watch.remember(
            dataclasses.replace(
                look,
                next_at=now,
                looks=0,
                refreshes=look.refreshes + 1,
                refreshed=tuple(sorted({*look.refreshed, *files})),
            )
        )

    def over(self, case: Case, now: datetime) -> None:
        """Nothing is awaited any more; once a day, old runs of a `replace` go."""
        dataset = self._catalogue.datasets.get(case.dataset)
        look = case.look
        if dataset is None or dataset.write_disposition != "replace":
            if look is not None:
                self._watch.forget(case.name)
            return
        pruned_at = look.pruned_at if look is not None else None
        if pruned_at is None or now - pruned_at >= PRUNE_EVERY:
            statement = repairing.delete_old_runs(self._database, dataset)
            self._tally.pruned += _deleted(self._warehouse.query(statement))
            pruned_at = now
        self._watch.remember(
            RetryState(dataset=case.name, next_at=now, pruned_at=pruned_at)
        )


def _deleted(rows: Sequence[tuple[object, ...]]) -> int:
    count = rows[0][0] if rows else 0
    return count if isinstance(count, int) else 0
