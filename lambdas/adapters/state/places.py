"""Places of an API in the state table, for all functions that pull it.

``PLACES#<key>`` / ``PLACES``   one item an API: who holds a place until when, a version
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from botocore.exceptions import ClientError

from lambdas.adapters.sources.rate_budget import budget_key
from lambdas.core.dataset import Api, Dataset
from lambdas.core.ports import Clock
from lambdas.core.source.places import Held, with_place, without_place

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRIES = 10
"""Writes in a row that others may be faster than. After that a pull waits its turn."""
KEPT_S = 86_400

_held = msgspec.json.Decoder(dict[str, float])


class Places(Protocol):
    """Where a pull of an API finds a place, if the API has a `max_concurrency`."""

    def take(self, dataset: Dataset, holder: str, *, life: timedelta) -> bool:
        """Whether `holder` has a place now; it ends after `life` at the latest."""

    def leave(self, dataset: Dataset, holder: str) -> None:
        """Give the place back. Never raises: it ends by itself."""


class NoLimit:
    """Places without end."""

    def take(self, dataset: Dataset, holder: str, *, life: timedelta) -> bool:
        """Always."""
        del dataset, holder, life
        return True

    def leave(self, dataset: Dataset, holder: str) -> None:
        """Nothing was taken."""


class PlaceTable:
    """Places on DynamoDB."""

    def __init__(self, *, dynamodb: DynamoDBClient, table: str, clock: Clock) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock = clock

    def take(self, dataset: Dataset, holder: str, *, life: timedelta) -> bool:
        """Whether `holder` has a place now; without `max_concurrency` always."""
        client = dataset.source.client
        if not isinstance(client, Api) or client.max_concurrency is None:
            return True
        limit, now = client.max_concurrency, self._now()
        until = now + life.total_seconds()
        return self._changed(
            client,
            lambda held: with_place(held, holder, limit=limit, now=now, until=until),
        )

    def leave(self, dataset: Dataset, holder: str) -> None:
        """Give the place back. Never raises: it ends by itself."""
        client = dataset.source.client
        if isinstance(client, Api) and client.max_concurrency is not None:
            now = self._now()
            try:
                self._changed(client, lambda held: without_place(held, holder, now=now))
            except ClientError:
                return

    def _changed(
        self, api: Api, change: Callable[[Held], dict[str, float] | None]
    ) -> bool:
        """Whether `change` was made; not if it says None, or others are faster."""
        key = {"pk": {"S": f"PLACES#{budget_key(api)}"}, "sk": {"S": "PLACES"}}
        for _ in range(TRIES):
            item = self._dynamodb.get_item(
                TableName=self._table, Key=key, ConsistentRead=True
            ).get("Item", {})
            version = int(item["version"]["N"]) if item else 0
            after = change(_held.decode(item["places"]["S"]) if item else {})
            if after is None:
                return False
            if self._put(key, after, version):
                return True
        return False

    def _put(self, key: dict[str, Any], held: Held, version: int) -> bool:
        expires_at = int(max([self._now(), *held.values()])) + KEPT_S
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    **key,
                    "places": {"S": msgspec.json.encode(held).decode()},
                    "version": {"N": str(version + 1)},
                    "expires_at": {"N": str(expires_at)},
                },
                ConditionExpression="attribute_not_exists(pk) OR #version = :before",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":before": {"N": str(version)}},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _now(self) -> float:
        return self._clock.now().timestamp()
