"""What can go wrong, drawn from a seed: at each effect at most one thing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """One thing that goes wrong at an effect."""

    KILLED_BEFORE = "killed before an effect"
    KILLED_AFTER = "killed after an effect"
    REFUSED = "effect refused or throttled"
    ANSWER_LOST = "effect done, its answer lost"
    DONE_TWICE = "effect done twice, by a retry of the client"
    PAUSED = "paused while others went on"


class Mishap(StrEnum):
    """One thing that goes wrong around effects."""

    CLOCK_WRONG = "clock of an invocation wrong"
    TICK_DOUBLED = "tick sent twice"
    TICK_LATE = "tick out of order"
    DELIVERED_BESIDE = "message delivered while one of its group is worked on"
    UPLOADS_EXPIRED = "uploads of recorded and forgotten runs expired"
    UPSTREAM_REFUSED = "upstream refused a page"
    POSITION_EXPIRED = "stored position refused"
    ERROR_IN_BODY = "error as the body of a page"
    EMPTY_IN_BETWEEN = "page in between empty, and nothing of more"
    SHORT_PAGE = "page shorter than it was asked for"
    PAGE_REFUSED = "page in between refused as if it were past the end"
    KEY_LOST = "records without their key"
    EVENT_DOUBLED = "S3 event sent twice"


class Killed(BaseException):
    """The process is gone: nothing may catch it and go on."""


_WEIGHTS = {
    Fault.KILLED_BEFORE: 3,
    Fault.KILLED_AFTER: 4,
    Fault.REFUSED: 3,
    Fault.ANSWER_LOST: 4,
    Fault.DONE_TWICE: 3,
    Fault.PAUSED: 5,
}
_KINDS = tuple(_WEIGHTS)
_CUMULATIVE = tuple(
    sum(list(_WEIGHTS.values())[: at + 1]) for at in range(len(_WEIGHTS))
)


@dataclass(slots=True, kw_only=True)
class Weather:
    """How rough a seed is. `rate` is the chance of a fault at one effect."""

    rng: random.Random
    rate: float
    is_over: bool = False

    def at_effect(self) -> Fault | None:
        """What goes wrong at the next effect, if anything."""
        if self.is_over or self.rng.random() >= self.rate:
            return None
        return self.rng.choices(_KINDS, cum_weights=_CUMULATIVE)[0]

    def happens(self, chance: float) -> bool:
        """Whether something of this chance happens; nothing does after the end."""
        return not self.is_over and self.rng.random() < chance
