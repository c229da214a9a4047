"""Print the first rows of a dataset as NDJSON; nothing is landed or stored.

Example: catflap preview flights --limit 3
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import msgspec
import typer

from cli import options
from cli.one_machine.parents_first import PreviewedParents
from cli.one_machine.terminal_clock import TerminalClock
from cli.one_machine.wiring import sources
from lambdas.adapters.sources.open import ApiSources
from lambdas.adapters.sources.rate_budget import OwnBudgets
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.pull.cursor import NewRows
from lambdas.core.pull.run import CursorPosition
from lambdas.core.pull.window import Window, plan_window
from project.fault import printable
from project.yaml_files import load_datasets

DONE = 0


def run(
    name: options.Name,
    *,
    limit: Annotated[
        int, typer.Option(metavar="N", min=0, help="Print at most this many rows.")
    ] = 10,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list instead of NDJSON.")
    ] = False,
) -> int:
    """Print up to `limit` rows as NDJSON, each as the API wrote it, as a first pull
    would land them; the rows of a parent are asked for first. Raises UpstreamError.
    """
    catalogue = load_datasets([name], datasets=datasets, apis=apis)
    rows = islice(_Preview(catalogue, datasets).rows(name), limit)
    if as_json:
        print("[", ",\n".join(map(as_line, rows)), "]", sep="")
        return DONE
    for row in rows:
        print(as_line(row), flush=True)
    return DONE


def as_line(record: bytes) -> str:
    """A record on one line, every digit kept; no character of it moves a terminal."""
    if b"\n" in record or b"\r" in record:
        record = msgspec.json.format(record, indent=-1)
    return printable(record.decode())


class _Preview:
    """Rows as a first pull brings them, asked for only as far as they are looked at."""

    def __init__(self, catalogue: Catalogue, datasets: options.Datasets) -> None:
        self._catalogue = catalogue
        clock = TerminalClock()
        self._sources: ApiSources = sources(
            clock,
            datasets=datasets,
            parents=PreviewedParents(self.rows),
            budgets=OwnBudgets(clock=clock),
            ahead=False,
        )

    def rows(self, name: str) -> Iterator[bytes]:
        """The rows of a dataset."""
        for page in self.pages(self._catalogue[name]):
            yield from page

    def pages(self, dataset: Dataset) -> Iterator[list[bytes]]:
        """The new rows of each page."""
        incremental = dataset.source.cursor
        rows, window = None, Window()
        if incremental is not None:
            start = CursorPosition()
            window = plan_window(incremental, start)
            rows = NewRows(dataset=dataset, position=start, window=window)
        for page in self._sources(dataset, window).pages():
            if page.warning is not None:
                text = f"{dataset.name}: warning: {page.warning}"
                print(printable(text), file=sys.stderr)
            records = list(page.records)
            yield records if rows is None else rows.keep(records, page=page.number)
            if rows is not None and rows.exhausted:
                return
