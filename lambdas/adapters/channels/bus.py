"""The bus as a channel: other systems hear of an incident as surely as people do."""

from __future__ import annotations

from lambdas.adapters.channels.registry import Tools
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.ports import Events


class BusChannel:
    """One event a notice."""

    def __init__(self, *, events: Events) -> None:
        self._events = events

    def deliver(self, batch: NoticeBatch) -> None:
        """Publish the notices' events. Raises DeliveryError or ChannelDown."""
        for notice in batch.notices:
            if notice.event is None or notice.detail is None:
                raise DeliveryError(f"notice {notice.notice_id} holds no event")
            try:
                self._events.publish(notice.event, notice.detail)
            except DeliveryError as error:
                raise ChannelDown(str(error)) from error


def make(tools: Tools) -> BusChannel:
    """On the bus of the settings."""
    return BusChannel(events=tools.events)
