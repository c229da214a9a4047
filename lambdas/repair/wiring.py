"""What a check works with; its clients live with the process."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

from lambdas.adapters.catalogue import catalogue
from lambdas.adapters.clients import client
from lambdas.adapters.environment import settings
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.adapters.landing.objects import StoredObjects
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.load_history import load_records
from lambdas.adapters.snowflake.pipes import Pipes
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.state.loads import LoadTable
from lambdas.adapters.subscriptions import Subscriptions
from lambdas.core.loading.objects import LoadRecord
from lambdas.core.loading.reload import TRIES_AS_IT_IS, Reloader
from lambdas.core.loading.status import MAX_ATTEMPTS
from lambdas.core.repair.case import RepairContext
from lambdas.core.repair.notifications import LandingNotifications
from lambdas.core.settings import RepairSettings

RECORDS = 100_000
"""Of a table's history, at most."""


@cache
def warehouse() -> SnowflakeWarehouse:
    """The connection that a warm function keeps; made by its first statement."""
    return SnowflakeWarehouse(
        settings=settings(RepairSettings),
        secrets=SecretsManagerSecrets(client=lambda: client("secretsmanager")),
        connector=snowflake_connector,
        purpose="repair",
    )


def context(*, now: datetime) -> RepairContext:
    """What one check asks and changes."""
    known = settings(RepairSettings)
    database = known.snowflake_database
    stored = StoredObjects(s3=client("s3"), bucket=known.landing_bucket)
    landing = LandingBucket(s3=client("s3"), bucket=known.landing_bucket)

    def history(dataset: str, since: datetime) -> list[LoadRecord]:
        return load_records(warehouse(), database, dataset, since, limit=RECORDS)

    return RepairContext(
        catalogue=catalogue(),
        database=database,
        watch=LoadTable(dynamodb=client("dynamodb"), table=known.state_table),
        pipes=Pipes(warehouse=warehouse()),
        warehouse=warehouse(),
        history=history,
        stored=stored,
        reloader=Reloader(
            landing=landing, stored=stored, tries_as_it_is=TRIES_AS_IT_IS
        ),
        notifications=LandingNotifications(
            bucket=stored,
            topic=Subscriptions(sns=client("sns"), topic_arn=known.landed_topic_arn),
        ),
        grace=timedelta(seconds=known.load_grace_s),
        every=timedelta(seconds=known.check_every_s),
        max_attempts=MAX_ATTEMPTS,
        now=now,
    )
