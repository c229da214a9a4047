"""Set a dataset's cursor, so that its next pull begins there.

Says what that means for the rows that have landed. Nothing is pulled and no row is
removed. An unfinished long pull starts over.

Example: catflap reset flights --cursor 2013-01-15T00:00:00Z
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Protocol

import typer

from cli import options
from cli.deployed.environment import deployed
from cli.one_machine.file_state import FileState
from lambdas.core.cursor.bound import cursor_bound
from lambdas.core.cursor.order import CursorValue
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
from lambdas.core.pull.run import CursorPosition, DatasetState
from project.fault import printable
from project.yaml_files import load_datasets

DONE = 0


class CursorState(Protocol):
    """Where a cursor is remembered."""

    def read(self, dataset: str) -> DatasetState:
        """The state of a dataset; a fresh one if there is none."""

    def record_lane(self, before: DatasetState, after: DatasetState) -> DatasetState:
        """Put `after` in place of `before`. Raises StateConflict if that has moved."""


def run(
    name: options.Name,
    *,
    cursor: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="Where the next pull begins."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Start from the beginning.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The state of `pull --state`, not --env."),
    ] = None,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Set the cursor; returns 0. Raises BadInput, NotReached, StateConflict."""
    if (cursor is not None) == full:
        came = "both" if full else "neither"
        raise BadInput(f"one of --cursor VALUE and --full is needed; {came} came")
    dataset = load_datasets([name], datasets=datasets, apis=apis)[name]
    value = None if cursor is None else _value(dataset, cursor)
    with _opened(state, environment, environments) as store:
        before = store.read(name)
        if before.committing is not None:
            raise BadInput(
                f"run {before.committing} of {name} is being made visible; wait for "
                f"the next check, or pull {name}, and ask again"
            )
        after = dataclasses.replace(
            before,
            cursor=CursorPosition(value=value),
            resume=None,
        )
        store.record_lane(before, after)
    _print(dataset, before.cursor.value, value, as_json=as_json)
    return DONE


def _value(dataset: Dataset, cursor: str) -> CursorValue:
    incremental = dataset.source.cursor
    if incremental is None:
        raise BadInput(
            f"{dataset.name} has no incremental in its source, so that every pull "
            "fetches all of it: there is no cursor to set"
        )
    return cursor_bound("--cursor", cursor, incremental)


@contextmanager
def _opened(
    state: Path | None, environment: str, environments: Path
) -> Iterator[CursorState]:
    if state is not None:
        if not state.is_file():
            raise BadInput(f"{state} is not a file; accepted: the state of a `pull`")
        with FileState(path=state) as store:
            yield store
        return
    reached = deployed(environment, environments=environments)
    with reached.reached():
        yield reached.runs()


def _print(
    dataset: Dataset,
    before: CursorValue | None,
    after: CursorValue | None,
    *,
    as_json: bool,
) -> None:
    meaning = meaning_of(dataset)
    if as_json:
        document = {
            "dataset": dataset.name,
            "cursor_before": before,
            "cursor_after": after,
            "write_disposition": dataset.write_disposition,
            "meaning": meaning,
        }
        print(json.dumps(document))
        return
    print(f"{dataset.name}: the cursor was {_shown(before)} and is {_shown(after)}")
    print(meaning)


def meaning_of(dataset: Dataset) -> str:
    """What becomes of rows that have landed and come again."""
    return {
        "append": "The next pull lands the rows from there on. Those that have landed "
        "before are then in the table twice: append keeps every row.",
        "merge": "The next pull lands the rows from there on. Those that have landed "
        "before show once, as they are then: merge keeps the newest of each key.",
        "replace": "The next pull lands what the source has, and replaces the table by "
        "it.",
    }[dataset.write_disposition]


def _shown(value: CursorValue | None) -> str:
    return "at the beginning" if value is None else printable(str(value))
