"""The check, made from the function's settings; its clients live with the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache

import urllib3

from lambdas.adapters.catalogue import catalogue
from lambdas.adapters.channels.registry import Tools, channels
from lambdas.adapters.channels.slack import SlackChannel
from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, settings
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.signals.landed_witness import LandedWitness
from lambdas.adapters.snowflake.change_marks import ChangeMarks
from lambdas.adapters.snowflake.dynamic_tables import ShownDynamicTables
from lambdas.adapters.snowflake.grants import ShownGrants
from lambdas.adapters.snowflake.pipes import Pipes
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.state.checks import CheckTable
from lambdas.adapters.state.events import LastingEvents
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.posts import UserGroupTable
from lambdas.adapters.state.proof import ProofTable
from lambdas.adapters.state.runs import StateTable
from lambdas.adapters.wiring.signals import (
    SignalClients,
    deployment_of,
    judge,
    limits_of,
)
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.errors import WarehouseError
from lambdas.core.incidents.channels import routes
from lambdas.core.incidents.notice import Notice
from lambdas.core.incidents.pointers import Pointers
from lambdas.core.incidents.ports import Channel
from lambdas.core.pull.commit import Committer
from lambdas.core.quality.due import relations
from lambdas.core.reports.access import ObjectGrant
from lambdas.core.settings import FreshnessSettings
from lambdas.core.slack.mentions import handles_of
from lambdas.core.sql.account_usage import LOOK
from lambdas.freshness.access_watch import AccessWatch
from lambdas.freshness.check import FreshnessCheck
from lambdas.freshness.dynamic_tables import StoppedTables
from lambdas.freshness.mention_watch import MentionWatch
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
        purpose="check",
    )


@cache
def _secrets() -> SecretsManagerSecrets:
    return SecretsManagerSecrets(client=lambda: client("secretsmanager"))


def _access_watch(
    known: FreshnessSettings,
    datasets: Mapping[str, Dataset],
    state: IncidentTable,
    has_time: Callable[[], bool],
) -> AccessWatch:
    shown = ShownGrants(warehouse=_shows(), database=known.snowflake_database)

    def all_of(dataset: Dataset) -> Sequence[ObjectGrant]:
        """None but all: what could not be seen is no grant that was removed."""
        shown.unseen = []
        found = shown.on(dataset)
        if shown.unseen:
            raise WarehouseError("; ".join(shown.unseen))
        return found

    return AccessWatch(
        datasets=datasets,
        shown=all_of,
        memory=state,
        routes=routes(known.secrets_of_channels),
        pointers=_pointers(known),
        every=timedelta(seconds=known.check_every_s),
        has_time=has_time,
    )


def _mention_watch(
    tools: Tools,
    catalogue: Catalogue,
    made: Mapping[str, Channel],
    has_time: Callable[[], bool],
) -> Mapping[str, Callable[[datetime], Sequence[Notice]]]:
    """Of Slack, if there is one."""
    slack = made.get("slack")
    if not isinstance(slack, SlackChannel):
        return {}
    watch = MentionWatch(
        handles=handles_of(relations(catalogue).values()),
        groups=slack.groups,
        memory=UserGroupTable(
            dynamodb=tools.dynamodb, table=tools.settings.state_table
        ),
        has_time=has_time,
    )
    return {"whom a page mentions": watch.look}


def _pointers(known: FreshnessSettings) -> Pointers:
    return Pointers(
        environment=known.environment_name,
        runbook_url=known.runbook_url,
        repository_url=known.repository_url,
    )


@cache
def _shows() -> SnowflakeWarehouse:
    """A session without a warehouse; what it asks does not count as waking one."""
    return SnowflakeWarehouse(
        settings=settings(FreshnessSettings),
        secrets=_secrets(),
        connector=snowflake_connector,
        purpose=LOOK,
        is_asleep=True,
    )


def check(remaining: Callable[[], timedelta]) -> FreshnessCheck:
    """The check for one invocation; `remaining` is the function's time that is left."""
    known = settings(FreshnessSettings)

    def has_time() -> bool:
        return remaining() > RESERVE + DELIVERY

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
    shown = ShownDynamicTables(warehouse=_shows(), database=known.snowflake_database)
    loads = RepairNotices(
        state=state,
        told=state,
        routes=reached,
        dynamic_tables=StoppedTables(
            catalogue=datasets, database=known.snowflake_database, shown=shown.now
        ),
    )
    return FreshnessCheck(
        catalogue=datasets,
        state=state,
        judge=judge(known, reach, datasets.datasets),
        outbox=Outbox(
            pointers=_pointers(known),
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
            has_time=has_time,
        ),
        statements=lambda: warehouse().statements,
        has_time=has_time,
        with_digest=known.zones_of_digests,
        afterwards={
            "who may read what is personal": _access_watch(
                known, datasets.datasets, state, has_time
            ).look,
            **_mention_watch(tools, datasets, made, has_time),
        },
        witness=LandedWitness(
            runs=StateTable(dynamodb=client("dynamodb"), table=known.state_table),
            pipes=Pipes(warehouse=_shows()),
            changes=ChangeMarks(warehouse=_shows(), database=known.snowflake_database),
            database=known.snowflake_database,
            is_proven=ProofTable(
                dynamodb=client("dynamodb"), table=known.state_table
            ).is_proven,
        ),
    )
