"""The pull function: one message of `pulls.fifo` is one pull of one dataset."""

from __future__ import annotations

import random
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from lambdas.adapters.catalogue import catalogue
from lambdas.adapters.clients import client
from lambdas.adapters.environment import SystemClock, settings
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.landing.bucket import LandingBucket
from lambdas.adapters.secrets import SecretsManagerSecrets
from lambdas.adapters.sources.open import ApiSources
from lambdas.adapters.sources.parent_rows import LandedParents
from lambdas.adapters.sources.rate_budget import SharedBudgets
from lambdas.adapters.state.events import LastingEvents
from lambdas.adapters.state.places import PlaceTable
from lambdas.adapters.state.rates import RateTable
from lambdas.adapters.state.runs import StateTable
from lambdas.core.pull.engine import Puller
from lambdas.core.pull.message import deliveries
from lambdas.core.pull.segment import Budget
from lambdas.core.settings import PullSettings
from lambdas.pull.worker import DeliveryOutcome, Worker

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="pull")
copy_config_to_registered_loggers(source_logger=logger, include={"catflap"})

RESERVE = timedelta(seconds=30)
"""Kept back from the function's time, to commit or to give up in good order."""

SEGMENT_SHARE = 0.75
"""Of the function's time, until a long pull lands what it has: the rest is for a slow
page and for the commit."""


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Pull what each message names; name the messages that must come again."""
    logger.set_correlation_id(context.aws_request_id)
    failed = []
    for delivery in deliveries(event):
        logger.append_keys(dataset=delivery.request.dataset)
        try:
            outcome = worker(context).work(delivery)
        except Exception:
            logger.exception("pull failed (internal error); it will be retried")
            failed.append({"itemIdentifier": delivery.message_id})
        else:
            logger.info("pulled", extra=told(outcome))
            if not outcome.is_done:
                failed.append({"itemIdentifier": delivery.message_id})
    return {"batchItemFailures": failed}


def told(outcome: DeliveryOutcome) -> dict[str, object]:
    """What the log says of a pull: counts and causes, no data."""
    if outcome.result is None:
        is_waiting = outcome.waits
        return {"status": "waits for a place" if is_waiting else "nothing to do"}
    run = outcome.result.run
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "rows": run.rows,
        "bytes": run.size,
        "quarantined": run.quarantined,
        "pages": run.pages,
        "retries": run.retries,
        "continues": outcome.result.continues,
        "error": run.error.message if run.error else None,
    }


def worker(context: LambdaContext) -> Worker:
    """The worker for this invocation; its clients live as long as the process."""
    clock = SystemClock()
    remaining = timedelta(milliseconds=context.get_remaining_time_in_millis())
    started_s = clock.monotonic()
    known = settings(PullSettings)
    landing = LandingBucket(s3=client("s3"), bucket=known.landing_bucket)
    return Worker(
        catalogue=catalogue,
        puller=Puller(
            landing=landing,
            state=StateTable(dynamodb=client("dynamodb"), table=known.state_table),
            events=LastingEvents(
                events=EventBus(events=client("events"), bus=known.event_bus),
                dynamodb=client("dynamodb"),
                table=known.state_table,
            ),
            clock=clock,
            source=ApiSources(
                secrets=SecretsManagerSecrets(client=lambda: client("secretsmanager")),
                clock=clock,
                deadline_s=started_s + (remaining - RESERVE).total_seconds(),
                budgets=SharedBudgets(
                    store=RateTable(
                        dynamodb=client("dynamodb"), table=known.state_table
                    ),
                    clock=clock,
                    random=random.random,
                ),
                parents=LandedParents(landing=landing),
                destinations=known.destinations,
            ),
            random=secrets.token_bytes,
            budget=Budget(
                deadline_s=started_s + remaining.total_seconds() * SEGMENT_SHARE
            ),
        ),
        sqs=client("sqs"),
        queue_url=known.pulls_queue_url,
        backfills_queue_url=known.backfills_queue_url,
        remaining=lambda: timedelta(
            milliseconds=context.get_remaining_time_in_millis()
        ),
        places=PlaceTable(
            dynamodb=client("dynamodb"), table=known.state_table, clock=clock
        ),
    )
