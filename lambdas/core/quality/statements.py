"""The statements that answer many checks at once, and what reads their answers.

One pass a table: all its checks are aggregates of one SELECT. Many tables a statement:
their rows are put together by UNION ALL, padded to one width. What holds a person's own
SQL stands in statements of its own, so that what fails is found among few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
from lambdas.core.landing.names import OF_PULL
from lambdas.core.quality.metric import Values
from lambdas.core.quality.result import DatasetChecks, QualityResult
from lambdas.core.sql import names
from lambdas.core.sql.views import loaded_runs

TABLES = 50
"""Tables read by one statement."""
EXPRESSIONS = 400
"""Aggregates, or queries, of one statement."""
TEXT = 200_000
"""Characters of one statement; Snowflake takes a million bytes."""
LOADS = 100
"""Datasets whose newest load is asked for at once."""
SAMPLED = 10
SAMPLE_COLUMNS = 30
Key = tuple[str, int]
"""A check: its dataset, and its place in `quality`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What one row of a statement answers: the aggregates of checks over one relation,
    or a person's query. `is_own`: it holds SQL of a person's.
    """

    relation: str
    checks: tuple[tuple[Key, tuple[str, ...]], ...]
    is_own: bool = False
    is_query: bool = False

    @property
    def expressions(self) -> list[str]:
        """All of them, in the order of the checks."""
        return [text for _, texts in self.checks for text in texts]

    def halves(self) -> list[Branch]:
        """Itself in two, by its checks."""
        middle = len(self.checks) // 2
        return [self._with(self.checks[:middle]), self._with(self.checks[middle:])]

    def _with(self, checks: tuple[tuple[Key, tuple[str, ...]], ...]) -> Branch:
        return Branch(
            relation=self.relation,
            checks=checks,
            is_own=self.is_own,
            is_query=self.is_query,
        )


def columns_query(database: str, relations: Sequence[str]) -> str:
    """(TABLE_NAME, COLUMN_NAME, DATA_TYPE) of relations in ANALYTICS, by their names as
    INFORMATION_SCHEMA has them.
    """
    wanted = ", ".join(names.literal(one) for one in relations)
    return (
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM "
        f"{names.identifier(database)}.INFORMATION_SCHEMA.COLUMNS "
        f"WHERE TABLE_SCHEMA = '{names.ANALYTICS_SCHEMA}' "
        f"AND TABLE_NAME IN ({wanted})"
    )


def newest_loads_query(database: str, datasets: Sequence[Dataset]) -> str:
    """(DATASET, the newest run of which a row is loaded, when its newest row was) of
    each. Where a pull replaces the one before, of what shows; with a circuit breaker,
    of all that it judges, which may have no rows.
    """
    return " UNION ALL ".join(
        f"SELECT {names.literal(one.name)} AS DATASET, {_newest(database, one)}"
        for one in datasets
    )


def _newest(database: str, dataset: Dataset) -> str:
    if dataset.breaker is not None:
        runs = loaded_runs(database, dataset)
        return f"MAX(RUN_ID), MAX(LOADED_AT) FROM ({runs}) AS A"
    table = (
        names.analytics_view(database, dataset.name)
        if dataset.write_disposition == "replace"
        else names.raw_table(database, dataset.name)
    )
    return f"MAX(_RUN_ID), MAX(_LOADED_AT) FROM {table}"


def rows_of_run(relation: str, run_id: str) -> str:
    """The rows of a relation that the pull of a run has brought."""
    return (
        f"(SELECT * FROM {relation} "
        f"WHERE STARTSWITH(_RUN_ID, {names.literal(run_id[:OF_PULL])}))"
    )


def batches(branches: Iterable[Branch]) -> Iterator[list[Branch]]:
    """Branches that are asked together: those without a person's SQL, then the rest."""
    ordered = sorted(branches, key=lambda one: (one.is_own, one.is_query))
    batch: list[Branch] = []
    for one in ordered:
        if batch and not _fits(batch, one):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _fits(batch: Sequence[Branch], one: Branch) -> bool:
    together = [*batch, one]
    width = max(len(branch.expressions) for branch in together)
    return (
        batch[0].is_own == one.is_own
        and len(together) <= TABLES
        and width * len(together) <= 10 * EXPRESSIONS
        and sum(len(branch.expressions) for branch in together) <= EXPRESSIONS
        and sum(len(text) for branch in together for text in branch.expressions) <= TEXT
    )


