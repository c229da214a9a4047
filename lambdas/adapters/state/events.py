"""Events that the bus refused: they wait in the state for the next check."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from lambdas.adapters.state.items import EVENT, monitor_key
from lambdas.core.errors import DeliveryError
from lambdas.core.events import OutgoingEvent
from lambdas.core.ports import Events

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LOG = logging.getLogger("catflap.state.events")


class LastingEvents:
    """The bus, for whoever cannot publish again: what it refuses is kept."""

    def __init__(self, *, events: Events, dynamodb: DynamoDBClient, table: str) -> None:
        self._events = events
        self._dynamodb = dynamodb
        self._table = table

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Send an event, or have the next check send it."""
        try:
            self._events.publish(detail_type, detail)
        except DeliveryError as error:
            LOG.warning("%s; the next check publishes it", error)
            event = OutgoingEvent(detail_type=detail_type, detail=detail)
            self._dynamodb.put_item(TableName=self._table, Item=event_item(event))


def event_key(event: OutgoingEvent) -> dict[str, Any]:
    """Where it stands."""
    return monitor_key(EVENT, event.event_id)


def event_item(event: OutgoingEvent) -> dict[str, Any]:
    """The item of an event that waits."""
    return {**event_key(event), "event": {"S": msgspec.json.encode(event).decode()}}
