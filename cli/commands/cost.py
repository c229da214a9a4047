"""Estimate what checks and dynamic tables cost while every dataset is on time.

Reads only the YAML.

Example: catflap cost --estimate
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli import options
from lambdas.core.errors import BadInput
from lambdas.core.freshness import cost
from project.environment_file import read_environment
from project.yaml_files import load_catalogue

DAYS = 7
CREDITS_A_WAKE_UP = 1 / 60
"""An XS warehouse bills a credit an hour, and at least a minute each time it wakes."""


def run(
    *,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate from the YAML.")
    ] = False,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    as_json: options.Json = False,
) -> int:
    """Print the estimate; returns 0. Raises BadInput for faulty YAML."""
    if not estimate:
        raise BadInput(
            "what was spent cannot be reported yet; accepted: cost --estimate"
        )
    known = read_environment(environments, environment)
    catalogue = load_catalogue(datasets, apis)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = cost.estimate(
        catalogue.datasets,
        start=midnight,
        days=DAYS,
        check_every=timedelta(minutes=known.check_every_minutes),
    )
    if as_json:
        print(json.dumps(_document(found)))
    else:
        Console(highlight=False).print(_table(found))
    return 0


def _document(found: cost.Estimate) -> dict[str, object]:
    return {
        **dataclasses.asdict(found),
        "warehouse_credits_a_month": _credits_a_month(found),
    }


def _credits_a_month(found: cost.Estimate) -> float:
    return round(found.wake_ups_a_day * 30 * CREDITS_A_WAKE_UP, 2)


def _table(found: cost.Estimate) -> Table:
    table = Table(
        title="Checks and refreshes, with every dataset on time", show_header=False
    )
    table.add_column("what")
    table.add_column("figure", justify="right")
    rows = (
        ("datasets", f"{found.datasets:,}"),
        ("pulls a day", f"{found.pulls_a_day:,.1f}"),
        ("checks a day", f"{found.checks_a_day:,.0f}"),
        ("refreshes of dynamic tables a day", f"{found.refreshes_a_day:,.1f}"),
        ("warehouse wake-ups a day", f"{found.wake_ups_a_day:,.1f}"),
        ("statements a day", f"{found.statements_a_day:,.1f}"),
        ("credits a month for these (XS)", f"{_credits_a_month(found):,.2f}"),
    )
    for row in rows:
        table.add_row(*row)
    return table
