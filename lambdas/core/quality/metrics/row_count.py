"""How many rows there are."""

from __future__ import annotations

from lambdas.core.quality.metric import CheckContext, Metric


class RowCount(Metric):
    """ODCS rowCount."""

    name = "rowCount"
    meaning = "rows"
    needs_column = False
    has_percent = False

    def counted(self, context: CheckContext) -> str:
        """All of them, or those that pass the filter."""
        return context.rows
