"""What watching and telling need from outside; apart from `ports`, so that a pull
does not import the diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lambdas.core.events import OutgoingEvent
from lambdas.core.freshness.watch import Watch
from lambdas.core.incidents.groups import NoticeBatch
from lambdas.core.incidents.incident import Incident
from lambdas.core.incidents.notice import Notice
from lambdas.core.loading.repair import Problem, Repaired
from lambdas.core.ports import Events
from lambdas.core.silences.silence import Silence


class Channel(Protocol):
    """A way to reach people, or systems."""

    def deliver(self, batch: NoticeBatch) -> None:
        """Send it, at least once; the batch's id tells copies apart.

        Raises DeliveryError, PartlyDelivered if others of the batch passed, or
        ChannelDown if no other message would pass either.
        """


class Bus(Events, Protocol):
    """The bus of the environment, for who has many events at once."""

    def publish_all(self, events: Sequence[OutgoingEvent]) -> Mapping[str, str]:
        """Send them, each at least once; why the bus refused one, by its id.

        Raises DeliveryError if the bus is not to be reached.
        """


class SharedAlerts(Protocol):
    """Which incidents a pager shows as one alert, until the last of them is over."""

    def all(self) -> Mapping[str, str]:
        """The key of the alert, by incident."""

    def keep(self, alert: str, incidents: Sequence[str]) -> None:
        """Remember that they share it."""

    def drop(self, incidents: Sequence[str]) -> None:
        """They are over; gone already is fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """All that a check begins with, read at once: most checks do no more."""

    watches: Mapping[str, Watch] = field(default_factory=dict)
    """What is remembered of every dataset, by name."""
    waiting: Sequence[Notice] = ()
    """Every notice in the outbox, the oldest first."""
    last_check_at: datetime | None = None
    """When the last check ended that came to its end."""
    problems: Sequence[Problem] = ()
    """What keeps rows from being loaded, by name."""
    repaired: Sequence[Repaired] = ()
    """Repairs that nobody was told of yet, by id."""
    failed: frozenset[str] = frozenset()
    """Datasets whose newest pull failed, as far as is known."""
    events: Sequence[OutgoingEvent] = ()
    """Events that the bus refused, by id."""
    silences: Sequence[Silence] = ()
    """What people silenced, whether it holds now or not."""
    own: Mapping[str, Incident] = field(default_factory=dict)
    """The open incidents of what is no dataset, by its name."""


class IncidentState(Protocol):
    """Incidents, the outbox, and what the monitor remembers."""

    def check_state(self) -> CheckState:
        """What there is to begin with."""

    def remember(self, watches: Iterable[Watch]) -> Mapping[str, str]:
        """Keep what was seen of unchanged datasets; why one was not kept, by name."""

    def forget(self, datasets: Iterable[str]) -> None:
        """Drop the records of datasets that exist no more."""

    def forget_failures(self, datasets: Iterable[str]) -> None:
        """Drop the marks of pulls that failed, of datasets that were pulled since."""

    def keep_events(self, events: Iterable[OutgoingEvent]) -> Mapping[str, str]:
        """Have the next check publish them; why one was not kept, by its id."""

    def published(self, events: Iterable[OutgoingEvent]) -> None:
        """They are on the bus, and wait no more."""

    def open_incident(
        self, dataset: str, *, of_checks: bool = False
    ) -> Incident | None:
        """The dataset's open incident; or that of its failing checks."""

    def open_incidents(self, datasets: Sequence[str]) -> Mapping[str, Incident | None]:
        """The same of many, of those that can be read at once."""

    def watch(self, dataset: str) -> Watch | None:
        """What is remembered of one dataset."""

    def incident(self, incident_id: str) -> Incident | None:
        """Any incident, open or over."""

    def record(
        self,
        before: Incident | None,
        after: Incident,
        *,
        notices: Sequence[Notice],
        watch: Watch | None,
    ) -> None:
        """Write an incident's change with all that goes with it, or nothing.

        Raises StateConflict if somebody else changed or opened one in between.
        """

    def delivered(self, notices: Iterable[Notice]) -> None:
        """Take notices out of the outbox; gone already is fine."""

    def checked(self, at: datetime) -> None:
        """A check came to its end."""


class ReportedRepairs(Protocol):
    """Where a repair's report becomes notices."""

    def record_repaired(self, repair_id: str, notices: Sequence[Notice]) -> None:
        """Put a repair's notices in the outbox and take its report away, or nothing.

        Raises StateConflict if somebody else did so first.
        """
