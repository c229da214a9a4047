"""How many columns the data have that nobody expected."""

from __future__ import annotations

from lambdas.core.quality.metric import (
    CheckContext,
    Conclusion,
    Measure,
    Metric,
    Values,
    compared,
)


class NewColumns(Metric):
    """Of ours."""

    name = "newColumns"
    meaning = (
        "columns of the data that are not declared; where none are declared, those "
        "that came after the first check"
    )
    is_odcs = False
    needs_column = False
    has_percent = False
    may_run_on_runs = False

    def measure(self, context: CheckContext) -> Measure:
        """Each pull has noted the columns of its rows."""
        return Measure(known=float(len(context.changes.new)))

    def conclude(self, context: CheckContext, values: Values) -> Conclusion:
        """With their names."""
        return compared(context.check, values[0] or 0.0, named=context.changes.new)
