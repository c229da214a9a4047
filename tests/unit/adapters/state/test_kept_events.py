from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from lambdas.adapters.state.events import LastingEvents
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.core.errors import DeliveryError
from lambdas.core.events import OutgoingEvent
from tests.state_table import TableInMemory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FAILED = {"id": "cats/1/failed", "dataset": "cats"}


class Bus:
    def __init__(self) -> None:
        self.is_refusing = True
        self.heard: list[object] = []

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        if self.is_refusing:
            raise DeliveryError(f"the bus refused {detail_type}")
        self.heard.append(detail["id"])


def test_what_the_bus_refuses_waits_in_the_state_for_the_next_check() -> None:
    bus, dynamodb = Bus(), cast("DynamoDBClient", TableInMemory())
    events = LastingEvents(events=bus, dynamodb=dynamodb, table="state")
    state = IncidentTable(dynamodb=dynamodb, table="state")
    events.publish("pull.failed", FAILED)
    events.publish("pull.failed", FAILED)
    kept = OutgoingEvent(detail_type="pull.failed", detail=FAILED)
    assert list(state.check_state().events) == [kept]
    state.published([kept])
    assert list(state.check_state().events) == []


def test_what_the_bus_takes_is_not_kept() -> None:
    bus, dynamodb = Bus(), cast("DynamoDBClient", TableInMemory())
    bus.is_refusing = False
    events = LastingEvents(events=bus, dynamodb=dynamodb, table="state")
    events.publish("pull.failed", FAILED)
    assert bus.heard == ["cats/1/failed"]
    state = IncidentTable(dynamodb=dynamodb, table="state")
    assert list(state.check_state().events) == []
