"""Places of an API: how many pulls ask it at a time, so that one API that hangs does
not hold all pulls. A place ends by itself, since whoever holds it may be killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Held: TypeAlias = Mapping[str, float]
"""Who holds a place, and until when: seconds since 1970."""


def with_place(
    held: Held, holder: str, *, limit: int, now: float, until: float
) -> dict[str, float] | None:
    """The places after `holder` has taken one, or its own anew; None if all are."""
    others = {who: end for who, end in held.items() if end > now and who != holder}
    return {**others, holder: until} if len(others) < limit else None


def without_place(held: Held, holder: str, *, now: float) -> dict[str, float]:
    """The places after `holder` has left its own."""
    return {who: end for who, end in held.items() if end > now and who != holder}
