"""The repair function: every few minutes, one look at what has landed."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from lambdas.adapters.environment import SystemClock
from lambdas.repair.wiring import reconciler

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="repair")
copy_config_to_registered_loggers(source_logger=logger, include={"catflap"})


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Look once."""
    logger.set_correlation_id(context.aws_request_id)

    def remaining() -> timedelta:
        return timedelta(milliseconds=context.get_remaining_time_in_millis())

    result = reconciler(remaining).run(now=SystemClock().now())
    counts = dataclasses.asdict(result)
    logger.info("looked", extra={"due_at": event.get("due_at"), **counts})
    return counts
