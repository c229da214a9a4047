"""Find rows that were loaded twice, and remove all but the first.

Example: catflap doubles flights --env prod
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cli import options
from cli.deployed.tools import RepairTools, repair_tools
from cli.output import columns
from lambdas.core.dataset import Dataset
from lambdas.core.sql import repair
from lambdas.core.text.count import counted

DONE, NOT_WELL = 0, 1
SHOWN = 20

Doubles = list[tuple[str, int, int]]
"""Of each file: its name, surplus rows, rows that it has."""


def run(
    name: options.Name,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove them; without it they are counted.")
    ] = False,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Count rows of RAW with the same `_FILE` and `_ROW`, or remove the surplus.

    Returns 0 if none is left, else 1. Raises BadInput, NotReached, WarehouseError.
    """
    with repair_tools(
        [name],
        environment=environment,
        environments=environments,
        datasets=datasets,
        apis=apis,
        as_admin=True,
    ) as known:
        dataset = known.catalogue[name]
        found = left = _found(known, dataset)
        if found and yes:
            known.warehouse.query(repair.delete_doubles(known.database, name))
            left = _found(known, dataset)
    if as_json:
        print(json.dumps(_document(name, found, left)))
    else:
        print(_text(name, found, left, environment=environment, removed=yes))
    return NOT_WELL if left else DONE


def _found(known: RepairTools, dataset: Dataset) -> Doubles:
    rows = known.warehouse.query(repair.doubles(known.database, dataset.name))
    return [(str(file), int(str(more)), int(str(all_))) for file, more, all_ in rows]


def _document(name: str, found: Doubles, left: Doubles) -> dict[str, object]:
    return {
        "dataset": name,
        "doubles": _surplus(found),
        "removed": _surplus(found) - _surplus(left),
        "files": [
            {"file": file, "doubles": surplus, "rows": rows}
            for file, surplus, rows in found
        ],
    }


def _surplus(doubles: Doubles) -> int:
    return sum(surplus for _, surplus, _ in doubles)


def _text(
    name: str, found: Doubles, left: Doubles, *, environment: str, removed: bool
) -> str:
    if not found:
        return f"{name}: no row was loaded twice"
    table = columns(
        ("file", "loaded twice", "rows"),
        [(file, f"{more:,}", f"{rows:,}") for file, more, rows in found[:SHOWN]],
    )
    more = f"\nand {len(found) - SHOWN:,} more files" if len(found) > SHOWN else ""
    count = _surplus(found)
    files = counted(len(found), "file")
    head = f"{name}: loaded twice: {counted(count, 'row')} of {files}"
    if not removed:
        last = (
            f"nothing is removed yet; `catflap doubles {name} --env {environment} "
            "--yes` keeps the first of each"
        )
    else:
        last = f"{count - _surplus(left):,} removed; the first of each stays"
    if removed and left:
        last += (
            f"; {_surplus(left):,} were loaded at the same instant as their first, "
            "cannot be told from it, and stay"
        )
    return f"{head}\n{table}{more}\n{last}"
