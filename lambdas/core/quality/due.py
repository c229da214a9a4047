"""Whose checks run now: after a load, in a wake-up that is there, or hourly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from lambdas.core.dataset import Catalogue, Dataset, Owner, Schedule, Source, SqlModel
from lambdas.core.models.graph import inputs_of
from lambdas.core.quality.result import CheckedLoad

LONGEST_WAIT = timedelta(hours=1)
"""How long rows that were loaded wait for their checks, if nothing else wakes the
warehouse."""


def relations(catalogue: Catalogue) -> dict[str, Dataset]:
    """All relations: the datasets, and the models as datasets that nothing pulls."""
    models = {
        name: _as_dataset(model, catalogue) for name, model in catalogue.models.items()
    }
    return {**models, **catalogue.datasets}


def _as_dataset(model: SqlModel, catalogue: Catalogue) -> Dataset:
    inputs = inputs_of(catalogue, model.name)
    owner = model.owner
    if isinstance(owner, str):
        owner = Owner(team=owner)
    if owner is None:
        known = [catalogue.datasets[one].owner for one in inputs]
        owner = known[0] if known else Owner(team="nobody")
    return Dataset(
        name=model.name,
        description=model.description or "a model",
        owner=owner,
        source=Source(),
        schedule=Schedule(),
        freshness=model.freshness,
        quality=model.quality,
    )


def with_checks(catalogue: Catalogue) -> dict[str, Dataset]:
    """The relations that have checks, and are not paused."""
    return {
        name: one
        for name, one in relations(catalogue).items()
        if one.quality and one.schedule.paused is None
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
