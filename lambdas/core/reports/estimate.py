"""What a project will cost a month, told from its YAML before anything is deployed.

How often things happen is lived through (`freshness.cost`); what one pull, check and
page call was counted on the embedded stack, by `tests/local/test_replay_story.py`. How
long a pull takes and how much it brings nobody knows before: they are assumptions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from lambdas.core.dataset import Catalogue, Dataset, SqlModel, to_json_value
from lambdas.core.freshness import cost
from lambdas.core.http.auth import references_in
from lambdas.core.http.destinations import secret_name
from lambdas.core.models.graph import inputs_of
from lambdas.core.reports.prices import PRICES

Quantities = Mapping[str, float]
DAYS = 7
MONTH = 365 / 12
"""Days."""
PULL_GB = 1769 / 1024
SMALL_GB = 0.5
"""Memory of the other functions."""
PAGES_A_DAY = 96
HOURS = 24
ALARMS = 32
"""Three for each function, one for each queue of dead letters, the heartbeat's, and
that of pulls that wait: `tests/stacks/test_alarms.py` counts them. Fewer without Slack.
"""
POLLS_A_MONTH = 2 * 15 * 60 * 24 * MONTH
"""Lambda asks each of two queues by five long polls of 20 seconds, also when there is
nothing to do (Lambda: "Understanding how Lambda polls SQS")."""
LOG_KB = 2
"""What an invocation writes into its log."""
WATCH_KB = 1.3
"""What is remembered of a dataset."""
RUN_KB, RUN_DAYS = 1.0, 90
COMPRESSED = 1 / 8
SHARED = "shared"

A_PULL: Mapping[str, float] = {
    "scheduler": 1,
    "sqs_fifo": 4,  # sent, received, its visibility set, deleted
    "lambda_requests": 1,
    "dynamodb_writes": 1 + 2 * 7 + 2,  # started, two transactions, seen to be loaded
    "dynamodb_reads": 2,
    "s3_puts": 5,  # an upload in parts is three; the manifest, the run's file
    "s3_gets": 1 + 2,  # the datasets; Snowpipe reads object and run file
    "sns": 2,
    "events": 2,  # landed, loaded
    "kms_requests": 2,
}
"""Of one object, as most pulls are."""
A_CHECK: Mapping[str, float] = {
    "scheduler": 1,
    "lambda_requests": 1,
    "dynamodb_reads": 11,
    "dynamodb_writes": 1,
    "s3_gets": 2,
}
A_REPAIR: Mapping[str, float] = {
    "scheduler": 1,
    "lambda_requests": 1,
    "dynamodb_reads": 3,
    "s3_gets": 1,
}
A_PAGE: Mapping[str, float] = {
    "scheduler": 1,
    "lambda_requests": 1,
    "dynamodb_reads": 10,
    "s3_gets": 1,
    "s3_puts": 1,
    "kms_requests": 1,
}


SECONDS_A_PULL, MB_A_PULL = 5.0, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is not known before a deploy. `mb_a_pull` is uncompressed."""

    seconds_a_pull: float = SECONDS_A_PULL
    mb_a_pull: float = MB_A_PULL
    seconds_a_check: float = 1.0
    credit_price: float = 3.0
    in_vpc: bool = False
    """Whether functions run in a VPC: then through one NAT gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One item of a bill, a month."""

    item: str
    quantity: float
    unit: str
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyCost:
    """All of it. What is shared is divided among the datasets: wake-ups among those
    that they serve, the rest evenly.
    """

    frequencies: cost.Estimate
    lines: tuple[CostLine, ...]
    datasets: Mapping[str, float]
    teams: Mapping[str, float]
    usd: float
    credits: float


def monthly_cost(
    datasets: Mapping[str, Dataset],
    *,
    start: datetime,
    check_every: timedelta,
    assumed: Assumptions,
    other_secrets: frozenset[str] = frozenset(),
    models: Mapping[str, SqlModel] = MappingProxyType({}),
) -> MonthlyCost:
    """The month, as the week from `start` (aware) says, every dataset being on time."""
    found = cost.estimate(
        datasets, start=start, days=DAYS, check_every=check_every, models=models
    )
    own = {
        name: _of_pulls(dataset, found.pulls[name] * MONTH, assumed)
        for name, dataset in datasets.items()
    }
    woken = _wake_ups_of(Catalogue(datasets=dict(datasets), models=dict(models)), found)
    own = {
        name: _added(all_, {"wake_ups": woken[name] * MONTH})
        for name, all_ in own.items()
    }
    shared = _shared(datasets, found, assumed, other_secrets)
    total = _added(shared, *own.values())
    each = _usd(shared, assumed) / max(1, len(datasets))
    by_dataset = {name: _usd(all_, assumed) + each for name, all_ in own.items()}
    teams: defaultdict[str, float] = defaultdict(float)
    for name, usd in by_dataset.items():
        teams[datasets[name].owner.team] += usd
    return MonthlyCost(
        frequencies=found,
        lines=tuple(_lines(total, assumed)),
        datasets=by_dataset,
        teams=dict(sorted(teams.items())),
        usd=_usd(total, assumed),
        credits=sum(
            count * PRICES[item].each
            for item, count in total.items()
            if PRICES[item].is_credits
        ),
    )


