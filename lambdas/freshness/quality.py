"""Quality checks: run after a load, in a wake-up of the warehouse that is there anyway,
or once an hour for all that wait.

Results are written first, then the incident with its notices, then up to which load the
dataset was checked: whatever dies in between is done again, and says the same.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

from lambdas.core.columns.declared import personal_columns
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import (
    DeliveryError,
    StateConflict,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.incidents.channels import Routes
from lambdas.core.incidents.context import context_of, removed_context
from lambdas.core.incidents.human import said_by
from lambdas.core.incidents.incident import Ending, Incident, advance, retired
from lambdas.core.incidents.notice import Notice, notices, with_notices
from lambdas.core.incidents.ports import IncidentState
from lambdas.core.incidents.quality import quality_verdict
from lambdas.core.models.graph import inputs_of
from lambdas.core.ports import Events, Warehouse
from lambdas.core.quality.due import (
    is_hour_over,
    is_waiting,
    relations,
    rules_hash,
    with_checks,
)
from lambdas.core.quality.measurement import BatchMeasurement, Row
from lambdas.core.quality.metrics.volume import judged_day
from lambdas.core.quality.plan import (
    CheckedDataset,
    Columns,
    QualityPlan,
    columns_of,
    relation_name,
    results_of,
)
from lambdas.core.quality.ports import CheckStore, LandedRuns
from lambdas.core.quality.result import (
    CheckedLoad,
    DatasetChecks,
    QualityResult,
    checked_event,
)
from lambdas.core.quality.sample import (
    named_rows,
    rows_by_check,
    sampled,
)
from lambdas.core.quality.statements import (
    LOADS,
    RESULTS_KEPT,
    columns_query,
    drop_results,
    insert_results,
    newest_loads_query,
)
from lambdas.freshness.breaker import Breaker

LOG = logging.getLogger("catflap.freshness.quality")
FAILED_DAYS = 60
"""Days of unusual volume that are remembered."""
Loads = Mapping[str, tuple[str | None, datetime | None]]
Judged = tuple[Dataset, DatasetChecks, Sequence[str]]
"""A dataset, its results, and the runs that are held back."""


class QualityChecks:
    """Runs what is due, and makes notices of it."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: str,
        environment: str | None,
        warehouse: Warehouse,
        store: CheckStore,
        runs: LandedRuns,
        state: IncidentState,
        routes: Routes,
        events: Events,
        has_time: Callable[[], bool],
    ) -> None:
        self._datasets = with_checks(catalogue)
        self._all = relations(catalogue)
        self._catalogue = catalogue
        self._database = database
        self._environment = environment
        self._warehouse = warehouse
        self._store = store
        self._runs = runs
        self._state = state
        self._routes = routes
        self._events = events
        self._has_time = has_time
        self._breaker = Breaker(database=database, store=store)

    def check(
        self, *, is_awake: bool, last_check_at: datetime | None, now: datetime
    ) -> Sequence[Notice]:
        """Run the checks that are due; the notices that were made."""
        if not self._datasets and last_check_at is not None:
            return self._retired({}, now) if is_hour_over(last_check_at, now) else ()
        known = self._store.loads()
        made = [*self._retired(known, now)]
        if is_awake or self._must_wake(known, last_check_at, now):
            made += self._checked(known, now)
        return made

    def _must_wake(
        self,
        known: Mapping[str, CheckedLoad],
        last_check_at: datetime | None,
        now: datetime,
    ) -> bool:
        """Whether anything waits for its checks, at the full hour."""
        asked = self._asked_for()
        return any(
            one.name not in known
            or known[one.name].waits
            or one.name in asked
            or self._newest_landed(one.name) not in {None, known[one.name].run_id}
            for one in self._datasets.values()
            if one.breaker is not None or is_hour_over(last_check_at, now)
        )

    def _asked_for(self) -> set[str]:
        """The relations that show other rows, since a person wants a run to be shown:
        a dataset, and what reads it.
        """
        asked = {
            one.name
            for one in self._datasets.values()
            if one.breaker is not None and self._store.releases(one.name)
        }
        return {
            one.name
            for one in self._datasets.values()
            if asked.intersection({*self._roots(one.name), *_referred(one)})
        }

    def _checked(
        self, known: Mapping[str, CheckedLoad], now: datetime
    ) -> Iterator[Notice]:
        asking = BatchMeasurement(warehouse=self._warehouse, has_time=self._has_time)
        loads, asked = self._loads(asking), self._asked_for()
        due = [
            dataset
            for name, dataset in self._datasets.items()
            if name in loads
            and loads[name][0] is not None
            and (
                name in asked
                or is_waiting(
                    dataset, known, run_id=loads[name][0], loaded_at=loads[name][1]
                )
            )
        ]
        if not due:
            return
        waiting = self._breaker.waiting(asking, due)
        subjects = [
            self._subject(one, loads, waiting.get(one.name))
            for one in due
            if one.breaker is None or one.name in waiting
        ]
        done: list[DatasetChecks] = []
        for some in self._rounds(subjects):
            for one, checks, held in self._judged(asking, some, loads, known, now):
                done.append(checks)
                yield from self._told_of(one, checks, held, now)
        self._record(asking, done)
        self._drop_old(asking, known, now)
        LOG.info(
            "checked the quality of %s datasets with %s statements",
            len(done),
            asking.statements,
        )

    def _rounds(
        self, subjects: Sequence[CheckedDataset]
    ) -> Iterator[Sequence[CheckedDataset]]:
        """What a breaker has just shown is in what is read of it: so whoever refers to
        it comes after it, and models come last.
        """
        pulled = self._catalogue.datasets
        left = [one for one in subjects if one.dataset.name in pulled]
        while left:
            gates = {one.dataset.name for one in left if one.dataset.breaker}
            free = [
                one
                for one in left
                if not (gates - {one.dataset.name}).intersection(_referred(one.dataset))
            ]
            some = free or left  # they refer to each other
            yield some
            names = {one.dataset.name for one in some}
            left = [one for one in left if one.dataset.name not in names]
        if models := [one for one in subjects if one.dataset.name not in pulled]:
            yield models

    def _judged(
        self,
        asking: BatchMeasurement,
        subjects: Sequence[CheckedDataset],
        loads: Loads,
        known: Mapping[str, CheckedLoad],
        now: datetime,
    ) -> Iterator[Judged]:
        """Their results, of those with a breaker once it has decided."""
        while subjects:
            left: list[CheckedDataset] = []
            for one, measured in self._run(asking, subjects, loads, now):
                try:
                    held, more = self._breaker.decide(asking, one, measured, now)
                    left += more
                    if more:  # which of several runs it was is found first
                        continue
                    checks = self._as_it_was(one, measured, known, held)
                    self._store.keep(checks)
                except Exception:
                    LOG.exception("the checks of %s ended early", one.dataset.name)
                    continue
                yield one.dataset, checks, held
            subjects = left

    def _told_of(
        self,
        dataset: Dataset,
        checks: DatasetChecks,
        held: Sequence[str],
        now: datetime,
    ) -> Sequence[Notice]:
        """As `_told`; what goes wrong is this dataset's alone."""
        try:
            return self._told(dataset, checks, held, now)
        except StateConflict as conflict:
            LOG.warning("%s", conflict)
        except Exception:
            LOG.exception("the checks of %s ended early", dataset.name)
        return ()

    def _run(
        self,
        asking: BatchMeasurement,
        subjects: Sequence[CheckedDataset],
        loads: Loads,
        now: datetime,
    ) -> Iterator[tuple[CheckedDataset, DatasetChecks]]:
        """The checks of some datasets, by as few statements as it takes."""
        plan = self._plan(asking, subjects, now)
        asking.values, asking.errors = {}, {}
        asking.measure(plan.branches())
        for one in subjects:
            name = one.dataset.name
            try:
                before = self._store.results(name)
                checks = self._concluded(plan, asking, one, before, loads[name][1])
            except Exception:
                LOG.exception("the checks of %s could not be concluded", name)
                continue
            yield one, checks

    def _as_it_was(
        self,
        one: CheckedDataset,
        measured: DatasetChecks,
        known: Mapping[str, CheckedLoad],
        held: Sequence[str],
    ) -> DatasetChecks:
        """While a run is held back and none was judged, the results of before: what was
        measured is what shows without it. Only what could not run may be known now.
        """
        name = one.dataset.name
        load, before = known.get(name), self._store.results(name)
        is_new = load is None or load.rules != rules_hash(one.dataset)
        if one.candidates != () or not held or is_new or before is None:
            return measured
        if self._breaker.has_changed(name):
            return measured
        kept = tuple(
            one if old is None or old.state == "error" else old
            for one, old in ((x, before.named(x.check)) for x in measured.results)
        )
        samples = {**measured.samples, **before.samples}
        return dataclasses.replace(measured, results=kept, samples=samples)

    def _loads(self, asking: BatchMeasurement) -> Loads:
        """The newest load of every dataset with checks; of none that cannot be read."""
        roots = {root for name in self._datasets for root in self._roots(name)}
        datasets = [self._catalogue.datasets[name] for name in sorted(roots)]
        found: dict[str, tuple[str | None, datetime | None]] = {}
        for start in range(0, len(datasets), LOADS):
            for row in self._bisected(asking, datasets[start : start + LOADS]):
                name, run_id, loaded_at = row
                found[str(name)] = (
                    self._empty_run(str(name)) if run_id is None else str(run_id),
                    loaded_at if isinstance(loaded_at, datetime) else None,
                )
        return self._with_models(found)

    def _roots(self, name: str) -> tuple[str, ...]:
        """The datasets whose loads a relation shows: itself, or a model's inputs."""
        if name in self._catalogue.datasets:
            return (name,)
        return inputs_of(self._catalogue, name)

    def _with_models(self, loads: Loads) -> Loads:
        """A model's newest load is the newest of its inputs, once all have come."""
        found = dict(loads)
        for name in self._datasets:
            roots = [loads.get(root, (None, None)) for root in self._roots(name)]
            runs = [run for run, _ in roots if run is not None]
            times = [at for _, at in roots if at is not None]
            if roots and len(runs) == len(roots):
                found[name] = (max(runs), max(times, default=None))
        return found

    def _empty_run(self, dataset: str) -> str | None:
        """The newest run, if it landed without rows: then the table is right to have
        none. Without one, its rows are not there yet.
        """
        newest = self._runs.newest_landed(dataset)
        return newest.run_id if newest is not None and newest.rows == 0 else None

    def _newest_landed(self, dataset: str) -> str | None:
        """Of those that change what shows."""
        newest = [
            self._runs.newest_landed(
                one,
                with_rows=self._catalogue.datasets[one].write_disposition != "replace",
            )
            for one in self._roots(dataset)
        ]
        return max((one.run_id for one in newest if one is not None), default=None)

    def _bisected(
        self, asking: BatchMeasurement, datasets: Sequence[Dataset]
    ) -> Iterator[Row]:
        try:
            yield from asking.ask(newest_loads_query(self._database, datasets))
        except WarehouseUnreachable as error:
            LOG.warning("quality checks wait for the next check: %s", error)
        except WarehouseError as error:
            if len(datasets) == 1:
                LOG.warning("%s cannot be checked: %s", datasets[0].name, error)
                return
            middle = len(datasets) // 2
            yield from self._bisected(asking, datasets[:middle])
            yield from self._bisected(asking, datasets[middle:])

    def _subject(
        self, dataset: Dataset, loads: Loads, candidates: tuple[str, ...] | None
    ) -> CheckedDataset:
        before = self._store.results(dataset.name)
        days = () if before is None else before.failed_days
        return CheckedDataset(
            dataset=dataset,
            run_id=loads[dataset.name][0],
            observed=self._runs.observed(dataset.name),
            expected=None if before is None else before.columns,
            skipped=frozenset(map(date.fromisoformat, days)),
            candidates=candidates,
        )

    def _plan(
        self,
        asking: BatchMeasurement,
        subjects: Sequence[CheckedDataset],
        now: datetime,
    ) -> QualityPlan:
        wanted = {one.dataset.name for one in subjects}
        for one in subjects:
            wanted |= {
                check.arguments.dataset
                for check in one.dataset.quality
                if check.arguments.dataset is not None
            }
        columns: Columns = {}
        error: str | None = None
        try:
            names = sorted(map(relation_name, wanted))
            columns = columns_of(asking.ask(columns_query(self._database, names)))
        except WarehouseError as refused:
            error = str(refused)
        plan = QualityPlan(database=self._database, columns=columns, now=now)
        for one in subjects:
            plan.add(one)
        if error is not None:
            plan.errors |= dict.fromkeys([*plan.errors, *plan.checks], error)
            plan.checks.clear()
        return plan

    def _concluded(
        self,
        plan: QualityPlan,
        asking: BatchMeasurement,
        one: CheckedDataset,
        before: DatasetChecks | None,
        loaded_at: datetime | None,
    ) -> DatasetChecks:
        results = tuple(
            result.after(None if before is None else before.named(result.check))
            for result in results_of(plan, one, asking.values, asking.errors)
        )
        seen = tuple(one.observed.columns)
        return DatasetChecks(
            dataset=one.dataset.name,
            checked_at=plan.now,
            loaded_at=loaded_at,
            run_id=one.run_id,
            results=results,
            columns=(before.columns if before else None) or seen or None,
            failed_days=_failed_days(plan, results, before, one.dataset),
            samples=self._samples(plan, asking, results, one.dataset),
        )

    def _samples(
        self,
        plan: QualityPlan,
        asking: BatchMeasurement,
        results: Sequence[QualityResult],
        dataset: Dataset,
    ) -> Mapping[str, Sequence[Mapping[str, object]]]:
        """Bad rows of the checks that fail; one statement a dataset, if it answers."""
        failed = [
            plan.checks[dataset.name, number]
            for number, result in enumerate(results)
            if result.state == "fail"
        ]
        asked = sampled(failed, plan.columns)
        roots = [self._catalogue.datasets[one] for one in self._roots(dataset.name)]
        is_model = dataset.name not in self._catalogue.datasets
        if asked is None or (is_model and any(map(personal_columns, roots))):
            return {}
        statement, columns = asked
        try:
            rows = rows_by_check(asking.ask(statement), columns)
        except WarehouseError as error:
            LOG.warning("the bad rows of %s were not read: %s", dataset.name, error)
            return {}
        return dict(named_rows(rows, dataset))

    def _told(
        self,
        dataset: Dataset,
        checks: DatasetChecks,
        held: Sequence[str],
        now: datetime,
    ) -> Sequence[Notice]:
        """Change the incident, and remember up to which load it was checked. `held` are
        the runs that are held back.

        A check that could not run is as it was: it neither opens nor ends anything.
        """
        known = self._store.loads().get(dataset.name)
        failing = [*checks.failing, *_unseen(checks, known)]
        verdict = quality_verdict(
            dataset.name,
            failing,
            promise=dataset.freshness,
            environment=self._environment,
            held=held,
            file=f"datasets/{dataset.name}.yaml"
            if dataset.name in self._catalogue.datasets
            else f"models/{dataset.name}.sql",
        )
        before = self._state.open_incident(dataset.name, of_checks=True)
        earlier = self._earlier(before, known)
        transition = advance(
            before,
            verdict,
            now=now,
            newest_at=checks.loaded_at,
            has_news=_has_news(failing, before, known),
            repeat=dataset.freshness.repeat_every.duration,
            earlier=earlier,
            reopen_within=dataset.freshness.reopen_within.duration,
        )
        after = transition.incident
        made: Sequence[Notice] = ()
        if after is not None and after is not before:
            made = notices(
                transition,
                verdict,
                subject=context_of(dataset),
                routes=self._routes,
                now=now,
            )
            is_again = earlier is not None and after.incident_id == earlier.incident_id
            self._state.record(
                earlier if is_again else before,
                with_notices(after, made),
                notices=made,
                watch=None,
            )
        self._store.remember(
            CheckedLoad(
                dataset=dataset.name,
                checked_at=now,
                run_id=checks.run_id,
                loaded_at=checks.loaded_at,
                rules=rules_hash(dataset),
                failing=tuple(one.check for one in failing),
                unknown=tuple(one.check for one in checks.unknown),
                incident_id=_incident_id(after, known),
                held=tuple(held),
                waits=self._breaker.is_waited_for(dataset.name),
                waiting=self._breaker.waiting_runs(dataset.name),
                shown_until=self._breaker.shown_until(dataset.name),
            )
        )
        self._publish(checks)
        return made

    def _publish(self, checks: DatasetChecks) -> None:
        """Systems hear of every result; nobody misses one that is lost."""
        event = checked_event(checks)
        try:
            self._events.publish(event.detail_type, event.detail())
        except DeliveryError as error:
            LOG.warning("%s", error)

    def _earlier(
        self, before: Incident | None, known: CheckedLoad | None
    ) -> Incident | None:
        if before is not None or known is None or known.incident_id is None:
            return None
        return self._state.incident(known.incident_id)

    def _record(self, asking: BatchMeasurement, done: Sequence[DatasetChecks]) -> None:
        """All results go to RAW._CHECKS; what cannot be written is in the state."""
        for statement in insert_results(self._database, done):
            try:
                asking.ask(statement)
            except WarehouseError as error:
                LOG.warning("results were not written to RAW._CHECKS: %s", error)
                return

    def _drop_old(
        self, asking: BatchMeasurement, known: Mapping[str, CheckedLoad], now: datetime
    ) -> None:
        """With the first results of a day."""
        newest = max((one.checked_at for one in known.values()), default=now)
        if newest.date() == now.date():
            return
        try:
            asking.ask(drop_results(self._database, now - RESULTS_KEPT))
        except WarehouseError as error:
            LOG.warning("old results stay in RAW._CHECKS until tomorrow: %s", error)

    def _retired(
        self, known: Mapping[str, CheckedLoad], now: datetime
    ) -> Sequence[Notice]:
        """End what is open of datasets whose checks are gone, and forget them."""
        gone = [
            name
            for name in known or self._store.loads()
            if name not in self._all or not self._all[name].quality
        ]
        made: list[Notice] = []
        for name in gone:
            incident = self._state.open_incident(name, of_checks=True)
            if incident is not None:
                made += self._ended(incident, now)
        if gone:
            self._store.forget(gone)
        return made

    def _ended(self, incident: Incident, now: datetime) -> Sequence[Notice]:
        dataset = self._all.get(incident.dataset)
        ending = Ending.REMOVED if dataset is None else Ending.NOT_PROMISED
        transition = retired(incident, now=now, ending=ending)
        after = transition.incident or incident
        made = notices(
            transition,
            said_by(after),
            subject=removed_context(incident.dataset)
            if dataset is None
            else context_of(dataset),
            routes=self._routes,
            now=now,
        )
        self._state.record(
            incident, with_notices(after, made), notices=made, watch=None
        )
        return made


