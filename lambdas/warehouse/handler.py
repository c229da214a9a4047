"""The function behind the custom resource that makes Snowflake's side, and that makes
a relation anew when the data has shown other columns.

The resource's properties and attributes are in `lambdas.core.custom_resource`. It
answers CloudFormation itself, whatever happens: a resource without an answer holds a
stack up for an hour. Only where one invocation's time does not suffice it raises
without an answer, and Lambda's own second and third try go on, which fit into the hour
(AWS: "Error handling for asynchronous invocation"). An event of the bus is not
answered; one that fails is delivered again, and ends among the dead letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from lambdas.adapters.catalogue import PublishedCatalogue, catalogue
from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, settings
from lambdas.adapters.landing.object_events import ObjectEvents
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake.warehouse import SnowflakeWarehouse, snowflake_connector
from lambdas.adapters.stacks import Stacks
from lambdas.adapters.state.columns import StoredColumns
from lambdas.adapters.state.made import StoredMade, UnmadeRelations
from lambdas.core.custom_resource import CatalogueProperties, EventsProperties
from lambdas.core.pull.column_events import COLUMNS_OBSERVED
from lambdas.core.settings import WarehouseSettings
from lambdas.warehouse.answer import HttpAnswers, answered
from lambdas.warehouse.provision import Provisioner
from lambdas.warehouse.steps import remake, take

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="warehouse")
RESERVE_S = 30
"""Kept back from the function's time, to answer."""


def handle(event: dict[str, Any], context: LambdaContext) -> None:
    """Make what an event of the bus or a request of CloudFormation is about."""
    logger.set_correlation_id(context.aws_request_id)
    if event.get("detail-type") == COLUMNS_OBSERVED:
        logger.info("columns observed", extra=_remade(event, context))
        return
    answered(
        event,
        work=lambda request: take(
            request,
            provisioner=lambda: provisioner(context),
            catalogue=catalogue,
            publish=publish,
            tell=tell,
            rolls_back=Stacks(client=lambda: client("cloudformation")).rolls_back,
            unmade=unmade(),
        ),
        answers=HttpAnswers(),
        logger=logger,
    )


def _remade(event: dict[str, Any], context: LambdaContext) -> Mapping[str, object]:
    return remake(
        event,
        provisioner=lambda: provisioner(context),
        known=catalogue,
        unmade=unmade(),
        at=SystemClock().now(),
    )


def publish(source: CatalogueProperties) -> None:
    """Give functions the datasets of this deploy."""
    known = settings(WarehouseSettings)
    PublishedCatalogue(
        s3=client("s3"), bucket=known.landing_bucket, key=source.key
    ).publish(bucket=source.source_bucket, key=source.source_key, clock=SystemClock())


def tell(events: EventsProperties) -> None:
    """Have the landing bucket tell the topic of its objects."""
    ObjectEvents(
        s3=client("s3"), bucket=settings(WarehouseSettings).landing_bucket
    ).tell(events.topic_arn, events.prefixes.split(","), clock=SystemClock())


def unmade() -> UnmadeRelations:
    """Where relations that could not be made are reported."""
    table = settings(WarehouseSettings).state_table
    return UnmadeRelations(client=lambda: client("dynamodb"), table=table)


def provisioner(context: LambdaContext) -> Provisioner:
    """The provisioner for this invocation."""
    clock = SystemClock()
    known = settings(WarehouseSettings)
    secrets = SecretsManagerSecrets(client=lambda: client("secretsmanager"))
    return Provisioner(
        settings=known,
        open_warehouse=lambda: SnowflakeWarehouse(
            settings=known,
            secrets=secrets,
            connector=snowflake_connector,
            purpose="deploy",
        ),
        columns=StoredColumns(
            client=lambda: client("dynamodb"), table=known.state_table
        ),
        record=StoredMade(client=lambda: client("dynamodb"), table=known.state_table),
        clock=clock,
        log=lambda text, values: logger.info(text, extra=dict(values)),
        deadline_s=clock.monotonic()
        + context.get_remaining_time_in_millis() / 1000
        - RESERVE_S,
    )
