"""The circuit breakers of datasets: what waits is judged, and shown or held back."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from lambdas.core.dataset import Dataset
from lambdas.core.errors import WarehouseError
from lambdas.core.quality.measurement import BatchMeasurement
from lambdas.core.quality.plan import CheckedDataset
from lambdas.core.quality.ports import CheckStore
from lambdas.core.quality.release import (
    ONE_BY_ONE,
    RunJudgement,
    Shown,
    WaitingRun,
    held_query,
    outcome_of,
    overdue,
    record_runs,
    shown_until_query,
    waiting_query,
)
from lambdas.core.quality.result import DatasetChecks

LOG = logging.getLogger("catflap.freshness.breaker")
WAITING_KEPT = 20
"""Runs that wait and are remembered by name."""


class Breaker:
    """Decides about the runs of one look at the checks."""

    def __init__(self, *, database: str, store: CheckStore) -> None:
        self._database = database
        self._store = store
        self._waiting: dict[str, list[WaitingRun]] = {}
        self._held: dict[str, list[str]] = {}
        self._until: dict[str, datetime | None] = {}
        self._judged_alone = 0

    def waiting(
        self, asking: BatchMeasurement, datasets: Sequence[Dataset]
    ) -> Mapping[str, tuple[str, ...]]:
        """The runs to judge, by dataset; of one without any, none. Runs that a person
        wants to be shown are shown first. A dataset that cannot be asked is left out.
        """
        found: dict[str, tuple[str, ...]] = {}
        for dataset in datasets:
            if dataset.breaker is None:
                continue
            name = dataset.name
            try:
                self._show_by_hand(asking, name)
                self._waiting[name] = self._runs(asking, dataset)
                held = asking.ask(held_query(self._database, [name]))
                self._held[name] = sorted(str(row[1]) for row in held)
            except WarehouseError as error:
                LOG.warning("the runs of %s wait: %s", name, error)
                continue
            whole = [one.run_id for one in self._waiting[name] if one.is_whole]
            found[name] = tuple(sorted(whole))
        return found

    def decide(
        self,
        asking: BatchMeasurement,
        one: CheckedDataset,
        checks: DatasetChecks,
        now: datetime,
    ) -> tuple[Sequence[str], list[CheckedDataset]]:
        """The runs that are held back, and what is to be judged next: where several
        runs fail together, each for itself.
        """
        if one.candidates is None:
            return (), []
        name, runs = one.dataset.name, one.candidates
        outcome = outcome_of(checks.results)
        if outcome is RunJudgement.FAIL and len(runs) > 1:
            rest = self._waiting[name] = [
                run for run in self._waiting[name] if run.run_id in runs
            ]
            first = min(run.run_id for run in rest)
            return (), [dataclasses.replace(one, candidates=(first,))]
        if outcome is RunJudgement.PASS:
            self._record(asking, one.dataset, runs, Shown.PASSED, now)
        elif outcome is RunJudgement.FAIL:
            self._record(asking, one.dataset, runs, Shown.HELD, now)
            self._held[name] += runs
        late = [run.run_id for run in overdue(one.dataset, self._left(one), now)]
        self._record(asking, one.dataset, late, Shown.UNCHECKED, now)
        is_next = outcome is not RunJudgement.UNKNOWN
        more = self._next(one) if is_next else []
        if not more and (self._held[name] or self._waiting[name]):
            self._until[name] = self._shown_until(asking, one.dataset, now)
        return self._held[name], more

    def is_waited_for(self, dataset: str) -> bool:
        """Whether runs of it wait still."""
        return bool(self._waiting.get(dataset))

    def waiting_runs(self, dataset: str) -> tuple[str, ...]:
        """The newest runs of it that wait."""
        runs = sorted(run.run_id for run in self._waiting.get(dataset, ()))
        return tuple(runs[-WAITING_KEPT:])

    def shown_until(self, dataset: str) -> datetime | None:
        """The newest time that shows, where something is held back or waits."""
        return self._until.get(dataset)

    def _shown_until(
        self, asking: BatchMeasurement, dataset: Dataset, now: datetime
    ) -> datetime | None:
        """None if it is not known, or lies ahead."""
        try:
            rows = asking.ask(shown_until_query(self._database, dataset))
        except WarehouseError as error:
            LOG.warning("what shows of %s was not read: %s", dataset.name, error)
            return None
        until = rows[0][0] if rows else None
        if not isinstance(until, datetime) or until.tzinfo is None:
            return None
        return until if until <= now else None

    def _left(self, one: CheckedDataset) -> list[WaitingRun]:
        return self._waiting[one.dataset.name]

    def _next(self, one: CheckedDataset) -> list[CheckedDataset]:
        """The next of several runs that failed together."""
        left = [run.run_id for run in self._left(one) if run.is_whole]
        if not left or len(one.candidates or ()) != 1:
            return []
        self._judged_alone += 1
        if self._judged_alone >= ONE_BY_ONE:
            return []
        return [dataclasses.replace(one, candidates=(min(left),))]

    def _record(
        self,
        asking: BatchMeasurement,
        dataset: Dataset,
        runs: Sequence[str],
        how: Shown,
        now: datetime,
    ) -> None:
        """Write it; what cannot be written waits still."""
        if not runs:
            return
        name = dataset.name
        try:
            asking.ask(record_runs(self._database, name, runs, how, now))
        except WarehouseError as error:
            LOG.warning("runs of %s wait: %s", name, error)
            self._waiting[name] = []
            return
        gone = {*runs}
        left = [run for run in self._waiting[name] if run.run_id not in gone]
        self._waiting[name] = left
        LOG.info("%s: %s: %s", name, how.value, ", ".join(runs[:10]))

    def _runs(self, asking: BatchMeasurement, dataset: Dataset) -> list[WaitingRun]:
        rows = asking.ask(waiting_query(self._database, [dataset]))
        return [
            WaitingRun(
                run_id=str(run_id),
                is_whole=bool(is_whole),
                loaded_at=loaded_at if isinstance(loaded_at, datetime) else None,
            )
            for _, run_id, is_whole, loaded_at in rows
        ]

    def _show_by_hand(self, asking: BatchMeasurement, dataset: str) -> None:
        for release in self._store.releases(dataset):
            statement = record_runs(
                self._database, dataset, [release.run_id], Shown.BY_HAND, release.at
            )
            asking.ask(statement)
            self._store.released(release)
