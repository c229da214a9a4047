"""Silences in the state table: ``MONITOR`` / ``SILENCE#<id>``, gone a day after their
end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.adapters.state.items import SILENCE, monitor_items, monitor_key
from lambdas.core.silences.silence import Silence

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT = timedelta(days=1)


class SilenceTable:
    """Where people put silences, and checks find them."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def all(self) -> list[Silence]:
        """Those that are not over for long, by id."""
        items = monitor_items(self._dynamodb, self._table, SILENCE)
        return [silence_of(item) for item in items]

    def keep(self, silence: Silence) -> None:
        """Begin it."""
        expires = int((silence.ends_at + KEPT).timestamp())
        item = {
            **monitor_key(SILENCE, silence.silence_id),
            "silence": {"S": msgspec.json.encode(silence).decode()},
            "expires_at": {"N": str(expires)},
        }
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def drop(self, silence_id: str) -> None:
        """End it; gone already is fine."""
        key = monitor_key(SILENCE, silence_id)
        self._dynamodb.delete_item(TableName=self._table, Key=key)


def silence_of(item: dict[str, Any]) -> Silence:
    """The silence of an item."""
    return msgspec.json.decode(item["silence"]["S"], type=Silence)
