"""What a look has done so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counted by whoever does it."""

    settled: int = 0
    histories: int = 0
    refreshed: int = 0
    landed_again: int = 0
    pruned: int = 0
    failed: int = 0
