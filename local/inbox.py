"""What people would have read by mail: the SNS topics, as a subscriber sees them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message of a topic."""

    audience: str
    subject: str
    body: str
    kind: str = ""
    page: bool = False


class TopicReader:
    """A queue subscribed to the topics of engineers and stakeholders."""

    def __init__(self, *, sns: Any, sqs: Any, topics: dict[str, str]) -> None:  # noqa: ANN401 - boto3 clients
        """`topics` maps an audience to its topic's ARN."""
        self._sqs = sqs
        self._audience_of = {arn: audience for audience, arn in topics.items()}
        self._url = sqs.create_queue(QueueName="readers-of-the-replay")["QueueUrl"]
        queue = sqs.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        for arn in topics.values():
            sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)

    def read(self) -> list[Mail]:
        """Every message since the last call, oldest first."""
        found: list[Mail] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0
        ).get("Messages", []):
            for message in messages:
                envelope = json.loads(message["Body"])
                found.append(
                    Mail(
                        audience=self._audience_of[envelope["TopicArn"]],
                        subject=envelope.get("Subject", ""),
                        body=envelope["Message"],
                        kind=_attribute(envelope, "kind"),
                        page=_attribute(envelope, "page") == "true",
                    )
                )
                self._sqs.delete_message(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                )
        return found


def _attribute(envelope: dict[str, Any], name: str) -> str:
    found = envelope.get("MessageAttributes", {}).get(name, {})
    return str(found.get("Value", ""))
