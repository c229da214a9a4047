"""The schedules as they stand in AWS: somebody may have turned one off by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.core.diagnosis.evidence import DeployedSchedule

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

    def schedule(self, dataset: str) -> DeployedSchedule:
        """Whether it fires, and since when; one that is not there does not."""
        if self._prefix is None:
            return DeployedSchedule()
        try:
            answer = self._scheduler.get_schedule(Name=f"{self._prefix}{dataset}")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            is_gone = code == "ResourceNotFoundException"
            return DeployedSchedule(is_enabled=False if is_gone else None)
        return DeployedSchedule(
            is_enabled=answer["State"] == "ENABLED", created_at=answer["CreationDate"]
        )
