"""Silences: for a time, nobody hears of what is known, as of a planned maintenance.

As in alertmanager, a silence hangs on what an incident is of (dataset, team, API,
cause) and not on the incident: one that ends and comes back is still silenced. Checks
go on; whoever was told of an incident hears of its end. What still holds when the
silence ends is told then, as if it began.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from lambdas.core.errors import BadInput
from lambdas.core.schedule.zones import zone

LONGEST = timedelta(days=30)
LONGEST_SERIES = timedelta(days=400)
SERIES = timedelta(days=90)
"""How long a silence recurs if nobody says so."""


class Every(StrEnum):
    """How often a silence recurs, at the same time of day on its zone's clock."""

    DAY = "day"
    WEEK = "week"


_DAYS = {Every.DAY: 1, Every.WEEK: 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is silenced, from when until when, why, and by whom. What is None holds for
    all; `ends_at` is when it holds for the last time. `members` are the datasets of it
    that had an open incident when it began: of one more, engineers hear.
    """

    silence_id: str
    by: str
    why: str
    starts_at: datetime
    until: datetime
    ends_at: datetime
    dataset: str | None = None
    team: str | None = None
    api: str | None = None
    cause: str | None = None
    every: Every | None = None
    timezone: str = "UTC"
    members: tuple[str, ...] = ()

    def until_at(self, now: datetime) -> datetime | None:
        """Until when it holds, if it holds `now`."""
        if not self.starts_at <= now < self.ends_at:
            return None
        if self.every is None:
            return self.until if now < self.until else None
        here = zone(self.timezone)
        first = self.starts_at.astimezone(here)
        step = _DAYS[self.every]
        passed = (now.astimezone(here).date() - first.date()).days // step
        for turn in (passed, passed - 1):
            if turn < 0:
                continue
            # By the clock on the wall: an hour is not lost or won in spring.
            day = first.date() + timedelta(days=turn * step)
            start = datetime.combine(day, first.time(), tzinfo=here).astimezone(UTC)
            end = min(start + (self.until - self.starts_at), self.ends_at)
            if start <= now < end:
                return end
        return None

    def is_of(
        self, *, dataset: str, team: str, api: str | None, cause: str | None
    ) -> bool:
        """Whether it is about such an incident."""
        wanted = (self.dataset, self.team, self.api, self.cause)
        found = (dataset, team, api, cause)
        pairs = zip(wanted, found, strict=True)
        return all(want in (None, have) for want, have in pairs)

    def is_joined_by(self, dataset: str) -> bool:
        """Whether one more is late than those that it was begun for. A silence that was
        begun before anything was late, as for planned work, is joined by none.
        """
        return bool(self.members) and dataset not in self.members

    @property
    def target(self) -> str:
        """What it is about, for people."""
        named = (
            ("dataset", self.dataset),
            ("team", self.team),
            ("API", self.api),
            ("cause", self.cause),
        )
        return ", ".join(f"{word} {name}" for word, name in named if name is not None)


def checked(silence: Silence) -> Silence:
    """The same. Raises BadInput if it is of nothing, or without an end."""
    if not silence.target:
        raise BadInput(
            "a silence is about something: add --dataset, --team, --api or --cause"
        )
    if not silence.why.strip():
        raise BadInput("--why is empty; accepted: a reason, for whoever reads it")
    if silence.until <= silence.starts_at:
        raise BadInput("--until is not after --from")
    lasts = silence.until - silence.starts_at
    if lasts > LONGEST:
        raise BadInput(f"--until: a silence lasts {LONGEST.days} days at most")
    if silence.every is None:
        return silence
    if lasts >= timedelta(days=_DAYS[silence.every]):
        raise BadInput(f"a silence of every {silence.every} is shorter than that")
    if silence.ends_at - silence.starts_at > LONGEST_SERIES:
        raise BadInput(f"--last: {LONGEST_SERIES.days} days from now at most")
    return silence


def holding(
    silences: Iterable[Silence],
    *,
    dataset: str,
    team: str,
    api: str | None,
    cause: str | None,
    now: datetime,
) -> Silence | None:
    """The silence that holds for such an incident, if one does."""
    for silence in silences:
        is_of = silence.is_of(dataset=dataset, team=team, api=api, cause=cause)
        if is_of and silence.until_at(now) is not None:
            return silence
    return None
