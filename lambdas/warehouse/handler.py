"""The function behind the custom resource that makes Snowflake's side.

Its properties and attributes are in `lambdas.core.warehouse_resource`. It answers
CloudFormation itself, whatever happens: a resource without an answer holds a stack up
for an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, catalogue, settings
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.snowflake import SnowflakeWarehouse, snowflake_connector
from lambdas.core.settings import WarehouseSettings
from lambdas.warehouse.answer import HttpAnswers, answered
from lambdas.warehouse.provision import Provisioner
from lambdas.warehouse.steps import take

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="warehouse")
RESERVE_S = 30
"""Kept back from the function's time, to answer."""


def handle(event: dict[str, Any], context: LambdaContext) -> None:
    """Make what the resource stands for, and tell CloudFormation."""
    logger.set_correlation_id(context.aws_request_id)
    answered(
        event,
        work=lambda request: take(
            request, provisioner=lambda: provisioner(context), catalogue=catalogue
        ),
        answers=HttpAnswers(),
        logger=logger,
    )


def provisioner(context: LambdaContext) -> Provisioner:
    """The provisioner for this invocation."""
    clock = SystemClock()
    known = settings(WarehouseSettings)
    secrets = SecretsManagerSecrets(client=lambda: client("secretsmanager"))
    return Provisioner(
        settings=known,
        open_warehouse=lambda: SnowflakeWarehouse(
            settings=known, secrets=secrets, connector=snowflake_connector
        ),
        clock=clock,
        deadline_s=clock.monotonic()
        + context.get_remaining_time_in_millis() / 1000
        - RESERVE_S,
    )
