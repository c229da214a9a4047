"""What was made in Snowflake, kept in the state table from one deploy to the next.

``WAREHOUSE`` / ``MADE``   digests of statements, attributes of integrations

One item: 16 characters a dataset, so that 10,000 of them are well below an item's
400 KB.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from lambdas.core.custom_resource import Made

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = {"pk": {"S": "WAREHOUSE"}, "sk": {"S": "MADE"}}


class StoredMade:
    """A record in the state table; its client is made when it is first asked."""

    def __init__(self, *, client: Callable[[], DynamoDBClient], table: str) -> None:
        self._make_client = client
        self._table = table

    @cached_property
    def _dynamodb(self) -> DynamoDBClient:
        return self._make_client()

    def load(self) -> Made:
        """As it was saved last; nothing, if never."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_KEY, ConsistentRead=True
        )
        item = answer.get("Item")
        if item is None:
            return Made()
        return Made(
            digests=frozenset(item["digests"]["S"].split()),
            integrations=json.loads(item["integrations"]["S"]),
        )

    def save(self, made: Made) -> None:
        """Remember it. Deploys of one stack come one after the other."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                **_KEY,
                "digests": {"S": " ".join(sorted(made.digests))},
                "integrations": {
                    "S": json.dumps(dict(made.integrations), default=dict)
                },
            },
        )
