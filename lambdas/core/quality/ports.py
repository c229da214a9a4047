"""What checking needs from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lambdas.core.columns.observed import Observed
from lambdas.core.quality.result import CheckedLoad, DatasetChecks, Release


class CheckStore(Protocol):
    """Results, and up to which load a dataset was checked."""

    def loads(self) -> Mapping[str, CheckedLoad]:
        """What is remembered of every dataset that has checks, by name."""

    def remember(self, load: CheckedLoad) -> None:
        """Keep it."""

    def results(self, dataset: str) -> DatasetChecks | None:
        """The newest results; None if it was never checked."""

    def keep(self, checks: DatasetChecks) -> None:
        """Keep results and samples."""

    def releases(self, dataset: str) -> Sequence[Release]:
        """Runs that a person wants to be shown."""

    def released(self, release: Release) -> None:
        """It is shown."""

    def forget(self, datasets: Iterable[str]) -> None:
        """Drop what is kept of datasets that have no checks any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedPull:
    """A run that has landed, and how many rows it brought."""

    run_id: str
    rows: int


class LandedRuns(Protocol):
    """What pulls have landed."""

    def newest_landed(
        self, dataset: str, *, with_rows: bool = False
    ) -> LandedPull | None:
        """The newest run that has landed, or the newest of those that brought rows."""

    def observed(self, dataset: str) -> Observed:
        """The columns of its data."""
