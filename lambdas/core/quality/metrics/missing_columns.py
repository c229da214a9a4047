"""How many columns the data lack."""

from __future__ import annotations

from lambdas.core.quality.metric import (
    CheckContext,
    Conclusion,
    Measure,
    Metric,
    Values,
    compared,
)


class MissingColumns(Metric):
    """Of ours."""

    name = "missingColumns"
    meaning = (
        "declared columns that the data do not have, or no longer; where none are "
        "declared, columns that were there at the first check"
    )
    is_odcs = False
    needs_column = False
    has_percent = False
    may_run_on_runs = False

    def measure(self, context: CheckContext) -> Measure:
        """Each pull has noted the columns of its rows."""
        return Measure(known=float(len(context.changes.missing)))

    def conclude(self, context: CheckContext, values: Values) -> Conclusion:
        """With their names."""
        return compared(context.check, values[0] or 0.0, named=context.changes.missing)
