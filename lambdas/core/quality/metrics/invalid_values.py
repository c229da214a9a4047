"""How many rows have a value that no row should have."""

from __future__ import annotations

from collections.abc import Iterator

from lambdas.core.quality.metric import CheckContext, Metric
from lambdas.core.quality.values import compares, finds, is_one_of


class InvalidValues(Metric):
    """ODCS invalidValues; `min` and `max` are ours."""

    name = "invalidValues"
    meaning = (
        "rows whose value is none of `arguments.validValues`, does not hold "
        "`arguments.pattern`, or lies outside `min` and `max`; null is never invalid"
    )
    arguments = {  # noqa: RUF012 - a class says it once
        "validValues": False,
        "pattern": False,
        "min": False,
        "max": False,
    }
    needs_operator = False

    def bad_rows(self, context: CheckContext) -> str:
        """Those that fulfil any one of the conditions not."""
        valid = " AND ".join(f"NVL({one}, FALSE)" for one in _valid(context))
        return f"{context.of_column.sql} IS NOT NULL AND NOT ({valid})"


def _valid(context: CheckContext) -> Iterator[str]:
    column, check = context.of_column, context.check
    if check.allowed is not None:
        yield is_one_of(column, check.allowed)
    if check.arguments.pattern is not None:
        yield finds(column, check.arguments.pattern)
    if check.arguments.min is not None:
        yield compares(column, ">=", check.arguments.min)
    if check.arguments.max is not None:
        yield compares(column, "<=", check.arguments.max)
