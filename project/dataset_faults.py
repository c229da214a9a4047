"""What is wrong with a dataset beyond its schema, at its place in its file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from lambdas.core.dataset import Dataset
from lambdas.core.freshness.on_time import promise_faults
from project.fault import Fault, Location, key_path, printable
from project.sql_models import relation_columns
from project.yaml_nodes import read_yaml


def dataset_fault(folder: Path, name: str, at: Location, sentence: str) -> Fault:
    """A fault at `at` in the file of the dataset `name` in `folder`."""
    path = next(folder.glob(f"{name}.y*ml"))
    line = read_yaml(path.read_bytes()).line_of(at)
    return Fault(
        file=str(path), line=line, key=key_path(at), sentence=printable(sentence)
    )


def sql_faults(datasets: Mapping[str, Dataset], folder: Path) -> list[Fault]:
    """What is wrong in the SQL of quality checks."""
    written = {
        name: dataset
        for name, dataset in sorted(datasets.items())
        if any(one.query or one.filter for one in dataset.quality)
    }
    if not written:
        return []
    from project.check_sql import check_sql_findings  # noqa: PLC0415 - sqlglot, for who has SQL

    return [
        dataset_fault(folder, name, one.key, one.sentence)
        for name, dataset in written.items()
        for one in check_sql_findings(dataset.quality, relation_columns(dataset))
    ]


def broken_promises(
    datasets: Mapping[str, Dataset],
    folder: Path,
    *,
    now: datetime,
    usual_runs: Mapping[str, timedelta],
) -> list[Fault]:
    """Promises that are broken although everything is on time."""
    return [
        dataset_fault(folder, name, tuple(key.split(".")), sentence)
        for name, dataset in sorted(datasets.items())
        for key, sentence in promise_faults(
            dataset, now=now, usual_run=usual_runs.get(name, timedelta())
        )
    ]
