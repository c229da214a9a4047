"""The function that hears the bus, and tells a lineage service in OpenLineage's words.

The service is asked once for each event: one that is lost costs nothing but a gap in
somebody's picture, and nothing waits for it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import urllib3
from aws_lambda_powertools import Logger

from lambdas.adapters.catalogue import catalogue
from lambdas.adapters.clients import client
from lambdas.adapters.environment import settings
from lambdas.adapters.lineage import LineageEndpoint
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.core.lineage.documents import LineageDocuments
from lambdas.core.settings import LineageSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="lineage")


def handle(event: dict[str, Any], context: LambdaContext) -> None:
    """Tell of one event."""
    logger.set_correlation_id(context.aws_request_id)
    known = settings(LineageSettings)
    documents = LineageDocuments(
        catalogue=catalogue(),
        environment=known.environment_name,
        account=known.snowflake_account,
        database=known.snowflake_database,
        bucket=known.landing_bucket,
    )
    sent = endpoint().send(documents.of(event))
    logger.info("sent", extra={"detail_type": event["detail-type"], "sent": sent})


@cache
def endpoint() -> LineageEndpoint:
    """The service, its key and its connection, which a warm function keeps."""
    known = settings(LineageSettings)
    return LineageEndpoint(
        http=urllib3.PoolManager(),
        url=known.lineage_url,
        secrets=SecretsManagerSecrets(client=lambda: client("secretsmanager")),
        secret=known.lineage_secret,
    )
