"""Pull a past window in slices, next to the live pulls; the cursor stays.

With --landing and --state, slices are pulled here; without them, by the deployed pull
function, while this command watches. Run the same command again to go on: nothing is
pulled twice.

Example: catflap backfill flights --from 2013-01-01T00:00:00Z
--to 2013-02-01T00:00:00Z --slice P1D
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec, Protocol

import typer

from cli import options
from cli.backfill.progress import STOPPED, Ended, View, as_document, as_text, failures
from lambdas.adapters.environment import SystemClock
from lambdas.core.backfill.backfill import (
    Backfill,
    SliceStatus,
    asks_for_its_end,
    identity,
    refuse_doubles,
    refuse_unfit,
    slices,
)
from lambdas.core.backfill.slices import bounds
from lambdas.core.cursor.bound import cursor_bound
from lambdas.core.dataset import Dataset
from lambdas.core.errors import BadInput
from lambdas.core.pull.run import DatasetState
from lambdas.core.pull.slice import Slice
from project.yaml_files import load_datasets

DONE, OUTSIDE_FAILED, INTERRUPTED = 0, 3, 130
_READS_ON = (
    "{name}: the API does not know where a slice ends, so each slice reads on to the "
    "newest row. To avoid that, use {{incremental.end_value}} in a parameter of the "
    "endpoint (live pulls leave it out), or declare row_order: asc if rows come so"
)


class BackfillState(Protocol):
    """Where backfills and their lanes are remembered."""

    def read(self, dataset: str) -> DatasetState:
        """The state of a dataset; a fresh one if there is none."""

    def lanes(self, dataset: str, backfill: str) -> list[DatasetState]:
        """What is known of a backfill's slices, those that were begun."""

    def backfills(self, dataset: str) -> list[Backfill]:
        """What was asked for, in no order."""

    def keep_backfill(self, backfill: Backfill) -> None:
        """Put what is asked for, in place of an earlier attempt."""


class SliceRunner(Protocol):
    """Whoever pulls the slices, or has them pulled."""

    def carry_out(self, parts: Sequence[Slice], view: View) -> Ended:
        """Pull those that have not landed, until none is left or it is stopped."""


Asked = ParamSpec("Asked")


def _stoppable(work: Callable[Asked, int]) -> Callable[Asked, int]:
    """Ctrl-C before there is anything to show ends as it does afterwards."""

    @wraps(work)
    def stopped(*asked: Asked.args, **named: Asked.kwargs) -> int:
        try:
            return work(*asked, **named)
        except KeyboardInterrupt:
            print(STOPPED, file=sys.stderr)
            return INTERRUPTED

    return stopped


@_stoppable
def run(
    name: options.Name,
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="ISO", help="Where the window begins.")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="ISO", help="Where it ends, exclusive.")
    ],
    slice_length: Annotated[
        str,
        typer.Option(
            "--slice",
            metavar="P1D",
            help="How much a slice covers: an ISO 8601 duration, or a number if the "
            "cursor is a number.",
        ),
    ] = "P1D",
    again: Annotated[
        bool, typer.Option("--again", help="Pull slices again that have landed.")
    ] = False,
    landing: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Pull the slices here, into file:///folder or s3://bucket/prefix.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --landing: the state of `pull`."),
    ] = None,
    parallel: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=64, help="Slices at a time, with --landing."
        ),
    ] = 4,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Backfill, showing how far it is; returns 0, 3 if a slice failed, or 130.

    Raises BadInput, and what the outside does.
    """
    if (landing is None) != (state is None):
        raise BadInput(
            "--landing and --state belong together: with both, slices are pulled here; "
            "with neither, by the deployed pull function"
        )
    dataset = load_datasets([name], datasets=datasets, apis=apis)[name]
    wanted, cut = _wanted(dataset, start=start, end=end, slice_length=slice_length)
    opened: AbstractContextManager[tuple[BackfillState, SliceRunner]]
    if landing is not None and state is not None:
        # each of the two imports what the other can do without
        from cli.backfill.here import pulling_here  # noqa: PLC0415 - the engine

        opened = pulling_here(
            dataset, landing=landing, state=state, parallel=parallel, datasets=datasets
        )
    else:
        from cli.backfill.deployed import queueing  # noqa: PLC0415 - boto3

        opened = queueing(name, environment=environment, environments=environments)
    with opened as (store, work):
        known = _kept(dataset, wanted, store, again=again)
        if not asks_for_its_end(dataset):
            print(_READS_ON.format(name=name), file=sys.stderr)
        with View(name, len(cut) - 1) as view:
            ended = work.carry_out(slices(known, cut), view)
        cursor = store.read(name).cursor.value
    _tell(known, ended, cursor, as_json=as_json)
    if ended.interrupted is not None:
        return INTERRUPTED
    has_failed = any(one.status is not SliceStatus.LANDED for one in ended.progress)
    return OUTSIDE_FAILED if has_failed else DONE


def _wanted(
    dataset: Dataset, *, start: str, end: str, slice_length: str
) -> tuple[Backfill, list[str | int | float]]:
    """What is asked for, and the bounds of its slices. Raises BadInput."""
    refuse_unfit(dataset)
    incremental = dataset.source.cursor
    if incremental is None:
        raise BadInput(f"{dataset.name} has no incremental in its source")
    cut = bounds(
        cursor_bound("--from", start, incremental),
        cursor_bound("--to", end, incremental),
        slice_length,
        incremental,
    )
    wanted = Backfill(
        dataset=dataset.name,
        backfill_id=identity(dataset, cut[0], cut[-1], slice_length),
        start=cut[0],
        end=cut[-1],
        slice=slice_length,
        created_at=SystemClock().now(),
    )
    return wanted, cut


def _kept(
    dataset: Dataset, wanted: Backfill, store: BackfillState, *, again: bool
) -> Backfill:
    """The backfill as the state has it, put there if it is new. Raises BadInput."""
    others = store.backfills(dataset.name)
    refuse_doubles(dataset, wanted, others, again=again)
    same = [one for one in others if one.backfill_id == wanted.backfill_id]
    if same and not again:
        return same[0]
    kept = wanted
    if same:
        kept = dataclasses.replace(same[0], attempt=same[0].attempt + 1)
    store.keep_backfill(kept)
    return kept


def _tell(backfill: Backfill, ended: Ended, cursor: object, *, as_json: bool) -> None:
    if as_json:
        document = as_document(
            backfill, ended.progress, is_interrupted=ended.interrupted is not None
        )
        print(json.dumps(document))
    else:
        print(as_text(backfill, ended.progress, cursor))
    for line in failures(ended.progress):
        print(line, file=sys.stderr)
    if ended.interrupted is not None:
        print(ended.interrupted, file=sys.stderr)
