"""The people function: one message of its queue is one thing that a person wants."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import urllib3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from lambdas.adapters.catalogue import catalogue
from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, settings
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.slack.api import SlackApi
from lambdas.adapters.slack.people import Members
from lambdas.adapters.slack.secret import SlackSecret
from lambdas.adapters.state.incidents import IncidentTable
from lambdas.adapters.state.posts import SlackPostTable
from lambdas.core.incidents.channels import routes
from lambdas.core.settings import PeopleSettings
from lambdas.core.slack.asked import PersonRequest
from lambdas.people.worker import PeopleWorker

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="people")
copy_config_to_registered_loggers(source_logger=logger, include={"catflap"})


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what each message asks for; name the messages that must come again."""
    logger.set_correlation_id(context.aws_request_id)
    work = worker().work
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        if failed:  # those behind a failed one of the same incident wait for it
            failed.append({"itemIdentifier": record["messageId"]})
            continue
        try:
            work(msgspec.json.decode(record["body"], type=PersonRequest))
        except Exception:
            logger.exception("a person's request failed; it will be retried")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


@cache
def api() -> SlackApi:
    """Slack, by the secret's token."""
    known = settings(PeopleSettings)
    secret = SlackSecret(
        secrets=SecretsManagerSecrets(client=lambda: client("secretsmanager")),
        name=known.secrets_of_channels["slack"],
    )
    return SlackApi(
        http=urllib3.PoolManager(),
        token=lambda: secret.value("bot_token"),
        clock=SystemClock(),
        base_url=known.slack_api_url,
    )


@cache
def members() -> Members:
    """Who is a member of what."""
    return Members(api=api(), clock=SystemClock())


def worker() -> PeopleWorker:
    """The worker of one invocation."""
    known = settings(PeopleSettings)
    dynamodb = client("dynamodb")
    return PeopleWorker(
        catalogue=catalogue(),
        state=IncidentTable(dynamodb=dynamodb, table=known.state_table),
        posts=SlackPostTable(dynamodb=dynamodb, table=known.state_table),
        members=members(),
        api=api(),
        default_channel=known.option("slack", "default_channel"),
        routes=routes(known.secrets_of_channels),
        sqs=client("sqs"),
        pulls_queue_url=known.pulls_queue_url,
        now=SystemClock().now,
    )
