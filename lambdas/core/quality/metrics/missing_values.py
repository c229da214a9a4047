"""How many rows have nothing in a column, whatever stands for nothing."""

from __future__ import annotations

from lambdas.core.quality.metric import CheckContext, Metric
from lambdas.core.quality.values import is_one_of


class MissingValues(Metric):
    """ODCS missingValues."""

    name = "missingValues"
    meaning = (
        "rows in which the column is null or one of `arguments.missingValues` (the "
        "empty text, if there is none)"
    )
    arguments = {"missingValues": False}  # noqa: RUF012 - a class says it once

    def bad_rows(self, context: CheckContext) -> str:
        """Null is missing always."""
        column, listed = context.of_column, context.check.arguments.missing_values
        values = [one for one in ("",) if listed is None] + [
            one for one in listed or () if one is not None
        ]
        missing = [f"{column.sql} IS NULL"]
        if values:
            missing.append(is_one_of(column, values))
        return " OR ".join(missing)
