"""How many rows repeat a value that another row has."""

from __future__ import annotations

from lambdas.core.quality.metric import CheckContext, Metric


class DuplicateValues(Metric):
    """ODCS duplicateValues: surplus rows, so that a value held three times counts 2."""

    name = "duplicateValues"
    meaning = "surplus rows: rows less nulls less distinct values of the column"

    def counted(self, context: CheckContext) -> str:
        """Nulls repeat nothing."""
        value, only = context.of_column.sql, context.check.filter
        if only is not None:
            value = f"IFF(({only}\n), {value}, NULL)"
        return f"COUNT({value}) - COUNT(DISTINCT {value})"
