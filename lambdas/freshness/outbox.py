"""Delivering what waits: each channel for itself, whatever fails stays for next time.

A notice is taken out of the outbox only after its channel took it. A death in between
delivers it twice, with the same id; it is never lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lambdas.core.errors import ChannelDown, DeliveryError, PartlyDelivered
from lambdas.core.incidents.groups import batches_of
from lambdas.core.incidents.incident import Recipient
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.incidents.ports import Channel, IncidentState

LOG = logging.getLogger("catflap.freshness.outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of the notices that waited."""

    delivered: int
    left: tuple[Notice, ...]
    """Those that wait still."""


class Outbox:
    """Takes messages from the outbox to their channels."""

    def __init__(
        self,
        *,
        state: IncidentState,
        channels: Mapping[str, Channel],
        pointers: Pointers,
        has_time: Callable[[], bool],
    ) -> None:
        """`has_time` says whether there is time for one more message."""
        self._state = state
        self._channels = channels
        self._pointers = pointers
        self._has_time = has_time

    def deliver(self, waiting: Sequence[Notice]) -> Delivered:
        """Deliver all that waits, as far as channels take it; they raise nothing."""
        gone: set[str] = set()
        ordered = sorted(waiting, key=lambda one: (one.created_at, one.notice_id))
        # People first: thousands of events may take all the time there is.
        of_systems = {x.channel for x in ordered if x.audience is Recipient.SYSTEMS}
        names = sorted({x.channel for x in ordered}, key=lambda x: (x in of_systems, x))
        for name in names:
            mine = [notice for notice in ordered if notice.channel == name]
            try:
                delivered = self._deliver_by(name, mine)
            except Exception:
                LOG.exception("channel %s failed; retrying with the next check", name)
                continue
            gone |= {notice.notice_id for notice in delivered}
        left = tuple(one for one in ordered if one.notice_id not in gone)
        return Delivered(delivered=len(waiting) - len(left), left=left)

    def _deliver_by(self, name: str, notices: Sequence[Notice]) -> Sequence[Notice]:
        """Those that are out of the outbox now."""
        channel = self._channels.get(name)
        if channel is None:
            # Its secret was removed from the settings: nobody reads there any more.
            LOG.warning(
                "channel %s no longer exists; dropped %s notices", name, len(notices)
            )
            self._state.delivered(notices)
            return notices
        delivered: list[Notice] = []
        for batch in batches_of([self._pointers.in_notice(one) for one in notices]):
            if not self._has_time():
                LOG.warning(
                    "out of time; %s delivers the rest with the next check", name
                )
                break
            try:
                channel.deliver(batch)
            except PartlyDelivered as error:
                LOG.warning("%s; retrying with the next check", error)
                taken = [x for x in batch.notices if x.notice_id not in error.left]
                self._state.delivered(taken)
                delivered += taken
                continue
            except ChannelDown as error:
                LOG.warning(
                    "channel %s is down; retrying with the next check: %s", name, error
                )
                break
            except DeliveryError as error:
                LOG.warning(
                    "could not deliver %s; retrying with the next check: %s",
                    batch.batch_id,
                    error,
                )
                continue
            self._state.delivered(batch.notices)
            delivered += batch.notices
        return delivered
