"""What a metric is: what it asks of a table, and what it concludes from the answer.

To add one: a class in a file of `metrics/`, its name in `dataset.MetricName`.
"""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import ClassVar

from lambdas.core.dataset import Dataset, QualityCheck
from lambdas.core.quality.comparison import comparison_of
from lambdas.core.sql import names

NUMERIC = frozenset({"NUMBER", "FLOAT", "DECFLOAT", "DOUBLE", "REAL", "INT"})
TEXT = frozenset({"TEXT", "VARCHAR", "STRING"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlColumn:
    """A column of a relation, as INFORMATION_SCHEMA names it and its type."""

    name: str
    type: str

    @property
    def sql(self) -> str:
        """As it stands in a statement: quoted, since a name may be a keyword."""
        return names.quoted(self.name)

    @property
    def is_number(self) -> bool:
        """Whether it compares as a number by itself."""
        return self.type in NUMERIC

    @property
    def is_text(self) -> bool:
        """Whether it compares as a text by itself."""
        return self.type in TEXT

    @property
    def text(self) -> str:
        """Its value as text."""
        return self.sql if self.is_text else f"TO_VARCHAR({self.sql})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChanges:
    """Columns of the data beside those that were expected."""

    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """A check with all that it rests on.

    `relation` is what stands after FROM: the relation, or its rows of one run. `other`
    and `match` are relation and column of the dataset that references point to.
    `skipped` are days that say nothing of the usual volume.
    """

    dataset: Dataset
    check: QualityCheck
    relation: str
    now: datetime
    column: SqlColumn | None = None
    other: str = ""
    match: SqlColumn | None = None
    changes: ColumnChanges = ColumnChanges()
    skipped: frozenset[date] = frozenset()

    @property
    def of_column(self) -> SqlColumn:
        """The column, of a metric that has one."""
        if self.column is None:
            raise ValueError(f"{self.check.title} has no column")
        return self.column

    def counted(self, condition: str) -> str:
        """How many rows fulfil a condition, and the check's filter."""
        if self.check.filter is not None:
            condition = f"({self.check.filter}\n) AND ({condition})"
        return f"COUNT_IF({condition})"

    @property
    def rows(self) -> str:
        """How many rows there are to look at."""
        if self.check.filter is None:
            return "COUNT(*)"
        return f"COUNT_IF({self.check.filter}\n)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is asked: `aggregates` over the rows of the relation, in one pass with those
    of other checks; or a `query` that gives one number; or nothing, if it is `known`.
    """

    aggregates: tuple[str, ...] = ()
    query: str | None = None
    known: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The value of a check, whether that is well, and what it must be."""

    value: float | None
    passed: bool
    must: str
    names: tuple[str, ...] = field(default=())
    """What was counted, where it has names."""


Values = Sequence[float | None]


class Metric(ABC):
    """One thing that is measured."""

    name: ClassVar[str]
    meaning: ClassVar[str]
    """A sentence for docs/quality.md."""
    is_odcs: ClassVar[bool] = True
    """Whether it is ODCS's own; others are exported as `custom`."""
    needs_column: ClassVar[bool] = True
    arguments: ClassVar[Mapping[str, bool]] = {}
    """The arguments it takes, and whether it needs them."""
    has_percent: ClassVar[bool] = True
    may_run_on_runs: ClassVar[bool] = True
    needs_operator: ClassVar[bool] = True

    def bad_rows(self, context: CheckContext) -> str | None:
        """The condition of a row that is counted, if it counts rows that are bad."""
        del context
        return None

    def counted(self, context: CheckContext) -> str:
        """The aggregate that counts."""
        return context.counted(self.bad_rows(context) or "TRUE")

    def measure(self, context: CheckContext) -> Measure:
        """What to ask."""
        counted = self.counted(context)
        if context.check.unit == "percent":
            return Measure(aggregates=(counted, context.rows))
        return Measure(aggregates=(counted,))

    def conclude(self, context: CheckContext, values: Values) -> Conclusion:
        """What the answer means. Raises ValueError if it is no number."""
        return compared(context.check, _share(context.check, values))


def compared(
    check: QualityCheck, value: float, *, named: tuple[str, ...] = ()
) -> Conclusion:
    """A value beside the operator of its check."""
    comparison = comparison_of(check)
    if comparison is None:
        raise ValueError(f"{check.title} has no operator")
    percent = " %" if check.unit == "percent" else ""
    return Conclusion(
        value=value,
        passed=comparison.holds(value),
        must=comparison.words + percent,
        names=named,
    )


def _share(check: QualityCheck, values: Values) -> float:
    """Where there are no rows, an aggregate may be null."""
    value = values[0] or 0.0
    if check.unit == "rows":
        return value
    of = values[1] or 0.0
    return 100.0 * value / of if of else 0.0


def sql_number(value: float) -> str:
    """A number as SQL."""
    return json.dumps(value)


def query_of(context: CheckContext) -> Measure:
    """The person's own SQL, as one number; with the rows, for a percent."""
    text = (context.check.query or "").strip().rstrip(";")
    for mark in ("${table}", "{table}"):
        text = text.replace(mark, context.relation)
    if context.column is not None:
        text = text.replace("${column}", context.column.sql)
    if context.check.unit == "percent":
        text = (
            f"100 * ({text}\n) / NULLIF((SELECT COUNT(*) FROM {context.relation}), 0)"
        )
        return Measure(query=f"COALESCE({text}, 0)")
    return Measure(query=f"({text}\n)")
