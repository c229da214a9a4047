"""Tells systems that rows were loaded since the last look."""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence

from lambdas.adapters.signals.judge import Judged
from lambdas.core.errors import DeliveryError
from lambdas.core.events import OutgoingEvent, RowsLoadedEvent
from lambdas.core.incidents.ports import Bus, IncidentState

LOG = logging.getLogger("catflap.freshness.load_events")
TOGETHER = 500
"""Looks whose events leave before the first of them is kept, and the time looked at."""


class LoadEvents:
    """Publishes them, each at least once: before the look that saw the load is kept."""

    def __init__(
        self, *, datasets: Container[str], events: Bus, state: IncidentState
    ) -> None:
        self._datasets = datasets
        self._events = events
        self._state = state

    def announce(self, judged: Sequence[Judged]) -> Mapping[str, str]:
        """Publish what was loaded; the next check publishes what the bus refuses. Why
        one could not even be kept for it, by dataset.
        """
        events = {
            event.event_id: event
            for item in judged
            if item.dataset.name in self._datasets
            and (event := load_of(item)) is not None
        }
        if not events:
            return {}
        try:
            refused = self._events.publish_all([*events.values()])
        except DeliveryError as error:
            refused = dict.fromkeys(events, str(error))
        for why in dict.fromkeys(refused.values()):
            LOG.warning("%s; the next check publishes it", why)
        unkept = self._state.keep_events(events[event_id] for event_id in refused)
        return {
            str(events[each].detail["dataset"]): why for each, why in unkept.items()
        }


def load_of(item: Judged) -> OutgoingEvent | None:
    """The event of a load since the last look; none of the first look."""
    loaded_at = item.signals.table.newest_loaded_at
    seen = item.before.newest_loaded_at if item.before is not None else None
    if loaded_at is None or seen is None or loaded_at <= seen:
        return None
    name, at = item.dataset.name, loaded_at.isoformat()
    event_at = item.signals.table.newest_event_at
    event = RowsLoadedEvent(
        id=f"{name}-loaded-{at}",
        dataset=name,
        loaded_at=at,
        newest_event_at=event_at.isoformat() if event_at else None,
        rows=None if item.is_witnessed else item.signals.table.row_count,
    )
    return OutgoingEvent(detail_type=event.detail_type, detail=event.detail())
