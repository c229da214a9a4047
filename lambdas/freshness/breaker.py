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
    is_by_pull,
    oldest_pull,
    outcome_of,
    overdue,
    record_runs,
    shown_until_query,
    waiting_query,
)
from lambdas.core.quality.result import DatasetChecks, QualityResult

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
        self._failed: dict[str, tuple[str, ...]] = {}
        """Runs that failed, while what shows without them is measured."""
        self._without: dict[str, Sequence[QualityResult]] = {}
        self._judged_alone = 0
        self._shown_by_hand: set[str] = set()

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
                held = asking.ask(held_query(self._database, dataset))
                self._held[name] = sorted(str(row[0]) for row in held)
            except WarehouseError as error:
                LOG.warning("the runs of %s wait: %s", name, error)
                continue
            found[name] = self._candidates(dataset)
        return found

    def _candidates(self, dataset: Dataset) -> tuple[str, ...]:
        """What is judged together: all that wait and are whole, or one pull of them."""
        whole = [one.run_id for one in self._waiting[dataset.name] if one.is_whole]
        if whole and is_by_pull(dataset):
            return oldest_pull(whole)
        return tuple(sorted(whole))

    def decide(
        self,
        asking: BatchMeasurement,
        one: CheckedDataset,
        checks: DatasetChecks,
        now: datetime,
    ) -> tuple[Sequence[str], list[CheckedDataset]]:
        """The runs that are held back, and what is to be judged next: where runs fail,
        what shows without them, and then each for itself.
        """
        if one.candidates is None:
            return (), []
        dataset = one.dataset
        name = dataset.name
        if name in self._failed:
            self._without[name] = checks.results
            failed = self._failed.pop(name)
            return (), [self._alone(one, failed)]
        outcome = outcome_of(dataset, checks.results, self._without.get(name))
        more = self._more_closely(one) if outcome is RunJudgement.FAIL else []
        if more:
            return (), more
        if self._record_outcome(asking, one, checks, outcome, now):
            more = self._next(one)
        if not more:
            # only now: it would change what the next is judged by
            partial = [run for run in self._waiting[name] if not run.is_whole]
            self._show_late(asking, dataset, partial, now)
            if self._held[name] or self._waiting[name]:
                self._until[name] = self._shown_until(asking, dataset, now)
        return self._held[name], more

    def _more_closely(self, one: CheckedDataset) -> list[CheckedDataset]:
        """Where runs fail for the first time: what shows without them, or if they
        replace that, the first alone.
        """
        name, runs = one.dataset.name, one.candidates
        if not runs or name in self._without:
            return []
        self._without[name] = ()
        if one.dataset.write_disposition == "replace":
            return [self._alone(one, runs)] if len(runs) > 1 else []
        self._failed[name] = runs
        return [dataclasses.replace(one, candidates=())]

    def _record_outcome(
        self,
        asking: BatchMeasurement,
        one: CheckedDataset,
        checks: DatasetChecks,
        outcome: RunJudgement,
        now: datetime,
    ) -> bool:
        """Whether it is recorded, so that the next can be judged."""
        dataset, runs = one.dataset, one.candidates or ()
        match outcome:
            case RunJudgement.PASS:
                is_recorded = self._record(asking, dataset, runs, Shown.PASSED, now)
                if is_recorded and runs and dataset.write_disposition == "replace":
                    newer = [one for one in self._held[dataset.name] if one > max(runs)]
                    self._held[dataset.name] = newer
                if is_recorded and self._without.get(dataset.name):
                    self._without[dataset.name] = checks.results
                return is_recorded
            case RunJudgement.FAIL:
                self._held[dataset.name] += runs
                return self._record(asking, dataset, runs, Shown.HELD, now)
            case RunJudgement.UNKNOWN:
                waiting = self._waiting[dataset.name]
                unknown = [run for run in waiting if run.run_id in runs]
                self._show_late(asking, dataset, unknown, now)
                return False

    def _alone(self, one: CheckedDataset, runs: tuple[str, ...]) -> CheckedDataset:
        """The first of runs that failed together; those of one pull stay together where
        its rows are looked at.
        """
        apart = runs if is_by_pull(one.dataset) else runs[:1]
        return dataclasses.replace(one, candidates=apart)

    def _show_late(
        self,
        asking: BatchMeasurement,
        dataset: Dataset,
        waiting: Sequence[WaitingRun],
        now: datetime,
    ) -> None:
        """Those of them that have waited for too long."""
        late = [run.run_id for run in overdue(dataset, waiting, now)]
        self._record(asking, dataset, late, Shown.UNCHECKED, now)

    def has_changed(self, dataset: str) -> bool:
        """Whether a person had runs of it shown: other rows show than before."""
        return dataset in self._shown_by_hand

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

    def _next(self, one: CheckedDataset) -> list[CheckedDataset]:
        """The next of several runs that failed together, or the next pull."""
        left = self._candidates(one.dataset)
        if not left or not one.candidates:
            return []
        self._judged_alone += 1
        if self._judged_alone >= ONE_BY_ONE:
            return []
        if one.dataset.name in self._without:
            return [self._alone(one, left)]
        return [dataclasses.replace(one, candidates=left)]

    def _record(
        self,
        asking: BatchMeasurement,
        dataset: Dataset,
        runs: Sequence[str],
        how: Shown,
        now: datetime,
    ) -> bool:
        """Write it, and say whether it is; what cannot be written waits still."""
        if not runs:
            return True
        name = dataset.name
        try:
            asking.ask(record_runs(self._database, name, runs, how, now))
        except WarehouseError as error:
            LOG.warning("runs of %s wait: %s", name, error)
            return False
        gone = {*runs}
        left = [run for run in self._waiting[name] if run.run_id not in gone]
        self._waiting[name] = left
        LOG.info("%s: %s: %s", name, how.value, ", ".join(runs[:10]))
        return True

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
            self._shown_by_hand.add(dataset)
            self._store.released(release)
