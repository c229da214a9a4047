"""The newest row of each table, as of its last load: a check may be hours ago."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from cli.deployed.environment import Deployed
from lambdas.core.dataset import Dataset
from lambdas.core.diagnosis.evidence import event_reached

_AT_ONCE = 8


def newest_loaded(
    reached: Deployed, datasets: Mapping[str, Dataset]
) -> Mapping[str, datetime]:
    """By dataset, where the cursor tells it and all that landed is loaded."""
    from lambdas.adapters.state.loads import LoadTable  # noqa: PLC0415 - boto3

    loads = LoadTable(
        dynamodb=reached.aws("dynamodb"), table=reached.settings.state_table
    )
    waiting = {one.dataset for one in loads.landed()}
    asked = [
        dataset
        for name, dataset in datasets.items()
        if name not in waiting and dataset.freshness.loaded_at_field is not None
    ]
    table = reached.runs()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        states = threads.map(lambda one: table.read(one.name), asked)
        found = {
            dataset.name: event_reached(dataset, state)
            for dataset, state in zip(asked, states, strict=True)
        }
    return {name: at for name, at in found.items() if at is not None}
