"""Show what the last week cost in Snowflake, by dataset and team, and why.

Reads Snowflake's views of usage: what the warehouse cost and what woke it, each
wake-up divided among the datasets it served; what Snowpipe loaded. Compares that
with the week before and with the estimate. Cost Explorer says what AWS billed;
asking it costs a cent.

With --estimate it reads only the YAML, and estimates what a month will cost before
a deploy: pulls, checks, requests, storage, Snowpipe and wake-ups of the warehouse,
with every dataset on time, at list prices. How long a pull takes and how much it
brings is assumed; set it if you know better.

Example: catflap cost --estimate --seconds-a-pull 12
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli import options
from cli.deployed.environment import deployed
from cli.deployed.usage import usage_report
from lambdas.core.reports.estimate import (
    DAYS,
    MB_A_PULL,
    SECONDS_A_PULL,
    Assumptions,
    MonthlyCost,
    monthly_cost,
)
from lambdas.core.reports.prices import READ
from lambdas.core.reports.usage import budget_said
from lambdas.core.text.count import counted
from project.environment import Environment
from project.environment_file import read_environment
from project.yaml_files import load_catalogue

LISTED = 10


def run(
    *,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate from the YAML.")
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds-a-pull", metavar="N", min=0.1, help="How long a pull takes."
        ),
    ] = SECONDS_A_PULL,
    megabytes: Annotated[
        float,
        typer.Option(
            "--mb-a-pull",
            metavar="N",
            min=0.0,
            help="What a pull brings, uncompressed.",
        ),
    ] = MB_A_PULL,
    environment: options.Env = "dev",
    environments: options.Environments = options.ENVIRONMENTS,
    datasets: options.Datasets = options.DATASETS,
    apis: options.Apis = options.APIS,
    models: options.Models = None,
    as_json: options.Json = False,
) -> int:
    """Print it; 0. Raises BadInput, BadFiles, NotReached, WarehouseUnreachable."""
    reached = None if estimate else deployed(environment, environments=environments)
    known = (
        read_environment(environments, environment)
        if reached is None
        else reached.environment
    )
    catalogue = load_catalogue(datasets, apis, options.models_of(datasets, models))
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assumed = Assumptions(
        seconds_a_pull=seconds,
        mb_a_pull=megabytes,
        credit_price=known.credit_price,
        in_vpc=known.network.vpc is not None,
    )
    found = monthly_cost(
        catalogue.datasets,
        start=midnight,
        check_every=timedelta(minutes=known.check_every_minutes),
        assumed=assumed,
        other_secrets=frozenset(known.channel_secrets.values()),
        models=catalogue.models,
    )
    if reached is not None:
        week = usage_report(reached, catalogue, found)
        print(json.dumps(week.document()) if as_json else "\n".join(week.lines()))
    elif as_json:
        print(json.dumps(_document(found, assumed, known)))
    else:
        _show(found, assumed, known)
    return 0


def _document(
    found: MonthlyCost, assumed: Assumptions, known: Environment
) -> dict[str, object]:
    """For scripts; USD and credits are a month's."""
    counts = dataclasses.asdict(found.frequencies)
    for name in ("pulls", "wake_up_shares", "refresh_wake_ups_a_day"):
        del counts[name]
    by_wake_ups = found.frequencies.wake_ups_a_day * 30 / 60
    return {
        **counts,
        "warehouse_credits_a_month": round(by_wake_ups, 2),
        "environment": known.name,
        "usd_a_month": round(found.usd, 2),
        "credits_a_month": round(found.credits, 3),
        "items": [
            {
                "item": line.item,
                "quantity": round(line.quantity, 3),
                "unit": line.unit,
                "usd": round(line.usd, 4),
            }
            for line in found.lines
        ],
        "by_dataset": {name: round(usd, 4) for name, usd in found.datasets.items()},
        "by_team": {
            team: {"usd": round(usd, 2), "budget": known.budgets.get(team)}
            for team, usd in found.teams.items()
        },
        "assumptions": dataclasses.asdict(assumed),
        "prices_read": READ.isoformat(),
    }


def _show(found: MonthlyCost, assumed: Assumptions, known: Environment) -> None:
    console = Console(highlight=False)
    title = f"About ${found.usd:,.2f} a month ({found.credits:,.2f} credits in it)"
    items = Table("what", "a month", "unit", "USD", title=title)
    for column in (1, 3):
        items.columns[column].justify = "right"
    for line in found.lines:
        items.add_row(
            line.item.replace("_", " "),
            f"{line.quantity:,.2f}"
            if line.quantity < LISTED
            else f"{line.quantity:,.0f}",
            line.unit,
            f"{line.usd:,.2f}",
        )
    console.print(items)
    for text in _sentences(found, assumed, known):
        console.print(text, markup=False)


def _count(quantity: float) -> str:
    return f"{quantity:,.2f}" if quantity < LISTED else f"{quantity:,.0f}"


def _sentences(
    found: MonthlyCost, assumed: Assumptions, known: Environment
) -> Iterator[str]:
    counts = found.frequencies
    yield (
        f"{counted(counts.datasets, 'dataset')}: "
        f"{counted(round(counts.pulls_a_day), 'pull')} a day, "
        f"{counted(round(counts.wake_ups_a_day, 1), 'wake-up')} of the warehouse, "
        f"{counts.statements_a_day:,.0f} statements"
    )
    ranked = sorted(found.datasets.items(), key=lambda one: (-one[1], one[0]))
    named = ", ".join(f"{name} ${usd:,.2f}" for name, usd in ranked[:LISTED])
    more = f" and {len(ranked) - LISTED:,} more" if len(ranked) > LISTED else ""
    yield f"by dataset: {named}{more}"
    for team, usd in found.teams.items():
        yield f"{team}: ${usd:,.2f}{budget_said(usd, known.budgets.get(team))}"
    nat = "; one NAT gateway" if assumed.in_vpc else ""
    yield (
        f"assumed: a pull takes {assumed.seconds_a_pull:g} s and brings "
        f"{assumed.mb_a_pull:g} MB, a credit costs ${assumed.credit_price:g}{nat}; all "
        f"are on time for {DAYS} days; list prices of us-east-1, read {READ}, "
        "before free tiers. Other data transfer is not in it."
    )
