"""The event bus of an environment: what other systems hear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from lambdas.core.errors import DeliveryError
from lambdas.core.names import EVENT_SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class EventBus:
    """Events on EventBridge."""

    def __init__(self, *, events: EventBridgeClient, bus: str) -> None:
        self._events = events
        self._bus = bus

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Send one event, at least once. Raises DeliveryError if the bus refuses it.

        PutEvents answers 200 for entries that failed; the count tells.
        """
        # botocore takes a third of a second to import: only those pay who publish
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
        )

        try:
            answer = self._events.put_events(
                Entries=[
                    {
                        "Source": EVENT_SOURCE,
                        "DetailType": detail_type,
                        "Detail": msgspec.json.encode(detail).decode(),
                        "EventBusName": self._bus,
                    }
                ]
            )
        except (BotoCoreError, ClientError) as error:
            raise DeliveryError(
                f"the bus {self._bus} did not take {detail_type}: {error}"
            ) from error
        if answer["FailedEntryCount"]:
            entry = answer["Entries"][0]
            raise DeliveryError(
                f"the bus {self._bus} did not take {detail_type}: "
                f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
            )
