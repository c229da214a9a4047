"""The freshness function: every few minutes, one check."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.adapters.environment import SystemClock
from lambdas.freshness.wiring import check

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="freshness")
# Without a service, which would be a dimension: the alarm looks at the bare metric.
metrics = Metrics(namespace="catflap")
copy_config_to_registered_loggers(source_logger=logger, include={"catflap"})


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Check once; the heartbeat follows only when the work is done."""
    logger.set_correlation_id(context.aws_request_id)

    def remaining() -> timedelta:
        return timedelta(milliseconds=context.get_remaining_time_in_millis())

    result = check(remaining).run(now=SystemClock().now())
    counts = dataclasses.asdict(result)
    logger.info("checked", extra={"due_at": event.get("due_at"), **counts})
    metrics.add_metric(name="CatflapHeartbeat", unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
    return counts
