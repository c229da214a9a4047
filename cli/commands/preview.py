"""`catflap preview`: the first rows of a dataset, with nothing landed or remembered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from cli.one_machine.parents_first import PreviewedParents
from cli.one_machine.wiring import catalogue_with, sources
from lambdas.adapters.environment import SystemClock
from lambdas.adapters.sources.open import ApiSources
from lambdas.adapters.sources.rate_budget import OwnBudgets
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.pull.cursor import NewRows, Window, plan_window
from lambdas.core.pull.run import CursorPosition

DONE = 0


def run(name: str, *, limit: int, datasets: Path, apis: Path) -> int:
    """Print up to `limit` rows as NDJSON, each as the API wrote it, as a first pull
    would land them; the rows of a parent are asked for first. Raises UpstreamError.
    """
    catalogue = catalogue_with(name, datasets=datasets, apis=apis)
    if limit < 1:
        return DONE
    preview = _Preview(catalogue, datasets)
    left = limit
    for page in preview.pages(catalogue[name]):
        for record in page[:left]:
            sys.stdout.buffer.write(record + b"\n")
        sys.stdout.buffer.flush()
        left -= len(page)
        if left <= 0:
            break
    return DONE


class _Preview:
    """Rows as a first pull brings them, asked for only as far as they are looked at."""

    def __init__(self, catalogue: Catalogue, datasets: Path) -> None:
        self._catalogue = catalogue
        clock = SystemClock()
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
            records = list(page.records)
            yield records if rows is None else rows.keep(records, page=page.number)
            if rows is not None and rows.exhausted:
                return
