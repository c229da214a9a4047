"""From the checks of datasets and the columns that there are to what is asked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from lambdas.core.columns.declared import declared_columns
from lambdas.core.columns.observed import Observed
from lambdas.core.dataset import Dataset, QualityCheck
from lambdas.core.errors import CatflapError
from lambdas.core.quality.comparison import titles
from lambdas.core.quality.metric import (
    CheckContext,
    ColumnChanges,
    Conclusion,
    Measure,
    SqlColumn,
    Values,
    compared,
    query_of,
)
from lambdas.core.quality.registry import METRICS
from lambdas.core.quality.release import released_with
from lambdas.core.quality.result import QualityResult
from lambdas.core.quality.statements import Branch, Key, rows_of_run
from lambdas.core.sql import names
from lambdas.core.sql.views import candidate_select

Columns = Mapping[str, Mapping[str, SqlColumn]]
"""Columns by their names, of relations by theirs, as INFORMATION_SCHEMA has both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCheck:
    """A check that can run, and what it asks."""

    key: Key
    context: CheckContext
    measure: Measure

    def conclude(self, values: Values) -> Conclusion:
        """What the answer means. Raises ValueError if it is no number."""
        check = self.context.check
        if check.metric is not None:
            return METRICS[check.metric].conclude(self.context, values)
        if values[0] is None:
            raise ValueError("the query answered null, and a number was expected")
        return compared(check, values[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDataset:
    """A dataset whose checks are to run, and what is known of it. `run_id` is its
    newest run that is loaded, `expected` the columns at its first check.
    """

    dataset: Dataset
    run_id: str | None
    observed: Observed
    expected: tuple[str, ...] | None = None
    skipped: frozenset[date] = frozenset()
    candidates: tuple[str, ...] | None = None
    """Runs that the circuit breaker may show: judged as if it did."""

    @property
    def changes(self) -> ColumnChanges:
        """Columns that are new, and that are gone."""
        seen, gone = self.observed.columns, {*self.observed.missing}
        declared = [one.top for one in declared_columns(self.dataset)]
        known = [one for one in declared if one is not None]
        wanted = known if self.dataset.columns is not None else self.expected
        if wanted is None:
            return ColumnChanges()
        return ColumnChanges(
            new=tuple(one for one in seen if one not in wanted),
            missing=tuple(
                dict.fromkeys(one for one in wanted if one not in seen or one in gone)
            ),
        )


@dataclass(slots=True, kw_only=True)
class QualityPlan:
    """What is asked, and why a check cannot run, by its key."""

    database: str
    columns: Columns
    now: datetime
    checks: dict[Key, PlannedCheck] = field(default_factory=dict)
    errors: dict[Key, str] = field(default_factory=dict)

    def add(self, one: CheckedDataset) -> None:
        """The checks of a dataset."""
        for number, check in enumerate(one.dataset.quality):
            key = (one.dataset.name, number)
            try:
                context = self._context(one, check)
                measure = (
                    query_of(context)
                    if check.metric is None
                    else METRICS[check.metric].measure(context)
                )
            except (ValueError, CatflapError) as error:
                self.errors[key] = str(error)
            else:
                self.checks[key] = PlannedCheck(
                    key=key, context=context, measure=measure
                )

    def branches(self) -> list[Branch]:
        """What is to be asked: one pass a relation, and a query for each of its own."""
        passes: dict[str, list[PlannedCheck]] = {}
        found = []
        for one in self.checks.values():
            if one.measure.query is not None:
                found.append(_query(one, one.measure.query))
            elif one.measure.aggregates:
                passes.setdefault(one.context.relation, []).append(one)
        return found + [
            Branch(
                relation=relation,
                checks=tuple((one.key, one.measure.aggregates) for one in together),
                is_own=any(one.context.check.filter for one in together),
            )
            for relation, together in passes.items()
        ]

    def _context(self, one: CheckedDataset, check: QualityCheck) -> CheckContext:
        name = one.dataset.name
        relation = names.analytics_view(self.database, name)
        if relation_name(name) not in self.columns:
            raise ValueError(f"{relation} is not there yet, or cannot be read")
        if one.candidates is not None:
            runs = released_with(self.database, name, one.candidates)
            seen = one.observed.columns
            relation = f"({candidate_select(self.database, one.dataset, seen, runs)})"
        if check.on == "run":
            run_id = max(one.candidates or (), default=one.run_id)
            if run_id is None:
                raise ValueError("no run is loaded yet")
            relation = rows_of_run(relation, run_id)
        other, match = self._other(check)
        return CheckContext(
            dataset=one.dataset,
            check=check,
            relation=relation,
            now=self.now,
            column=None if check.column is None else self._column(name, check.column),
            other=other,
            match=match,
            changes=one.changes,
            skipped=one.skipped,
        )

    def _other(self, check: QualityCheck) -> tuple[str, SqlColumn | None]:
        dataset = check.arguments.dataset
        if check.metric != "references" or dataset is None:
            return "", None
        column = check.arguments.column or check.column or ""
        other = names.analytics_view(self.database, dataset)
        return other, self._column(dataset, column)

    def _column(self, dataset: str, written: str) -> SqlColumn:
        known = self.columns.get(relation_name(dataset))
        if known is None:
            raise ValueError(
                f"{names.analytics_view(self.database, dataset)} is not there yet, or "
                "cannot be read"
            )
        wanted = names.plain(names.identifier(written))
        found = known.get(wanted) or known.get(written)
        if found is None:
            near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise ValueError(f"{dataset} has no column {wanted}{hint}")
        return found


def relation_name(dataset: str) -> str:
    """As INFORMATION_SCHEMA has it."""
    return names.plain(names.identifier(dataset))


def _query(one: PlannedCheck, query: str) -> Branch:
    is_own = one.context.check.query is not None
    return Branch(
        relation="",
        checks=((one.key, (query,)),),
        is_own=is_own or one.context.check.filter is not None,
        is_query=True,
    )


def columns_of(rows: Sequence[Sequence[object]]) -> Columns:
    """What `columns_query` answered."""
    found: dict[str, dict[str, SqlColumn]] = {}
    for table, column, kind in rows:
        known = found.setdefault(str(table), {})
        known[str(column)] = SqlColumn(name=str(column), type=str(kind))
    return found


def results_of(
    plan: QualityPlan,
    one: CheckedDataset,
    values: Mapping[Key, Values],
    errors: Mapping[Key, str],
) -> Iterator[QualityResult]:
    """The result of each check of a dataset, in their order."""
    named = titles(one.dataset.quality)
    for number, check in enumerate(one.dataset.quality):
        key = (one.dataset.name, number)
        why = plan.errors.get(key) or errors.get(key)
        ended: Conclusion | None = None
        if why is None:
            planned = plan.checks[key]
            answer = values.get(key, (planned.measure.known,))
            try:
                ended = planned.conclude(answer)
            except ValueError as error:
                why = str(error)
        yield QualityResult(
            check=named[number],
            metric=check.metric or "query",
            column=check.column,
            severity=check.severity,
            state="error" if ended is None else "pass" if ended.passed else "fail",
            value=None if ended is None else ended.value,
            must="" if ended is None else ended.must,
            at=plan.now,
            run_id=one.run_id,
            reason=_why(why, one.dataset)
            if ended is None
            else ", ".join(ended.names)[:300] or None,
        )


def _why(text: str | None, dataset: Dataset) -> str:
    """Why a check could not run. What Snowflake says may hold a value of a row, which
    may be a person's.
    """
    line = " ".join((text or "it was not asked").split())
    if any(one.is_personal for one in declared_columns(dataset)):
        line = re.sub(r"'[^']*'", "'…'", line)
    return line[:300]
