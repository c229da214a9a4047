"""How many rows have nothing in a column."""

from __future__ import annotations

from lambdas.core.quality.metric import CheckContext, Metric


class NullValues(Metric):
    """ODCS nullValues."""

    name = "nullValues"
    meaning = "rows in which the column is null"

    def bad_rows(self, context: CheckContext) -> str:
        """Those that are null."""
        return f"{context.of_column.sql} IS NULL"
