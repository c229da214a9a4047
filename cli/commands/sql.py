"""Query the warehouse, as the role that reads the tables.

Example: catflap sql "select carrier, count(*) from analytics.flights group by 1"
"""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console

from cli import options
from cli.deployed.environment import deployed
from cli.deployed.reader import warehouse_of
from cli.rows import rows_as_json, rows_as_table
from lambdas.core.text.count import counted

DONE = 0


def run(
    statement: Annotated[
        str, typer.Argument(metavar="SQL", help="One statement; reading is allowed.")
    ],
    *,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    as_json: options.Json = False,
) -> int:
    """Print the answer. Raises BadInput, BadFiles, NotReached, WarehouseError."""
    reached = deployed(environment, environments=environments)
    with warehouse_of(reached) as warehouse:
        names, rows = warehouse.ask(statement)
    if as_json:
        print(json.dumps(rows_as_json(names, rows)))
        return DONE
    console = Console(highlight=False)
    console.print(rows_as_table(names, rows, width=console.width))
    print(counted(len(rows), "row"))
    return DONE
