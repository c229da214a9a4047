"""Delivering what waits: each channel for itself, whatever fails stays for next time.

A notice is taken out of the outbox only after its channel took it. A death in between
delivers it twice, with the same id; it is never lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lambdas.core.digest import Letter, letters
from lambdas.core.errors import ChannelDown, DeliveryError
from lambdas.core.incident_ports import Channel, IncidentState
from lambdas.core.notice import Notice

LOG = logging.getLogger("catflap.freshness.outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of the notices that waited."""

    delivered: int
    waiting: int


class Outbox:
    """Takes letters from the outbox to their channels."""

    def __init__(
        self,
        *,
        state: IncidentState,
        channels: Mapping[str, Channel],
        has_time: Callable[[], bool],
    ) -> None:
        """`has_time` says whether there is time for one more letter."""
        self._state = state
        self._channels = channels
        self._has_time = has_time

    def deliver(self) -> Delivered:
        """Deliver all that waits, as far as channels take it; they raise nothing."""
        waiting = self._state.undelivered()
        delivered = 0
        for name in sorted({notice.channel for notice in waiting}):
            mine = [notice for notice in waiting if notice.channel == name]
            delivered += self._deliver_by(name, mine)
        return Delivered(delivered=delivered, waiting=len(waiting) - delivered)

    def _deliver_by(self, name: str, notices: Sequence[Notice]) -> int:
        channel = self._channels.get(name)
        if channel is None:
            # Its secret was removed from the settings: nobody reads there any more.
            LOG.warning(
                "%s is no channel any more; %s notices are dropped", name, len(notices)
            )
            self._state.delivered(notices)
            return len(notices)
        delivered = 0
        for letter in letters(notices):
            if not self._has_time():
                LOG.warning("no time is left; %s delivers the rest next time", name)
                break
            try:
                channel.deliver(letter)
            except ChannelDown as error:
                LOG.warning("%s rests until the next check: %s", name, error)
                break
            except DeliveryError as error:
                LOG.warning("%s stays in the outbox: %s", _named(letter), error)
                continue
            self._state.delivered(letter.notices)
            delivered += len(letter.notices)
        return delivered


def _named(letter: Letter) -> str:
    return letter.letter_id
