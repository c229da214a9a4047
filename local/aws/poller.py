"""Queues that feed functions, as Lambda's pollers do it.

The stand-in's own way from SQS to Lambda ignores partial failures. Here the poller
receives, invokes and deletes with the role of the function, as Lambda does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from local.aws.cloud import Cloud
from local.aws.invoke import LAMBDA, DeployedFunction, FunctionError
from local.aws.resources.compute import DeployedEventSource

MAX_RECEIVED_AT_ONCE = 10
"""SQS API reference, ReceiveMessage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """An event source with the function it feeds."""

    source: DeployedEventSource
    function: DeployedFunction


class Poller:
    """Takes messages to functions until no queue gives any.

    `invoke` runs a function and raises FunctionError. With `twice`, each batch is
    delivered a second time after it was handled: SQS is at-least-once.
    """

    def __init__(
        self,
        cloud: Cloud,
        *,
        feeds: Sequence[Feed],
        invoke: Callable[[DeployedFunction, Mapping[str, Any]], Any],
        max_parallel: int,
        twice: bool,
    ) -> None:
        self._cloud = cloud
        self._feeds = feeds
        self._invoke = invoke
        self._max_parallel = max_parallel
        self._twice = twice

    def poll(self) -> int:
        """Deliver what is visible now, and what becomes visible by it; returns the
        number of messages delivered. A message that failed waits for its visibility.
        """
        delivered = 0
        running: dict[Future[None], Feed] = {}
        with ThreadPoolExecutor(self._max_parallel) as pool:
            while True:
                waiting = self._cloud.waiting_queues()
                for feed in self._feeds:
                    if feed.source.queue_arn.rpartition(":")[2] in waiting:
                        delivered += self._fill(pool, feed, running)
                if not running:
                    return delivered
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    del running[future]
                    future.result()

    def _fill(
        self, pool: ThreadPoolExecutor, feed: Feed, running: dict[Future[None], Feed]
    ) -> int:
        """Start batches of one feed up to what may run at once."""
        started = 0
        limit = feed.source.maximum_concurrency or self._max_parallel
        while (
            len(running) < self._max_parallel
            and list(running.values()).count(feed) < limit
        ):
            messages = self._receive(feed)
            if not messages:
                break
            running[pool.submit(self._deliver, feed, messages)] = feed
            started += len(messages)
        return started

    def _receive(self, feed: Feed) -> list[dict[str, Any]]:
        answer = self._sqs(feed).receive_message(
            QueueUrl=queue_url(self._cloud, feed.source.queue_arn),
            MaxNumberOfMessages=min(feed.source.batch_size, MAX_RECEIVED_AT_ONCE),
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _deliver(self, feed: Feed, messages: list[dict[str, Any]]) -> None:
        handled = self._handled(feed, messages)
        if self._twice:
            # What was handled the first time stays handled: SQS may have sent both.
            handled |= self._handled(feed, [_again(one) for one in messages])
        for message in messages:
            if message["MessageId"] in handled:
                self._sqs(feed).delete_message(
                    QueueUrl=queue_url(self._cloud, feed.source.queue_arn),
                    ReceiptHandle=message["ReceiptHandle"],
                )

    def _handled(self, feed: Feed, messages: list[dict[str, Any]]) -> set[str]:
        """Ids of the messages that need not come again."""
        every = {one["MessageId"] for one in messages}
        records = [sqs_record(feed.source, self._cloud.region, one) for one in messages]
        try:
            answer = self._invoke(feed.function, {"Records": records})
        except FunctionError:
            return set()
        if not feed.source.reports_item_failures or not answer:
            return every
        # Lambda developer guide, "Reporting batch item failures": an answer of
        # another shape fails the whole batch.
        try:
            failed = {
                one["itemIdentifier"] for one in answer["batchItemFailures"] or []
            }
        except (TypeError, KeyError):
            return set()
        return every - failed if failed <= every else set()

    def _sqs(self, feed: Feed) -> Any:  # noqa: ANN401 - boto3's clients have no common type
        return self._cloud.role_client(feed.function.role_arn, "sqs", principal=LAMBDA)


def queue_url(cloud: Cloud, arn: str) -> str:
    """The URL of a queue of this cloud."""
    _, _, _, _, account, name = arn.split(":")
    return f"{cloud.endpoint_url}/{account}/{name}"


def sqs_record(
    source: DeployedEventSource, region: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    """A message as Lambda hands it over (Developer Guide, "Using … Amazon SQS")."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {
            name: {
                "stringValue": one.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": one["DataType"],
            }
            for name, one in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": source.queue_arn,
        "awsRegion": region,
    }


def _again(message: dict[str, Any]) -> dict[str, Any]:
    attributes = dict(message.get("Attributes", {}))
    count = int(attributes.get("ApproximateReceiveCount", "1")) + 1
    attributes["ApproximateReceiveCount"] = str(count)
    return {**message, "Attributes": attributes}
