"""The bus as a channel: other systems hear of an incident as surely as people do."""

from __future__ import annotations

from lambdas.core.digest import Letter
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incident import Audience
from lambdas.core.ports import Events


class BusChannel:
    """One event a notice."""

    audiences = frozenset({Audience.SYSTEMS})

    def __init__(self, *, events: Events) -> None:
        self._events = events

    def deliver(self, letter: Letter) -> None:
        """Publish the notices' events. Raises DeliveryError or ChannelDown."""
        for notice in letter.notices:
            if notice.event is None or notice.detail is None:
                raise DeliveryError(f"notice {notice.notice_id} holds no event")
            try:
                self._events.publish(notice.event, notice.detail)
            except DeliveryError as error:
                raise ChannelDown(str(error)) from error
