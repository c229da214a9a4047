"""What a look asks, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from lambdas.core.facts import LoadRecord
from lambdas.core.reconciling import PipeNow


class PipeControl(Protocol):
    """What pipes say, and what they are told."""

    def now(self, pipe: str) -> PipeNow:
        """What a pipe reports of itself. Raises WarehouseError."""

    def loading_whole(self, database: str) -> frozenset[str]:
        """The pipes that load a file whole or not at all. Raises WarehouseError."""

    def created_at(self, pipe: str) -> datetime | None:
        """When it was made; None is not known."""

    def refresh(self, pipe: str, prefixes: Sequence[str], after: datetime) -> int:
        """Tell it of what it never took; how many files it took now."""


class Wiring(Protocol):
    """What is between the bucket and the pipes."""

    def missing(self, channel: str | None) -> tuple[str, str] | None:
        """What of it is gone, and what to do; None if all is there."""


History = Callable[[str, datetime], Sequence[LoadRecord]]
"""(dataset, since) to the loads of its table, the newest first."""
