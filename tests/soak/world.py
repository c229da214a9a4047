"""Virtual time, and the one place where effects happen or go wrong.

An invocation that is *paused* stands still in the middle of an effect while the world
goes on: others are invoked, crash, commit. Then it wakes up and goes on with what it
knew. So two invocations interleave at every effect, in one thread and replayable.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tests.soak.faults import Fault, Killed, Mishap, Weather

T = TypeVar("T")

EPOCH = datetime(2013, 1, 1, tzinfo=UTC)
_DEEPEST = 4
"""Invocations that stand still at once."""
LONGEST_PAUSE_S = 3 * 3600


class World:
    """Time in seconds since `EPOCH`, what is to come, and what was seen."""

    def __init__(self, *, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now_s = 0.0
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self.weather = Weather(
            rng=self.rng, rate=self.rng.choice((0.02, 0.04, 0.08, 0.15))
        )
        self.trace: list[str] | None = None
        self._coming: list[tuple[float, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._depth = 0
        self.alive = [True]
        """Of each process that is not over, innermost last: whether it is alive."""

    def now(self) -> datetime:
        """The true time."""
        return EPOCH + timedelta(seconds=self.now_s)

    def at(self, when_s: float, what: Callable[[], None]) -> None:
        """Let something happen at a time, or now if that is past."""
        self._scheduled += 1
        heapq.heappush(self._coming, (max(when_s, self.now_s), self._scheduled, what))

    def run_until(self, when_s: float) -> None:
        """Let time pass, and happen what is due."""
        while self._coming and self._coming[0][0] <= when_s:
            due_s, _, what = heapq.heappop(self._coming)
            self.now_s = max(self.now_s, due_s)
            what()
        self.now_s = max(self.now_s, when_s)

    def violated(self, what: str) -> None:
        """Note that a promise was broken; the run goes on, so that nothing hides it."""
        self.note(f"VIOLATED: {what}")
        self.violations.append(what)

    def note(self, what: str) -> None:
        """Write a line of the trace, if one is wanted."""
        if self.trace is not None:
            indent = "  " * self._depth
            self.trace.append(f"{self.now_s:10.1f} {indent}{what}")

    def happens(self, mishap: Mishap, chance: float) -> bool:
        """Whether a mishap happens; counted if it does."""
        if not self.weather.happens(chance):
            return False
        self.counts[mishap] += 1
        return True

    def effect(
        self, name: str, do: Callable[[], T], refuse: Callable[[bool], Exception]
    ) -> T:
        """Carry an effect out, or let it go wrong.

        `refuse` makes the error of the service that was asked; its argument says
        whether the effect was done.
        """
        if not self.alive[-1]:
            raise Killed(name)
        self.now_s += self.rng.random() * 0.2
        fault = self.weather.at_effect()
        if self.trace is not None:
            self.note(name if fault is None else f"{name}: {fault}")
        if fault is None:
            return do()
        self.counts[fault] += 1
        match fault:
            case Fault.KILLED_BEFORE:
                raise self._killed(name)
            case Fault.KILLED_AFTER:
                do()
                raise self._killed(name)
            case Fault.REFUSED:
                raise refuse(False)  # noqa: FBT003 - it was not done
            case Fault.ANSWER_LOST:
                do()
                raise refuse(True)  # noqa: FBT003 - it was done
            case Fault.DONE_TWICE:
                do()
                return do()
            case Fault.PAUSED:
                return self._paused(do)

    def _killed(self, name: str) -> Killed:
        """The process is dead: what its code still tries on its way out is not done."""
        self.alive[-1] = False
        return Killed(name)

    def _paused(self, do: Callable[[], T]) -> T:
        """Stand still before or after an effect while the world goes on."""
        if self.rng.random() < 0.5:
            result = do()
            self._let_others_run()
            return result
        self._let_others_run()
        return do()

    def _let_others_run(self) -> None:
        self._depth += 1
        if self._depth <= _DEEPEST:
            self.run_until(self.now_s + self.rng.random() ** 3 * LONGEST_PAUSE_S)
        self._depth -= 1
        self.note("… wakes up")


class WorldClock:
    """The clock of one invocation: true but for its skew."""

    def __init__(self, world: World, *, skew_s: float = 0.0) -> None:
        self._world = world
        self._skew = timedelta(seconds=skew_s)

    def now(self) -> datetime:
        """What the invocation takes for the time."""
        return self._world.now() + self._skew

    def sleep(self, seconds: float) -> None:
        """Wait, alone."""
        self._world.now_s += seconds

    def monotonic(self) -> float:
        """Never wrong."""
        return self._world.now_s