def batch_query(batch: Sequence[Branch]) -> str:
    """One row for each branch: its number, then its values, NULL where it has none."""
    width = max(len(branch.expressions) for branch in batch)
    return " UNION ALL ".join(
        _branch(number, branch, width) for number, branch in enumerate(batch)
    )


def _branch(number: int, branch: Branch, width: int) -> str:
    values = [f"({text})::DOUBLE" for text in branch.expressions]
    values += ["NULL::DOUBLE"] * (width - len(values))
    columns = ", ".join(f"{text} AS V{n}" for n, text in enumerate(values))
    source = "" if branch.is_query else f" FROM {branch.relation}"
    return f"SELECT {number} AS BRANCH, {columns}{source}"


def values_of(
    batch: Sequence[Branch], rows: Iterable[Sequence[object]]
) -> dict[Key, Values]:
    """What each check was answered."""
    found: dict[Key, Values] = {}
    for row in rows:
        number, *values = row
        if not isinstance(number, int):
            raise BadInput(f"a branch's number was expected, not {number!r}")
        at = 0
        for key, texts in batch[number].checks:
            found[key] = [_number(one) for one in values[at : at + len(texts)]]
            at += len(texts)
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def sample_query(
    samples: Sequence[tuple[int, str, str]], columns: Sequence[str]
) -> str:
    """Up to ten rows of each of several checks of one table: the number of the check,
    then the columns. A sample is its number, its relation and its condition.
    """
    chosen = ", ".join(names.quoted(one) for one in columns[:SAMPLE_COLUMNS])
    return " UNION ALL ".join(
        f"SELECT {number} AS CHECK_NUMBER, {chosen} FROM (SELECT {chosen} "
        f"FROM {relation} AS T WHERE {condition} LIMIT {SAMPLED})"
        for number, relation, condition in samples
    )


RESULT_COLUMNS = (
    "DATASET", "CHECK_NAME", "METRIC", "COLUMN_NAME", "SEVERITY", "STATE", "VALUE",
    "MUST", "REASON", "RUN_ID", "CHECKED_AT",
)  # fmt: skip
RESULTS_AT_ONCE = 500
RESULTS_KEPT = timedelta(days=400)
"""In that table: a year, and a month to compare it with."""


def create_checks_table(database: str) -> str:
    """`RAW._CHECKS`: every result of every check."""
    return (
        f"CREATE TABLE IF NOT EXISTS {names.checks_table(database)} "
        "(DATASET VARCHAR, CHECK_NAME VARCHAR, METRIC VARCHAR, COLUMN_NAME VARCHAR, "
        "SEVERITY VARCHAR, STATE VARCHAR, VALUE DOUBLE, MUST VARCHAR, REASON VARCHAR, "
        "RUN_ID VARCHAR, CHECKED_AT TIMESTAMP_TZ)"
    )


def insert_results(database: str, done: Iterable[DatasetChecks]) -> Iterator[str]:
    """The results as rows of that table."""
    rows = [_row(checks.dataset, one) for checks in done for one in checks.results]
    for start in range(0, len(rows), RESULTS_AT_ONCE):
        yield (
            f"INSERT INTO {names.checks_table(database)} "
            f"({', '.join(RESULT_COLUMNS)}) VALUES "
            + ", ".join(rows[start : start + RESULTS_AT_ONCE])
        )


def drop_results(database: str, before: datetime) -> str:
    """Those of checks before a time go."""
    return (
        f"DELETE FROM {names.checks_table(database)} "
        f"WHERE CHECKED_AT < {names.literal(before.isoformat())}::TIMESTAMP_TZ"
    )


def _row(dataset: str, one: QualityResult) -> str:
    texts = (dataset, one.check, one.metric, one.column, one.severity, one.state)
    value = "NULL" if one.value is None else repr(one.value)
    more = (one.must, one.reason, one.run_id, one.at.isoformat())
    return f"({', '.join(map(_text, texts))}, {value}, {', '.join(map(_text, more))})"


def _text(value: str | None) -> str:
    return "NULL" if value is None else names.literal(value)
