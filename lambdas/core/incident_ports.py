"""What watching and telling need from outside; apart from `ports`, so that a pull
does not import the diagnosis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from lambdas.core.digest import Letter
from lambdas.core.incident import Audience, Incident
from lambdas.core.notice import Notice
from lambdas.core.watch import Watch


class Channel(Protocol):
    """A way to reach people, or systems."""

    audiences: frozenset[Audience]
    """Whom it can reach."""

    def deliver(self, letter: Letter) -> None:
        """Send it, at least once; the letter's id tells copies apart.

        Raises DeliveryError, or ChannelDown if no other letter would pass either.
        """


class IncidentState(Protocol):
    """Incidents, the outbox, and what the monitor remembers."""

    def watches(self) -> Mapping[str, Watch]:
        """What is remembered of every dataset, by name."""

    def remember(self, watches: Iterable[Watch]) -> None:
        """Keep what was seen of datasets whose incidents did not change."""

    def forget(self, datasets: Iterable[str]) -> None:
        """Drop the records of datasets that exist no more."""

    def open_incident(self, dataset: str) -> Incident | None:
        """The dataset's open incident."""

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

    def undelivered(self) -> Sequence[Notice]:
        """Every notice in the outbox, the oldest first."""

    def delivered(self, notices: Iterable[Notice]) -> None:
        """Take notices out of the outbox; gone already is fine."""

    def last_check_at(self) -> datetime | None:
        """When the last check ended that came to its end."""

    def checked(self, at: datetime) -> None:
        """A check came to its end."""


class ToldRepairs(Protocol):
    """Where a repair's report becomes notices."""

    def record_repaired(self, repair_id: str, notices: Sequence[Notice]) -> None:
        """Put a repair's notices in the outbox and take its report away, or nothing.

        Raises StateConflict if somebody else did so first.
        """
