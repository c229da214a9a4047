"""Days of real data through the real handlers, an hour at a time.

The replay moves the clocks of every process to the next moment at which something is
due, lets the rows of that hour appear upstream, fires what is due and drains the
queues. Between two moments nothing is in flight, so that time may jump.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from local.inbox import Mail
from local.scenarios.story import Turn
from local.stack import EmbeddedStack
from local.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message, and when it was told."""

    at: datetime
    mail: Mail


@dataclass(kw_only=True)
class Diary:
    """What a replay has to tell in the end."""

    told: list[Told] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    moments: int = 0
    shown: dict[str, int] = field(default_factory=dict)
    """Rows of each relation that somebody looked at, then."""


class Replay:
    """Lives through a story. `start` and `end` are aware."""

    def __init__(
        self,
        *,
        stack: EmbeddedStack,
        upstream: Upstream,
        start: datetime,
        end: datetime,
        turns: Sequence[Turn],
        progress: Callable[[datetime], None],
    ) -> None:
        self.diary = Diary()
        self._stack = stack
        self._upstream = upstream
        self._now = start
        self._end = end
        self._turns = sorted(turns, key=lambda turn: turn.at)
        self._progress = progress

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self._now

    def live(self) -> Diary:
        """From start to end."""
        while (moment := self._next_moment()) is not None:
            self._step(moment)
        return self.diary

    def _next_moment(self) -> datetime | None:
        """What is due next, a turn included; None when the story is over."""
        due = self._stack.fabric.next_due()
        moments = [due] if due is not None else []
        if self._turns:
            moments.append(self._turns[0].at)
        moment = min(moments, default=None)
        return moment if moment is not None and moment < self._end else None

    def _step(self, moment: datetime) -> None:
        self._now = moment
        self._stack.set_clock(moment)
        self._upstream.release(moment)
        while self._turns and self._turns[0].at <= moment:
            turn = self._turns.pop(0)
            turn.act(self)
            self.diary.turns.append(turn)
        self._stack.fabric.tick(moment)
        self._stack.fabric.drain(moment)
        if self._stack.has_told():
            self.diary.told.extend(
                Told(at=moment, mail=mail) for mail in self._stack.topics.read()
            )
        self.diary.moments += 1
        self._progress(moment)

    def hold_upstream(self, dataset: str) -> None:
        """Upstream has nothing new from now on."""
        self._upstream.tables[dataset].is_held = True

    def release_upstream(self, dataset: str) -> None:
        """Upstream catches up."""
        table = self._upstream.tables[dataset]
        table.is_held = False
        table.release(self._now)

    def pause_pipe(self, dataset: str) -> None:
        """Somebody pauses the pipe in Snowflake."""
        self._stack.set_pipe_paused(dataset, is_paused=True)

    def lose_half(self, dataset: str) -> None:
        """Upstream has every second row, and no others."""
        self._upstream.tables[dataset].lose()

    def find_all(self, dataset: str) -> None:
        """Upstream has all rows again."""
        self._upstream.tables[dataset].find()

    def look_at(self, relation: str) -> None:
        """Somebody asks for all of it."""
        self.diary.shown[relation] = self._stack.rows_of(relation)

    def tell_causes(self) -> None:
        """The month is over, as far as its report knows."""
        for team in self._stack.project.environment.teams:
            self._stack.report("causes", now=self._now, team=team)

    def resume_pipe(self, dataset: str) -> None:
        """The engineer does what the message says."""
        self._stack.set_pipe_paused(dataset, is_paused=False)


def flat_alarms(
    hours: Sequence[datetime], *, threshold: timedelta, until: datetime
) -> int:
    """How often a check with one flat threshold would have alerted, had it watched.

    `hours` are the times of rows; an alert is raised once for each gap longer than
    `threshold`, the one up to `until` included.
    """
    ordered = [*sorted(set(hours)), until]
    return sum(later - earlier > threshold for earlier, later in pairwise(ordered))
