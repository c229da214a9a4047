"""The schedules as they stand in AWS: somebody may have turned one off by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient


class DeployedSchedules:
    """EventBridge Scheduler, asked one by one: only suspects are."""

    def __init__(
        self, *, scheduler: EventBridgeSchedulerClient, prefix: str | None
    ) -> None:
        """`prefix` and a dataset's name make the schedule's; None: not to be asked."""
        self._scheduler = scheduler
        self._prefix = prefix

    def is_enabled(self, dataset: str) -> bool | None:
        """Whether it fires; a schedule that is not there does not. None: not known."""
        if self._prefix is None:
            return None
        try:
            answer = self._scheduler.get_schedule(Name=f"{self._prefix}{dataset}")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            return False if code == "ResourceNotFoundException" else None
        return answer["State"] == "ENABLED"
