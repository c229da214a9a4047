"""The reports function: the status page, every quarter of an hour and after changes;
each team's digest in its morning, and each month what caused its incidents; each week
what it cost, and who got access to what.

To add a report: a name in `Report`, a function in `wiring` and a line in `_MAKE`; its
schedule says the name, and what is to be made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from lambdas.adapters.environment import SystemClock
from lambdas.reports import wiring

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="reports")
copy_config_to_registered_loggers(source_logger=logger, include={"catflap"})


class Report(StrEnum):
    """What can be made."""

    PAGE = "page"
    DIGEST = "digest"
    CAUSES = "causes"
    WEEK = "week"


def _page(event: Mapping[str, Any]) -> dict[str, Any]:
    changed_at = datetime.fromisoformat(event["time"]) if "detail" in event else None
    return wiring.write_page(changed_at)


def _digest(event: Mapping[str, Any]) -> dict[str, Any]:
    return wiring.write_digest(
        event["team"], due_at=datetime.fromisoformat(event["due_at"])
    )


def _causes(event: Mapping[str, Any]) -> dict[str, Any]:
    return wiring.write_causes(
        event["team"], due_at=datetime.fromisoformat(event["due_at"])
    )


def _week(event: Mapping[str, Any]) -> dict[str, Any]:
    return wiring.write_week(datetime.fromisoformat(event["due_at"]))


_MAKE: Mapping[Report, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    Report.PAGE: _page,
    Report.DIGEST: _digest,
    Report.CAUSES: _causes,
    Report.WEEK: _week,
}


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Make the report that the event names; a change of an incident is for the page."""
    logger.set_correlation_id(context.aws_request_id)
    report = Report(event.get("report", Report.PAGE))
    made = _MAKE[report](event)
    now = SystemClock().now()
    logger.info("made a report", extra={"report": report, "at": now, **made})
    return {"report": report.value, **made}
