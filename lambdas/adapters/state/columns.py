"""The columns seen of a dataset, read from the state table by whoever makes its
relation. Nothing but this is read, and nothing written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdas.adapters.state.items import LateTable
from lambdas.core.columns.observed import NOTHING_OBSERVED, Observed, observed_from_json


class StoredColumns(LateTable):
    """ObservedColumns in the state table."""

    def of(self, dataset: str) -> Observed:
        """As the newest run that landed has left it."""
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key={"pk": {"S": f"DATASET#{dataset}"}, "sk": {"S": "STATE"}},
            ProjectionExpression="observed",
            ConsistentRead=True,
        )
        return observed_in(answer.get("Item", {}))


def observed_in(item: Mapping[str, Any]) -> Observed:
    """What a state item holds of the columns."""
    if "observed" not in item:
        return NOTHING_OBSERVED
    return observed_from_json(item["observed"]["S"])
