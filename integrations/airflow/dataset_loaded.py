"""Wait in Airflow for the rows of a dataset. Copy this file beside your DAGs.

    from airflow.providers.standard.sensors.python import PythonSensor

    PythonSensor(
        task_id="flights_loaded",
        python_callable=DatasetLoaded(dataset="flights", queue_url=QUEUE_URL),
        op_kwargs={"since": "{{ data_interval_end }}"},
        mode="reschedule",
    )

It reads the events `dataset.loaded` (docs/events.md) from an SQS queue of its own, into
which a rule of the bus puts them. Airflow imports nothing of catflap, nor this anything
of Airflow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

MESSAGES = 10
"""SQS gives no more at once."""
MOST_LOOKS = 20
"""At one call: what is left is read by the next."""


def sqs_client() -> Any:  # noqa: ANN401 - boto3 has no types of its own
    """Of the worker's own credentials and region."""
    import boto3  # noqa: PLC0415 - DAGs are parsed often, and on machines without it

    return boto3.client("sqs")


class DatasetLoaded:
    """Called, says whether rows are there that are as new as asked for.

    `clock` is what has to be as new: `newest_event_at`, the newest time in the data, or
    `loaded_at`, when the newest rows were loaded. What is older is taken from the
    queue; what is new enough stays, so that a task that is run again finds it.
    """

    __name__ = "dataset_loaded"

    def __init__(
        self,
        *,
        dataset: str,
        queue_url: str,
        clock: Literal["newest_event_at", "loaded_at"] = "loaded_at",
        client: Callable[[], Any] = sqs_client,
    ) -> None:
        self._dataset = dataset
        self._queue_url = queue_url
        self._clock = clock
        self._client = client

    def __call__(self, since: str, **_: object) -> bool:
        """`since` is ISO 8601 with an offset. Raises ValueError without one, or if the
        dataset has no such clock.
        """
        wanted = datetime.fromisoformat(since)
        if wanted.tzinfo is None:
            raise ValueError(
                f"`since` is {since!r}, and its zone is not known; accepted: ISO 8601 "
                "with an offset, such as {{ data_interval_end }}"
            )
        sqs = self._client()
        for _look in range(MOST_LOOKS):
            answer = sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=MESSAGES,
                WaitTimeSeconds=1,
            )
            messages = answer.get("Messages", [])
            if not messages:
                return False
            if self._is_among(sqs, messages, wanted):
                return True
        return False

    def _is_among(
        self,
        sqs: Any,  # noqa: ANN401 - as above
        messages: list[dict[str, Any]],
        wanted: datetime,
    ) -> bool:
        found = False
        for message in messages:
            newest = self._newest(json.loads(message["Body"]))
            receipt = {
                "QueueUrl": self._queue_url,
                "ReceiptHandle": message["ReceiptHandle"],
            }
            if newest is not None and newest >= wanted:
                sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
                found = True
            else:
                sqs.delete_message(**receipt)
        return found

    def _newest(self, event: Mapping[str, Any]) -> datetime | None:
        """None: it is about something else."""
        detail = event["detail"]
        if (
            event["detail-type"] != "dataset.loaded"
            or detail["dataset"] != self._dataset
        ):
            return None
        said = detail[self._clock]
        if said is None:
            raise ValueError(
                f"{self._dataset} has no {self._clock}: it declares no "
                "freshness.loaded_at_field; accepted: clock='loaded_at'"
            )
        return datetime.fromisoformat(said)
