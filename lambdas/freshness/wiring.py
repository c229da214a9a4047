"""The check, made from the function's settings; its clients live with the process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import urllib3

from lambdas.adapters.channels.registry import Tools, channels, routes
from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, catalogue, settings
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.http_api import HttpApi
from lambdas.adapters.incident_table import IncidentTable
from lambdas.adapters.landed_listing import LandedListing
from lambdas.adapters.landing_bucket import LandingBucket
from lambdas.adapters.rate_budget import SharedBudgets
from lambdas.adapters.rate_table import RateTable
from lambdas.adapters.schedules import DeployedSchedules
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.state_table import StateTable
from lambdas.core.commit import Committer
from lambdas.core.dataset import Api
from lambdas.core.judging import Limits
from lambdas.core.ports import Secrets, Warehouse
from lambdas.core.settings import FreshnessSettings
from lambdas.freshness.check import Check
from lambdas.freshness.collect import Collector, Sources
from lambdas.freshness.judge import Judge
from lambdas.freshness.load_desk import LoadDesk
from lambdas.freshness.outbox import Outbox
from lambdas.freshness.sources.landing import LandingSource
from lambdas.freshness.sources.load import LoadSource
from lambdas.freshness.sources.pipe import PipeSource
from lambdas.freshness.sources.pull import PullSource
from lambdas.freshness.sources.upstream import UpstreamSource
from lambdas.freshness.tables import TableReader

THREADS = 16
COLLECT_S = 60.0
"""Seconds that the signals of all suspects may take."""
PROBE_S = 25.0
"""Seconds that one probe may take, its token and its second page included."""
RESERVE = timedelta(seconds=30)
"""Kept back from the function's time: no letter is begun in it."""
DELIVERY = timedelta(seconds=60)
"""Kept back besides, for letters: no change is recorded in it."""


@cache
def warehouse() -> SnowflakeWarehouse:
    """The connection that a warm function keeps."""
    return SnowflakeWarehouse(
        settings=settings(FreshnessSettings),
        secrets=_secrets(),
        connector=snowflake_connector,
    )


@cache
def _secrets() -> SecretsManagerSecrets:
    return SecretsManagerSecrets(client=lambda: client("secretsmanager"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What signals are collected through, in a function or at a person's desk."""

    aws: Callable[[str], Any]
    """The client of a service."""
    warehouse: Warehouse
    secrets: Secrets


def sources(known: FreshnessSettings, reach: Reach) -> Sources:
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
        )

    schedules = DeployedSchedules(
        scheduler=reach.aws("scheduler"), prefix=known.schedule_prefix
    )
    listing = LandedListing(s3=reach.aws("s3"), bucket=known.landing_bucket)
    return Sources(
        upstream=UpstreamSource(open_api=open_api, state=state),
        pull=PullSource(history=state, schedules=schedules),
        landing=LandingSource(listing=listing),
        load=LoadSource(warehouse=reach.warehouse, database=database),
        pipe=PipeSource(warehouse=reach.warehouse, database=database),
    )


def judge(known: FreshnessSettings, reach: Reach, datasets: Iterable[str]) -> Judge:
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
    )


def limits_of(known: FreshnessSettings) -> Limits:
    """The settings' seconds as durations."""
    return Limits(
        skew=timedelta(seconds=known.skew_s),
        load_grace=timedelta(seconds=known.load_grace_s),
        check_every=timedelta(seconds=known.check_every_s),
    )


def check(remaining: Callable[[], timedelta]) -> Check:
    """The check for one invocation; `remaining` is the function's time that is left."""
    known = settings(FreshnessSettings)
    clock = SystemClock()
    events = EventBus(events=client("events"), bus=known.event_bus)
    state = IncidentTable(dynamodb=client("dynamodb"), table=known.state_table)
    tools = Tools(
        settings=known,
        sns=client("sns"),
        events=events,
        http=urllib3.PoolManager(),
        secrets=_secrets(),
        clock=clock,
    )
    made = channels(tools)
    reach = Reach(aws=client, warehouse=warehouse(), secrets=_secrets())
    committer = Committer(
        landing=LandingBucket(s3=client("s3"), bucket=known.landing_bucket),
        state=StateTable(dynamodb=client("dynamodb"), table=known.state_table),
        events=events,
        clock=clock,
    )
    loads = LoadDesk(state=state, told=state, routes=routes(known))
    return Check(
        catalogue=catalogue(),
        state=state,
        judge=judge(known, reach, catalogue().datasets),
        outbox=Outbox(
            state=state, channels=made, has_time=lambda: remaining() > RESERVE
        ),
        events=events,
        routes=routes(known),
        limits=limits_of(known),
        sweep=committer.sweep,
        loads=loads,
        statements=lambda: warehouse().statements,
        has_time=lambda: remaining() > RESERVE + DELIVERY,
    )
