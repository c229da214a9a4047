"""`catflap preview`: the first rows of a dataset, with nothing landed or remembered."""

from __future__ import annotations

import sys
from pathlib import Path

from cli.wiring import dataset_named, sources
from lambdas.adapters.environment import SystemClock
from lambdas.core.cursor import NewRows, Window, plan_window
from lambdas.core.run import CursorPosition

DONE = 0


def run(name: str, *, limit: int, datasets: Path, apis: Path) -> int:
    """Print up to `limit` rows as NDJSON, each as the API wrote it, as a first pull
    would land them. Raises UpstreamError.
    """
    dataset = dataset_named(name, datasets=datasets, apis=apis)
    incremental = dataset.source.cursor
    rows, window = None, Window()
    if incremental is not None:
        start = CursorPosition()
        window = plan_window(incremental, start)
        rows = NewRows(dataset=dataset, position=start, window=window)
    left = limit
    if left < 1:
        return DONE
    for page in sources(SystemClock(), datasets=datasets, ahead=False)(
        dataset, window
    ).pages():
        records = page.records
        if rows is not None:
            records = rows.keep(records, page=page.number)
        for record in records[:left]:
            sys.stdout.buffer.write(record + b"\n")
        sys.stdout.buffer.flush()
        left -= len(records)
        if left <= 0 or (rows is not None and rows.exhausted):
            break
    return DONE
