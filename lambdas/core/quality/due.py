"""Whose checks run now: after a load, in a wake-up that is there, or hourly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.quality.result import CheckedLoad

LONGEST_WAIT = timedelta(hours=1)
"""How long rows that were loaded wait for their checks, if nothing else wakes the
warehouse."""


def with_checks(catalogue: Catalogue) -> dict[str, Dataset]:
    """The datasets that have checks, and are not paused."""
    return {
        name: dataset
        for name, dataset in catalogue.datasets.items()
        if dataset.quality and dataset.schedule.paused is None
    }


def rules_hash(dataset: Dataset) -> str:
    """Changes when the checks do: then old results say nothing any more."""
    text = "\n".join(one.model_dump_json() for one in dataset.quality)
    text += f"\n{dataset.columns}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def is_hour_over(last_check_at: datetime | None, now: datetime) -> bool:
    """Whether this is the first check of an hour: all datasets wait for the same one,
    so that one wake-up serves them.
    """
    if last_check_at is None or now - last_check_at >= LONGEST_WAIT:
        return True
    return last_check_at.replace(minute=0, second=0, microsecond=0) != now.replace(
        minute=0, second=0, microsecond=0
    )


def is_waiting(
    dataset: Dataset,
    known: Mapping[str, CheckedLoad],
    *,
    run_id: str | None,
    loaded_at: datetime | None,
) -> bool:
    """Whether what is loaded was not checked yet, by these rules; what could not run is
    tried again.
    """
    before = known.get(dataset.name)
    if before is None or before.rules != rules_hash(dataset) or before.unknown:
        return True
    if before.waits:
        return True
    return before.run_id != run_id or before.loaded_at != loaded_at
