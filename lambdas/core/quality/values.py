"""Conditions on a column's value, whatever its type is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lambdas.core.dataset import Scalar
from lambdas.core.quality.metric import SqlColumn, sql_number
from lambdas.core.sql import names

LIST = 10_000
"""Values of one IN: Snowflake takes 16,384 (its error 1795)."""


def is_one_of(column: SqlColumn, values: Sequence[Scalar]) -> str:
    """Whether the value is among these; null where the value is."""
    return "(" + " OR ".join(_alternatives(column, values)) + ")"


def _alternatives(column: SqlColumn, values: Sequence[Scalar]) -> Iterator[str]:
    texts = [names.literal(one) for one in values if isinstance(one, str)]
    truths = [str(one).upper() for one in values if isinstance(one, bool)]
    numbers = [
        sql_number(one)
        for one in values
        if isinstance(one, int | float) and not isinstance(one, bool)
    ]
    yield from _among(column.text, texts)
    yield from _among(as_number(column), numbers)
    is_truth = column.type == "BOOLEAN"
    truth = column.sql if is_truth else f"TRY_TO_BOOLEAN({column.text})"
    yield from _among(truth, truths)


def _among(value: str, written: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(written), LIST):
        yield f"NVL({value} IN ({', '.join(written[start : start + LIST])}), FALSE)"


def as_number(column: SqlColumn) -> str:
    """The value as a number; null if it is none."""
    return column.sql if column.is_number else f"TRY_TO_DOUBLE({column.text})"


def finds(column: SqlColumn, pattern: str) -> str:
    """Whether a pattern is found in the value (REGEXP_LIKE would match all of it)."""
    return f"REGEXP_SUBSTR({column.text}, {names.literal(pattern)}) IS NOT NULL"


def compares(column: SqlColumn, operator: str, limit: float | str) -> str:
    """The value beside a number, or beside a text: a date or time as the column is."""
    if isinstance(limit, str):
        written = names.literal(limit)
        is_plain = column.is_text or column.type == "VARIANT"
        cast = written if is_plain else f"{written}::{column.type}"
        return f"{column.text if is_plain else column.sql} {operator} {cast}"
    return f"{as_number(column)} {operator} {sql_number(limit)}"
