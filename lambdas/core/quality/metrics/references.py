"""How many rows point to a row of another dataset that is not there."""

from __future__ import annotations

from lambdas.core.quality.metric import (
    CheckContext,
    Conclusion,
    Measure,
    Metric,
    Values,
    compared,
)


class References(Metric):
    """Referential integrity, which ODCS has as a relationship and not as a metric."""

    name = "references"
    meaning = (
        "rows whose value is not in `arguments.column` of `arguments.dataset`; null "
        "points to nothing"
    )
    is_odcs = False
    arguments = {"dataset": True, "column": False}  # noqa: RUF012 - a class says it once

    def bad_rows(self, context: CheckContext) -> str:
        """Those without a match."""
        mine, theirs = context.of_column, context.match
        if theirs is None:
            raise ValueError("the column that it points to is not known")
        is_same = mine.type == theirs.type or (mine.is_number and theirs.is_number)
        left, right = (mine.sql, theirs.sql) if is_same else (mine.text, theirs.text)
        left = left.replace(mine.sql, f"T.{mine.sql}")
        right = right.replace(theirs.sql, f"R.{theirs.sql}")
        return (
            f"T.{mine.sql} IS NOT NULL AND NOT EXISTS "
            f"(SELECT 1 FROM {context.other} AS R WHERE {right} = {left})"
        )

    def measure(self, context: CheckContext) -> Measure:
        """It reads two tables, so it is a query of its own."""
        only = f" AND ({context.check.filter}\n)" if context.check.filter else ""
        source = f"{context.relation} AS T"
        query = f"(SELECT COUNT(*) FROM {source} WHERE {self.bad_rows(context)}{only})"
        if context.check.unit == "percent":
            rows = f"(SELECT {context.rows} FROM {source})"
            query = f"COALESCE(100 * {query} / NULLIF({rows}, 0), 0)"
        return Measure(query=query)

    def conclude(self, context: CheckContext, values: Values) -> Conclusion:
        """The query has made it a percent already."""
        if values[0] is None:
            raise ValueError("the answer is null, and a number was expected")
        return compared(context.check, values[0])