def _referred(dataset: Dataset) -> set[str]:
    """What its checks compare its rows with."""
    named = (check.arguments.dataset for check in dataset.quality)
    return {one for one in named if one is not None}


def _unseen(checks: DatasetChecks, known: CheckedLoad | None) -> list[QualityResult]:
    """Checks that failed when they last ran, and could not run now."""
    failed = () if known is None else known.failing
    return [
        dataclasses.replace(
            one, reason=f"failed before, and could not run: {one.reason}"
        )
        for one in checks.unknown
        if one.check in failed
    ]


def _has_news(
    failing: Sequence[QualityResult], before: Incident | None, known: CheckedLoad | None
) -> bool:
    """Whether a check fails that people were not told of."""
    told = set() if known is None else {*known.failing}
    said = () if before is None else before.evidence
    return any(
        one.check not in told
        and not any(line.startswith(f"{one.check} ") for line in said)
        for one in failing
    )


def _incident_id(after: Incident | None, known: CheckedLoad | None) -> str | None:
    if after is not None:
        return after.incident_id
    return None if known is None else known.incident_id


def _failed_days(
    plan: QualityPlan,
    results: Sequence[QualityResult],
    before: DatasetChecks | None,
    dataset: Dataset,
) -> tuple[str, ...]:
    """With the day of a volume that is not as usual: no measure of those to come."""
    days = [] if before is None else [*before.failed_days]
    for number, result in enumerate(results):
        if result.metric == "volume" and (dataset.name, number) in plan.checks:
            day = judged_day(plan.checks[dataset.name, number].context).isoformat()
            days = [one for one in days if one != day]
            days += [day] if result.state == "fail" else []
    return tuple(days[-FAILED_DAYS:])
