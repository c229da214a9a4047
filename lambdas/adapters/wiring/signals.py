"""What judges a dataset, opened from settings: in a function and in a command alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lambdas.adapters.environment import SystemClock
from lambdas.adapters.landing.newest import LandedListing
from lambdas.adapters.schedules import DeployedSchedules
from lambdas.adapters.signals.collect import Collector, Sources
from lambdas.adapters.signals.judge import Judge
from lambdas.adapters.signals.own_side import LandingSource, LoadSource, PullSource
from lambdas.adapters.signals.pipe import PipeSource
from lambdas.adapters.signals.tables import TableReader
from lambdas.adapters.signals.upstream import UpstreamSource
from lambdas.adapters.sources.http_api import HttpApi
from lambdas.adapters.sources.rate_budget import SharedBudgets
from lambdas.adapters.state.rates import RateTable
from lambdas.adapters.state.runs import StateTable
from lambdas.core.dataset import Api
from lambdas.core.diagnosis.signals import Deployment
from lambdas.core.freshness.assess import Limits
from lambdas.core.names import schedule_prefix
from lambdas.core.ports import Secrets, Warehouse
from lambdas.core.settings import FreshnessSettings
from lambdas.core.sql.names import identifier

THREADS = 16
COLLECT_S = 60.0
"""Seconds that the signals of all suspects may take."""
PROBE_S = 25.0
"""Seconds that one probe may take, its token and its second page included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalClients:
    """What signals are collected through, in a function or for a person."""

    aws: Callable[[str], Any]
    """The client of a service."""
    warehouse: Warehouse
    secrets: Secrets


def sources(known: FreshnessSettings, reach: SignalClients) -> Sources:
    """Where the signals of a suspect come from."""
    clock = SystemClock()
    state = StateTable(dynamodb=reach.aws("dynamodb"), table=known.state_table)
    database = known.snowflake_database

    budgets = SharedBudgets(
        store=RateTable(dynamodb=reach.aws("dynamodb"), table=known.state_table),
        clock=clock,
        random=random.random,
    )

    def open_api(api: Api) -> HttpApi:
        return HttpApi(
            api=api,
            secrets=reach.secrets,
            clock=clock,
            random=random.random,
            deadline_s=clock.monotonic() + PROBE_S,
            budget=budgets.of(api),
            destinations=known.destinations,
        )

    environment = known.environment_name
    schedules = DeployedSchedules(
        scheduler=reach.aws("scheduler"),
        prefix=None if environment is None else schedule_prefix(environment),
    )
    listing = LandedListing(s3=reach.aws("s3"), bucket=known.landing_bucket)
    return Sources(
        upstream=UpstreamSource(open_api=open_api, state=state),
        pull=PullSource(history=state, schedules=schedules),
        landing=LandingSource(listing=listing),
        load=LoadSource(warehouse=reach.warehouse, database=database),
        pipe=PipeSource(warehouse=reach.warehouse, database=database),
    )


def judge(
    known: FreshnessSettings, reach: SignalClients, datasets: Iterable[str]
) -> Judge:
    """What judges any of `datasets`, which are all there are."""
    limits = limits_of(known)
    return Judge(
        tables=TableReader(
            warehouse=reach.warehouse,
            database=known.snowflake_database,
            datasets=datasets,
            skew=limits.skew,
        ),
        collector=Collector(
            sources=sources(known, reach), threads=THREADS, timeout_s=COLLECT_S
        ),
        limits=limits,
        deployment=deployment_of(known),
    )


def deployment_of(known: FreshnessSettings) -> Deployment:
    """What a next step calls things by."""
    return Deployment(
        environment=known.environment_name,
        landing_bucket=known.landing_bucket,
        database=identifier(known.snowflake_database),
    )


def limits_of(known: FreshnessSettings) -> Limits:
    """The settings' seconds as durations."""
    return Limits(
        skew=timedelta(seconds=known.skew_s),
        load_grace=timedelta(seconds=known.load_grace_s),
        check_every=timedelta(seconds=known.check_every_s),
    )
