"""Judging datasets: their age first, for all at once; what lies on the way of their
rows only of those that are late.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.adapters.signals.collect import CollectedSignals, Collector
from lambdas.adapters.signals.tables import TableReader
from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import PullFacts
from lambdas.core.diagnosis.signals import Deployment, Monitor, Signals, Table, Upstream
from lambdas.core.diagnosis.verdict import Verdict, diagnose, diagnose_first_pull
from lambdas.core.freshness.assess import Limits, all_signals, table_signals
from lambdas.core.freshness.first_load import awaited_until, awaiting
from lambdas.core.freshness.landed import Witnessed
from lambdas.core.freshness.promise import is_promised
from lambdas.core.freshness.watch import Watch

LOG = logging.getLogger("catflap.freshness.judge")

LATE = frozenset({"warn", "error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One dataset's verdict, and what it rests on.

    `awaited_until` is set while a dataset waits for the first rows it ever gets.
    `is_remembered`: its table was not read; it is as the last check saw it.
    `is_witnessed`: what landed told how new it is. `change_mark` is the table's, asked
    after all of that; None: not known.
    """

    dataset: Dataset
    signals: Signals
    verdict: Verdict
    before: Watch | None
    awaited_until: datetime | None = None
    is_remembered: bool = False
    is_witnessed: bool = False
    change_mark: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdicts, in the order asked for; `unchecked` says why there is none."""

    judged: list[Judged]
    unjudged: Mapping[str, str]


class Judge:
    """Reads the tables, and collects signals where that is not enough."""

    def __init__(
        self,
        *,
        tables: TableReader,
        collector: Collector,
        limits: Limits,
        deployment: Deployment,
    ) -> None:
        self._tables = tables
        self._collector = collector
        self._limits = limits
        self._deployment = deployment

    def judge(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        *,
        now: datetime,
        failed: Collection[str] = (),
    ) -> Judgement:
        """A verdict on each of `datasets`; one that fails leaves the others theirs.

        `failed` had a pull that failed: that is told of one that waits for its first
        rows.
        """
        unjudged: dict[str, str] = {}
        judged = self._doubted(self._by_age(datasets, watches, now, unjudged), now)
        late = [
            item.dataset
            for item in judged
            if item.verdict.state.late
            or (item.awaited_until is not None and item.dataset.name in failed)
        ]
        explained = self._explained(judged, self._collector.collect(late, now=now))
        return Judgement(judged=explained, unjudged=unjudged)

    def by_landed(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        witnessed: Mapping[str, Witnessed],
        *,
        now: datetime,
    ) -> list[Judged]:
        """A verdict on each by what landed, if all are on time; else none: their tables
        are to be read.
        """
        judged = [
            dataclasses.replace(
                self._judged_by_age(one, told.table, watches.get(one.name), now),
                is_witnessed=True,
                change_mark=told.change_mark,
            )
            for one in datasets
            if (told := witnessed.get(one.name)) is not None
        ]
        is_well = all(
            item.verdict.state == "pass" and item.verdict.cause is None
            for item in judged
        )
        return judged if len(judged) == len(datasets) and is_well else []

    def remembered(self, dataset: Dataset, watch: Watch, *, now: datetime) -> Judged:
        """A verdict on a dataset as the last check saw it: its table is not read."""
        judged = self._judged_by_age(dataset, _remembered(watch), watch, now)
        return dataclasses.replace(judged, is_remembered=True)

    def by_pulls(self, judged: Sequence[Judged], *, now: datetime) -> list[Judged]:
        """Datasets that are on time, judged by their pulls besides: no warehouse is
        asked, and the source only where that decides. Those whose pulls cannot be
        looked at are left out.
        """
        datasets = [one.dataset for one in judged]
        found = self._collector.collect(datasets, now=now, sections=("pull",))
        known = {name: one for name, one in found.items() if one.pull is not None}
        looked_at = [one for one in judged if one.dataset.name in known]
        seen = self._explained(looked_at, known)
        doubted = [one.dataset for one in seen if _would_be_risk(one)]
        more = self._collector.collect(doubted, now=now, sections=("upstream",))
        joined = {
            name: dataclasses.replace(known[name], upstream=one.upstream)
            for name, one in more.items()
        }
        return self._explained(seen, joined)

    def by_newest(
        self, model: Dataset, newest: datetime, watch: Watch | None, *, now: datetime
    ) -> Judged:
        """A verdict on what is as new as `newest`, by its promise alone."""
        table = Table(
            read="ok", newest_event_at=newest, newest_loaded_at=newest, row_count=1
        )
        signals = table_signals(
            model,
            table,
            watch,
            now=now,
            limits=self._limits,
            deployment=self._deployment,
        )
        return Judged(
            dataset=model, signals=signals, verdict=diagnose(signals), before=watch
        )

    def explain(
        self, dataset: Dataset, watch: Watch | None, *, monitor: Monitor, now: datetime
    ) -> Judged:
        """A verdict on one dataset with all signals there are, late or not."""
        tables = self._tables.read([dataset.name], now=now)
        judged = self._judged_by_age(dataset, tables[dataset.name], watch, now)
        signals = judged.signals.model_copy(update={"monitor": monitor})
        judged = _judged(dataset, signals, watch)
        found = self._collector.collect([dataset], now=now)
        (explained,) = self._explained([judged], found)
        return explained

    def _by_age(
        self,
        datasets: Sequence[Dataset],
        watches: Mapping[str, Watch],
        now: datetime,
        unjudged: dict[str, str],
    ) -> list[Judged]:
        """A table that cannot be read is unknown, whatever else is known."""
        tables = self._tables.read([dataset.name for dataset in datasets], now=now)
        judged: list[Judged] = []
        for dataset in datasets:
            name = dataset.name
            try:
                seen = self._judged_by_age(
                    dataset, tables[name], watches.get(name), now
                )
            except Exception as error:
                LOG.exception("%s could not be judged", name)
                unjudged[name] = reason(error)
                continue
            judged.append(seen)
        return judged

    def _judged_by_age(
        self, dataset: Dataset, table: Table, watch: Watch | None, now: datetime
    ) -> Judged:
        signals = table_signals(
            dataset,
            table,
            watch,
            now=now,
            limits=self._limits,
            deployment=self._deployment,
        )
        return _judged(dataset, signals, watch)

    def _doubted(self, judged: Sequence[Judged], now: datetime) -> list[Judged]:
        """With the tables of those that have just become late read directly: what was
        judged came from a view, and a view can be wrong.
        """
        doubted = [
            item.dataset.name
            for item in judged
            if item.verdict.state.late
            and item.before is not None
            and item.before.state not in LATE
        ]
        if not doubted:
            return list(judged)
        tables = self._tables.read_directly(doubted, now=now)
        return [
            self._read_again(item, tables.get(item.dataset.name)) for item in judged
        ]

    def _read_again(self, item: Judged, table: Table | None) -> Judged:
        if table is None or table.read != "ok":
            return item
        signals = table_signals(
            item.dataset,
            table,
            item.before,
            now=item.signals.now,
            limits=self._limits,
            deployment=item.signals.deployment,
            evaluated=item.signals.table,
        )
        return _judged(item.dataset, signals, item.before)

    def _explained(
        self, judged: Sequence[Judged], found: Mapping[str, CollectedSignals]
    ) -> list[Judged]:
        explained = list(judged)
        for place, item in enumerate(judged):
            name = item.dataset.name
            if name not in found:
                continue
            try:
                signals = all_signals(
                    item.dataset, item.signals, found[name], limits=self._limits
                )
            except Exception:
                # One dataset's odd find must not blind the check for all others.
                LOG.exception(
                    "%s: could not read its signals; judging it without",
                    name,
                )
                continue
            explained[place] = dataclasses.replace(
                _judged(item.dataset, signals, item.before, pull=found[name].pull),
                is_remembered=item.is_remembered,
                is_witnessed=item.is_witnessed,
                change_mark=item.change_mark,
            )
        return explained


def _remembered(watch: Watch) -> Table:
    """The table as the last check saw it."""
    return Table(
        read="ok",
        newest_event_at=watch.newest_at,
        newest_loaded_at=watch.newest_loaded_at,
        row_count=watch.row_count or 0,
    )


def _would_be_risk(one: Judged) -> bool:
    """Whether it is a risk if the source has more, and only then: it is asked."""
    if one.verdict.at_risk:
        return False
    more = Upstream(probe="ok", newest_event_at=one.signals.now)
    return diagnose(one.signals.model_copy(update={"upstream": more})).at_risk


def reason(error: Exception) -> str:
    """An error in a line: its kind, and the beginning of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def _judged(
    dataset: Dataset,
    signals: Signals,
    before: Watch | None,
    *,
    pull: PullFacts | None = None,
) -> Judged:
    judged = Judged(
        dataset=dataset, signals=signals, verdict=diagnose(signals), before=before
    )
    until = awaited_until(
        dataset,
        signals,
        before,
        schedule_created_at=pull.schedule.created_at if pull else None,
    )
    is_empty = signals.table.row_count == 0
    is_concerned = is_empty or judged.verdict.state.late
    if until is None or until <= signals.now or not is_concerned:
        return judged
    late_at = until if is_promised(dataset.freshness) else None
    failed = diagnose_first_pull(signals, late_at=late_at) if is_empty else None
    verdict = failed or awaiting(judged.verdict, until=until, is_empty=is_empty)
    return dataclasses.replace(judged, verdict=verdict, awaited_until=until)
