"""The event bus of an environment: what other systems hear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from lambdas.core.errors import DeliveryError
from lambdas.core.events import EVENTS_A_CALL, OutgoingEvent
from lambdas.core.names import EVENT_SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

BYTES_A_CALL = 256 * 1024
"""What the entries of a call come to at most: source, type and detail, in UTF-8
(EventBridge, "Calculating PutEvents event entry size")."""


class EventBus:
    """Events on EventBridge."""

    def __init__(self, *, events: EventBridgeClient, bus: str) -> None:
        self._events = events
        self._bus = bus

    def publish(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Send one event, at least once. Raises DeliveryError if the bus refuses it."""
        event = OutgoingEvent(detail_type=detail_type, detail=detail)
        for why in self.publish_all([event]).values():
            raise DeliveryError(
                f"the bus {self._bus} did not take {detail_type}: {why}"
            )

    def publish_all(self, events: Sequence[OutgoingEvent]) -> dict[str, str]:
        """Send them, by as few calls as it takes, each event at least once; why one was
        refused, by its id. Raises DeliveryError if a call fails.

        PutEvents answers 200 for entries that failed; the count tells.
        """
        # botocore takes a third of a second to import: only those pay who publish
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
        )

        refused: dict[str, str] = {}
        sound = {}
        for event in events:
            entry = self._entry(event)
            if _size(entry) < BYTES_A_CALL:
                sound[event.event_id] = entry
            else:
                refused[event.event_id] = (
                    f"{_size(entry):,} bytes; the bus takes less than {BYTES_A_CALL:,}"
                )
        for call in _calls(sound.items()):
            try:
                answer = self._events.put_events(Entries=[*call.values()])
            except (BotoCoreError, ClientError) as error:
                kinds = ", ".join(sorted({one["DetailType"] for one in call.values()}))
                raise DeliveryError(
                    f"the bus {self._bus} did not take {kinds}: {error}"
                ) from error
            if answer["FailedEntryCount"]:
                said = zip(call, answer["Entries"], strict=True)
                refused |= {
                    event_id: f"{entry['ErrorCode']}: {entry.get('ErrorMessage')}"
                    for event_id, entry in said
                    if "ErrorCode" in entry
                }
        return refused

    def _entry(self, event: OutgoingEvent) -> PutEventsRequestEntryTypeDef:
        return {
            "Source": EVENT_SOURCE,
            "DetailType": event.detail_type,
            "Detail": msgspec.json.encode(event.detail).decode(),
            "EventBusName": self._bus,
        }


def _size(entry: PutEventsRequestEntryTypeDef) -> int:
    return sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))


def _calls(
    entries: Iterable[tuple[str, PutEventsRequestEntryTypeDef]],
) -> Iterator[dict[str, PutEventsRequestEntryTypeDef]]:
    """What goes into one call each, within both of its bounds."""
    call: dict[str, PutEventsRequestEntryTypeDef] = {}
    size = 0
    for event_id, entry in entries:
        added = _size(entry)
        if len(call) == EVENTS_A_CALL or size + added >= BYTES_A_CALL:
            yield call
            call, size = {}, 0
        call[event_id] = entry
        size += added
    if call:
        yield call
