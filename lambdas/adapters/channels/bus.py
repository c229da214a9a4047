"""The bus as a channel: other systems hear of an incident as surely as people do."""

from __future__ import annotations

from lambdas.adapters.channels.registry import Tools
from lambdas.core.errors import ChannelDown, DeliveryError, PartlyDelivered
from lambdas.core.events import OutgoingEvent
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.ports import Bus


class BusChannel:
    """One event a notice."""

    def __init__(self, *, events: Bus) -> None:
        self._events = events

    def deliver(self, batch: NoticeBatch) -> None:
        """Publish the notices' events. Raises PartlyDelivered or ChannelDown."""
        events = {
            notice.notice_id: OutgoingEvent(
                detail_type=notice.event, detail=notice.detail
            )
            for notice in batch.notices
            if notice.event is not None and notice.detail is not None
        }
        try:
            refused = self._events.publish_all([*events.values()])
        except DeliveryError as error:
            raise ChannelDown(str(error)) from error
        left = {
            notice.notice_id: "the notice holds no event"
            if (event := events.get(notice.notice_id)) is None
            else refused[event.event_id]
            for notice in batch.notices
            if notice.notice_id not in events
            or events[notice.notice_id].event_id in refused
        }
        if left:
            why = "; ".join(f"{name}: {reason}" for name, reason in left.items())
            raise PartlyDelivered(f"the bus refused {why}", left=left.keys())


def make(tools: Tools) -> BusChannel:
    """On the bus of the settings."""
    return BusChannel(events=tools.events)
