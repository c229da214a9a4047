"""What is usual, of a few values: median and MAD, with floors.

A mean and its deviation are blind here: with today among the values, |z| of n values is
(n-1)/sqrt(n) at most, so that eight weeks never reach 3; and one holiday among them
widens the band until an outage fits in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WEEKS = 8
NEEDED = 4
WIDTH = 3.0
_NORMAL = 1.4826
"""MAD times this is the deviation of values that are normally distributed."""
_SHARE = 0.05
_ROWS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualBand:
    """From where to where a value is as usual."""

    count: int
    median: float = 0.0
    least: float = 0.0
    most: float = 0.0
    needed: int = NEEDED

    @property
    def is_learning(self) -> bool:
        """Whether there are too few values to say."""
        return self.count < self.needed


def usual_band(values: Sequence[float]) -> UsualBand:
    """The band of earlier values; the one that is judged is not among them."""
    if len(values) < NEEDED:
        return UsualBand(count=len(values))
    middle = median(values)
    spread = median(abs(one - middle) for one in values)
    scale = max(_NORMAL * spread, _SHARE * middle, _ROWS)
    return UsualBand(
        count=len(values),
        median=middle,
        least=max(0.0, middle - WIDTH * scale),
        most=middle + WIDTH * scale,
    )
