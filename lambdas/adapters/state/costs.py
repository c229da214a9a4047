"""What each dataset cost in the last week, in words: ``MONITOR`` / ``COSTS``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lambdas.adapters.state.items import monitor_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COSTS = "COSTS"
MOST = 2_000
"""Datasets; an item ends at 400 KB."""


class CostTable:
    """Where the weekly report puts it, and the status page finds it."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def keep(self, costs: Mapping[str, str]) -> None:
        """In place of those of the week before; the first of them, if they are many."""
        kept = dict(list(costs.items())[:MOST])
        item = {**monitor_key(COSTS), "costs": {"S": json.dumps(kept)}}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def read(self) -> dict[str, str]:
        """By dataset; empty before the first report."""
        found = self._dynamodb.get_item(TableName=self._table, Key=monitor_key(COSTS))
        item = found.get("Item")
        known: dict[str, str] = json.loads(item["costs"]["S"]) if item else {}
        return known
