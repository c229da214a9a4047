"""Dead letters back to where they came from: each is sent before it is taken away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.core.errors import CatflapError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HIDDEN_S = 120
"""How long a letter that is looked at is hidden from others."""
_MOST = 100_000


class QueueRefused(CatflapError):
    """SQS did not do what was asked of it."""


class DeadLetterQueue:
    """A dead-letter queue of pulls, and the queue that its letters go back to.

    StartMessageMoveTask would move the letters of all datasets. By hand, a letter is
    sent and then deleted: a death in between sends it twice, and a pull that finds
    nothing to do is done.
    """

    def __init__(self, *, sqs: SQSClient, dead: str, back_to: str) -> None:
        """`dead` and `back_to` begin the names of the queues."""
        self._sqs = sqs
        self._dead = dead
        self._back_to = back_to

    def redrive(self, dataset: str) -> int:
        """Send a dataset's dead letters back; how many. Raises QueueRefused."""
        try:
            return self._redrive(dataset)
        except (BotoCoreError, ClientError) as error:
            raise QueueRefused(f"the dead letters cannot be moved: {error}") from error

    def _redrive(self, dataset: str) -> int:
        dead, back_to = self._url(self._dead), self._url(self._back_to)
        moved = 0
        others: list[str] = []
        while messages := self._receive(dead):
            for message in messages:
                if not _is_of(message["Body"], dataset):
                    others.append(message["ReceiptHandle"])
                    continue
                group = message["Attributes"].get("MessageGroupId", dataset)
                self._sqs.send_message(
                    QueueUrl=back_to,
                    MessageBody=message["Body"],
                    MessageGroupId=group,
                )
                self._sqs.delete_message(
                    QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"]
                )
                moved += 1
            if moved + len(others) >= _MOST:
                break
        for handle in others:
            self._sqs.change_message_visibility(
                QueueUrl=dead, ReceiptHandle=handle, VisibilityTimeout=0
            )
        return moved

    def _receive(self, url: str) -> list[Any]:
        answer = self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            AttributeNames=["MessageGroupId"],
            VisibilityTimeout=HIDDEN_S,
            WaitTimeSeconds=0,
        )
        return list(answer.get("Messages", []))

    def _url(self, prefix: str) -> str:
        found = self._sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
        if len(found) != 1:
            raise QueueRefused(
                f"one queue whose name begins with {prefix} was expected, and "
                f"{len(found)} are there; is the environment deployed?"
            )
        return found[0]


def _is_of(body: str, dataset: str) -> bool:
    try:
        return bool(json.loads(body).get("dataset") == dataset)
    except (ValueError, AttributeError):
        return False
