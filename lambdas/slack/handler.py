"""The function that Slack calls: it verifies, and queues what a person asked for."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import urllib3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, settings
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.secret import SlackSecret
from lambdas.core.settings import SlackSettings
from lambdas.slack.front import SlackFront

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

MODAL_WAIT_S = 0.0
"""A modal is opened within three seconds, or not at all."""

logger = Logger(service="slack")
copy_config_to_registered_loggers(source_logger=logger, include={"catflap"})


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request to the function's URL."""
    logger.set_correlation_id(context.aws_request_id)
    return front().answer(event)


@cache
def front() -> SlackFront:
    """Its clients and the secret live as long as the process."""
    known, clock = settings(SlackSettings), SystemClock()
    secret = SlackSecret(
        secrets=SecretsManagerSecrets(client=lambda: client("secretsmanager")),
        name=known.slack_secret,
    )
    return SlackFront(
        secret=secret,
        api=SlackApi(
            http=urllib3.PoolManager(),
            token=lambda: secret.value("bot_token"),
            clock=clock,
            base_url=known.slack_api_url,
            wait_s=MODAL_WAIT_S,
            timeout_s=2.0,
        ),
        sqs=client("sqs"),
        queue_url=known.people_queue_url,
        now=clock.now,
    )
