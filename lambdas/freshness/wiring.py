"""The check, made from the function's settings; its clients live with the process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import urllib3

from lambdas.adapters.channels.registry import Tools, channels
from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, catalogue, settings
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.state.checks import CheckTable
from lambdas.adapters.state.events import LastingEvents
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.runs import StateTable
from lambdas.adapters.wiring.signals import (
    SignalClients,
    deployment_of,
    judge,
    limits_of,
)
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.pull.commit import Committer
from lambdas.core.settings import FreshnessSettings
from lambdas.freshness.check import FreshnessCheck
from lambdas.freshness.outbox import Outbox
from lambdas.freshness.quality import QualityChecks
from lambdas.freshness.repair_notices import RepairNotices
from lambdas.freshness.self_check import SelfCheck

RESERVE = timedelta(seconds=30)
"""Kept back from the function's time: no message is begun in it."""
DELIVERY = timedelta(seconds=60)
"""Kept back besides, for messages: no change is recorded in it."""


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


def check(remaining: Callable[[], timedelta]) -> FreshnessCheck:
    """The check for one invocation; `remaining` is the function's time that is left."""
    known = settings(FreshnessSettings)
    datasets = catalogue()
    clock = SystemClock()
    events = EventBus(events=client("events"), bus=known.event_bus)
    state = IncidentTable(dynamodb=client("dynamodb"), table=known.state_table)
    tools = Tools(
        settings=known,
        sns=client("sns"),
        dynamodb=client("dynamodb"),
        events=events,
        http=urllib3.PoolManager(),
        secrets=_secrets(),
        clock=clock,
    )
    made = channels(tools)
    reached = routes(known.secrets_of_channels)
    reach = SignalClients(aws=client, warehouse=warehouse(), secrets=_secrets())
    committer = Committer(
        landing=LandingBucket(s3=client("s3"), bucket=known.landing_bucket),
        state=StateTable(dynamodb=client("dynamodb"), table=known.state_table),
        events=LastingEvents(
            events=events, dynamodb=client("dynamodb"), table=known.state_table
        ),
        clock=clock,
    )
    checks = CheckTable(dynamodb=client("dynamodb"), table=known.state_table)
    loads = RepairNotices(state=state, told=state, routes=reached)
    return FreshnessCheck(
        catalogue=datasets,
        state=state,
        judge=judge(known, reach, datasets.datasets),
        outbox=Outbox(
            pointers=Pointers(
                environment=known.environment_name,
                runbook_url=known.runbook_url,
                repository_url=known.repository_url,
            ),
            state=state,
            channels=made,
            has_time=lambda: remaining() > RESERVE,
        ),
        events=events,
        routes=reached,
        self_check=SelfCheck(
            state=state,
            routes=reached,
            limits=limits_of(known),
            deployment=deployment_of(known),
        ),
        sweep=committer.sweep,
        loads=loads,
        quality=QualityChecks(
            catalogue=datasets,
            database=known.snowflake_database,
            environment=known.environment_name,
            warehouse=warehouse(),
            store=checks,
            runs=checks,
            state=state,
            routes=reached,
            events=events,
            has_time=lambda: remaining() > RESERVE + DELIVERY,
        ),
        statements=lambda: warehouse().statements,
        has_time=lambda: remaining() > RESERVE + DELIVERY,
        with_digest=known.zones_of_digests,
    )
