"""What may be written and is not built yet: the one list of it.

Each is refused by name, so that nobody relies on a key that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambdas.core.dataset import Dataset
from lambdas.core.rules.findings import Finding, Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A key that is refused for those datasets for which `asks_for_it` holds."""

    key: Location
    asks_for_it: Callable[[Dataset], bool]
    instead: str
    accepted: str


NOT_YET: tuple[Unsupported, ...] = ()


def unsupported_findings(dataset: Dataset) -> list[Finding]:
    """What a dataset asks for and would not get."""
    return [
        Finding(
            key=each.key,
            sentence=f"not supported yet: {each.instead}; accepted: {each.accepted}",
        )
        for each in NOT_YET
        if each.asks_for_it(dataset)
    ]
