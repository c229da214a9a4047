"""The columns seen of a dataset, read from the state table by whoever makes its
relation. Nothing but this is read, and nothing written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lambdas.core.columns.observed import NOTHING_OBSERVED, Observed, observed_from_json

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class StoredColumns:
    """ObservedColumns in the state table; its client is made when it is first asked."""

    def __init__(self, *, client: Callable[[], DynamoDBClient], table: str) -> None:
        self._make_client = client
        self._table = table

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make_client()

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
