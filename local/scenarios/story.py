"""The days that the replay lives through: real data, three things that go wrong.

Offsets are days from the replay's start, in UTC. Flights leave New York by day, so
that an outage between ten in the morning and eight in the evening is nobody's night.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Stage(Protocol):
    """What a story can do to the world."""

    def hold_upstream(self, dataset: str) -> None:
        """Upstream has nothing new from now on."""

    def release_upstream(self, dataset: str) -> None:
        """Upstream catches up."""

    def pause_pipe(self, dataset: str) -> None:
        """Somebody pauses the pipe in Snowflake."""

    def resume_pipe(self, dataset: str) -> None:
        """The engineer does what the message says."""

    def lose_half(self, dataset: str) -> None:
        """Upstream has every second row, and no others."""

    def find_all(self, dataset: str) -> None:
        """Upstream has all rows again."""

    def look_at(self, relation: str) -> None:
        """Somebody asks for all of it."""

    def tell_causes(self) -> None:
        """The month is over, as far as its report knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Something that happens at a moment of the replay."""

    at: datetime
    told: str
    act: Callable[[Stage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must have been told of an incident: its cause, and to whom."""

    dataset: str
    cause: str
    pages: bool


QUIET = Expected(dataset="flights", cause="upstream_quiet", pages=False)
PAUSED = Expected(dataset="flights", cause="pipe_stopped", pages=True)
HALVED = "planes"
BY_RIGHT = ("flights", "references_dest")
"""The check that fails on the data as they are: no airport of Puerto Rico or the Virgin
Islands is in their list of airports.
"""
DAYS_NEEDED = 6


def shown_at(start: datetime) -> datetime:
    """When the status page is worth a look: flights have been late for hours."""
    return start + timedelta(days=2, hours=22)


def two_incidents(start: datetime) -> tuple[Turn, ...]:
    """Upstream goes quiet on the third day, the pipe is paused on the fifth."""

    def at(day: int, hour: int, minute: int = 0) -> datetime:
        return start + timedelta(days=day, hours=hour, minutes=minute)

    return (
        Turn(
            at=at(2, 15),
            told="upstream publishes no flights from here on",
            act=lambda stage: stage.hold_upstream("flights"),
        ),
        Turn(
            at=at(3, 0),
            told="upstream publishes what it held back",
            act=lambda stage: stage.release_upstream("flights"),
        ),
        Turn(
            at=at(4, 15),
            told="somebody pauses the pipe of flights",
            act=lambda stage: stage.pause_pipe("flights"),
        ),
        Turn(
            at=at(4, 22, 45),
            told="the engineer resumes the pipe, as the message says",
            act=lambda stage: stage.resume_pipe("flights"),
        ),
    )


def half_a_register(start: datetime) -> tuple[Turn, ...]:
    """On the fourth day upstream publishes half of the planes, for one pull."""
    day = start + timedelta(days=3)
    return (
        Turn(
            at=day + timedelta(hours=6),
            told="upstream publishes half of the planes only",
            act=lambda stage: stage.lose_half(HALVED),
        ),
        Turn(
            at=day + timedelta(hours=18),
            told="somebody asks for the planes, and sees the last whole list",
            act=lambda stage: stage.look_at(HALVED),
        ),
        Turn(
            at=day + timedelta(hours=20),
            told="upstream publishes all planes again",
            act=lambda stage: stage.find_all(HALVED),
        ),
    )


def month_ends(end: datetime) -> Turn:
    """In time for one more check, which delivers the report."""
    return Turn(
        at=end - timedelta(hours=1),
        told="the causes report is made, as on the first of each month",
        act=lambda stage: stage.tell_causes(),
    )
