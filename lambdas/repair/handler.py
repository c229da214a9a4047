"""The repair function: every few minutes, a check of what has landed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from lambdas.adapters.environment import SystemClock
from lambdas.core.repair.reconciler import reconcile
from lambdas.repair import wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_MS = 60_000
"""Kept back from the function's time: no dataset is begun in it."""

logger = Logger(service="repair")
copy_config_to_registered_loggers(source_logger=logger, include={"catflap"})


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Check once."""
    logger.set_correlation_id(context.aws_request_id)

    def has_time() -> bool:
        return context.get_remaining_time_in_millis() > RESERVE_MS

    now = SystemClock().now()
    result = reconcile(wiring.context(now=now), has_time=has_time)
    counts = dataclasses.asdict(result)
    logger.info("checked loads", extra={"due_at": event.get("due_at"), **counts})
    return counts