def _wake_ups_of(catalogue: Catalogue, found: cost.Estimate) -> Mapping[str, float]:
    """A day, by dataset. Quality checks wait for a wake-up that is there, for an hour
    at most: they share what that makes. Those of a model wait for its inputs' loads.
    """
    woken = dict.fromkeys(catalogue.datasets, 0.0) | dict(found.wake_up_shares)
    checked = {name for name, one in catalogue.datasets.items() if one.quality}
    for name, model in catalogue.models.items():
        checked |= {*inputs_of(catalogue, name)} if model.quality else set()
    loads = sum(found.pulls[name] for name in checked)
    for name in checked:
        woken[name] += min(HOURS, loads) / len(checked)
    return woken


def _of_pulls(dataset: Dataset, pulls: float, assumed: Assumptions) -> Quantities:
    gb = assumed.mb_a_pull / 1024
    kept = timedelta(days=int(dataset.retention.raw.split()[0])).days / MONTH
    return _added(
        _times(A_PULL, pulls),
        {
            "lambda_gb_seconds": pulls * assumed.seconds_a_pull * PULL_GB,
            "nat_gb": pulls * gb if assumed.in_vpc else 0,
            "snowpipe_gb": pulls * gb,
            "s3_gb": pulls * gb * COMPRESSED * kept,
            "dynamodb_gb": pulls / MONTH * RUN_DAYS * RUN_KB / 1024**2,
            "logs_gb": pulls * LOG_KB / 1024**2,
        },
    )


def _shared(
    datasets: Mapping[str, Dataset],
    found: cost.Estimate,
    assumed: Assumptions,
    other_secrets: frozenset[str],
) -> Quantities:
    checks, pages = found.checks_a_day * MONTH, PAGES_A_DAY * MONTH
    watched = len(datasets) * WATCH_KB / 4
    seconds = checks * 1.5 * assumed.seconds_a_check + pages * (1 + len(datasets) / 100)
    ticks = 2 * checks + pages
    secrets = {
        secret_name(one)
        for dataset in datasets.values()
        for one in references_in(to_json_value(dataset))
    }
    return _added(
        _times(A_CHECK, checks),
        _times(A_REPAIR, checks),
        _times(A_PAGE, pages),
        {
            "lambda_gb_seconds": seconds * SMALL_GB,
            "dynamodb_reads": checks * watched
            + pages * (watched + len(datasets) + 2 * min(60, len(datasets))),
            "dynamodb_writes": found.looks_a_day * MONTH * 2,
            "wake_ups": found.refresh_wake_ups_a_day * MONTH,
            "sqs_fifo": POLLS_A_MONTH,
            "logs_gb": ticks * LOG_KB / 1024**2,
            "kms_keys": 1,
            "nat_hours": HOURS * MONTH if assumed.in_vpc else 0,
            "alarms": ALARMS,
            "metrics": 1,
            "secrets": len(secrets | other_secrets),
        },
    )


def _added(*all_: Quantities) -> dict[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for one in all_:
        for item, count in one.items():
            total[item] += count
    return dict(total)


def _times(one: Mapping[str, float], count: float) -> Quantities:
    return {item: each * count for item, each in one.items()}


def _lines(total: Quantities, assumed: Assumptions) -> list[CostLine]:
    lines = [
        CostLine(
            item=item,
            quantity=count,
            unit=PRICES[item].unit,
            usd=_usd({item: count}, assumed),
        )
        for item, count in total.items()
        if count
    ]
    return sorted(lines, key=lambda line: (-line.usd, line.item))


def _usd(quantities: Quantities, assumed: Assumptions) -> float:
    return sum(
        count
        * PRICES[item].each
        * (assumed.credit_price if PRICES[item].is_credits else 1)
        for item, count in quantities.items()
    )
