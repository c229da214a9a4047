"""That a pipe's status needs no warehouse in this account: ``MONITOR`` / ``PROOF``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lambdas.adapters.state.items import monitor_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROOF = "PROOF"


class ProofTable:
    """Where `catflap doctor` puts what it saw, and checks find it."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def keep(self, *, proven: bool, at: datetime) -> None:
        """In place of what was seen before."""
        item = {
            **monitor_key(PROOF),
            "proven": {"BOOL": proven},
            "at": {"S": at.isoformat()},
        }
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def is_proven(self) -> bool:
        """Whether it was seen; not before somebody has looked."""
        found = self._dynamodb.get_item(TableName=self._table, Key=monitor_key(PROOF))
        return bool(found.get("Item", {}).get("proven", {}).get("BOOL"))
