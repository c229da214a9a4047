"""Takes one delivery of the queue from its first act to its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from lambdas.adapters.state.places import Places
from lambdas.core.dataset import Catalogue, Dataset
from lambdas.core.pull.engine import Puller, PullResult
from lambdas.core.pull.message import (
    Delivery,
    MessageEnding,
    PullRequest,
    continuation,
    ending,
    hidden_until_death,
    wait_before_retry,
)
from lambdas.core.pull.slice import Slice

LOG = logging.getLogger("catflap.pull.worker")

WAITING_TRIES = 3
"""Deliveries of a message that may wait for a place: fewer than make a dead letter."""

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOutcome:
    """What a delivery came to; `result` is None where nothing had to be pulled."""

    is_done: bool
    result: PullResult | None
    waits: bool = False
    """All places of its API were taken: it comes again, and that is no failure."""


class Worker:
    """Pulls what a message names, and says whether it must come again."""

    def __init__(
        self,
        *,
        catalogue: Callable[[], Catalogue],
        puller: Puller,
        sqs: SQSClient,
        queue_url: str,
        backfills_queue_url: str,
        remaining: Callable[[], timedelta],
        places: Places,
    ) -> None:
        self._catalogue = catalogue
        self._puller = puller
        self._sqs = sqs
        self._queue_url = queue_url
        self._backfills_queue_url = backfills_queue_url
        self._remaining = remaining
        self._places = places

    def work(self, delivery: Delivery) -> DeliveryOutcome:
        """Pull the dataset a delivery names.

        Whatever is raised is ours, not upstream's: the message comes again, after a
        wait, and ends among the dead letters.
        """
        self._hide(delivery, hidden_until_death(self._remaining()))
        try:
            outcome = self._pull(delivery)
        except Exception:
            self._hide(delivery, wait_before_retry(delivery.tries))
            raise
        if not outcome.is_done:
            self._hide(delivery, wait_before_retry(delivery.tries))
        return outcome

    def _pull(self, delivery: Delivery) -> DeliveryOutcome:
        request = delivery.request
        if request.part is not None:
            return self._pull_slice(delivery, request.part)
        continues = request.reason == "continuation"
        if self._puller.is_done(request.dataset, request.due_at, continues=continues):
            return DeliveryOutcome(is_done=True, result=None)
        dataset = self._dataset(request.dataset)
        if dataset is None:
            # Removed since the tick; what it had left behind was rolled forward above.
            return DeliveryOutcome(is_done=True, result=None)
        if not self._has_place(dataset, delivery):
            return self._given_back(delivery)
        if delivery.tries > 1:
            self._puller.suspect(dataset.name)
        try:
            return self._pull_now(dataset, delivery)
        finally:
            self._places.leave(dataset, delivery.message_id)

    def _dataset(self, name: str) -> Dataset | None:
        try:
            return self._catalogue().datasets.get(name)
        except Exception as error:
            self._puller.fail_to_begin(name, error)
            raise

    def _has_place(self, dataset: Dataset, delivery: Delivery) -> bool:
        life = hidden_until_death(self._remaining())
        return self._places.take(dataset, delivery.message_id, life=life)

    def _given_back(self, delivery: Delivery) -> DeliveryOutcome:
        """The message waits. After some deliveries a copy takes its place: the queue
        counts them, and would take one that only waits for a dead letter.
        """
        LOG.info("%s waits: its API is at max_concurrency", delivery.request.group)
        is_copied = delivery.tries >= WAITING_TRIES
        if is_copied:
            self._sqs.send_message(
                QueueUrl=self._queue_of(delivery.request),
                MessageBody=delivery.request.model_dump_json(exclude_none=True),
                MessageGroupId=delivery.request.group,
                MessageDeduplicationId=f"{delivery.message_id}-waits",
            )
        return DeliveryOutcome(is_done=is_copied, result=None, waits=True)

    def _pull_now(self, dataset: Dataset, delivery: Delivery) -> DeliveryOutcome:
        request, continues = delivery.request, delivery.request.reason == "continuation"
        result = self._puller.pull(dataset, asked_at=delivery.first_at)
        is_over = result.went_on and not result.continues and result.run.error is None
        if is_over and not continues and not self._is_answered(request):
            # The tick only ended what had begun before it: what it asked for is new.
            result = self._puller.pull(dataset, asked_at=delivery.first_at)
        if result.continues:
            self._continue(request, result.run.run_id)
        end = ending(result.run, tries=delivery.tries)
        return DeliveryOutcome(is_done=end is MessageEnding.DONE, result=result)

    def _pull_slice(self, delivery: Delivery, part: Slice) -> DeliveryOutcome:
        """On with a slice of a backfill, which other deliveries do not wait for."""
        dataset = self._catalogue().datasets.get(part.dataset)
        if dataset is None:
            return DeliveryOutcome(is_done=True, result=None)
        if not self._has_place(dataset, delivery):
            return self._given_back(delivery)
        try:
            return self._pull_slice_now(dataset, delivery, part)
        finally:
            self._places.leave(dataset, delivery.message_id)

    def _pull_slice_now(
        self, dataset: Dataset, delivery: Delivery, part: Slice
    ) -> DeliveryOutcome:
        result = self._puller.pull_slice(dataset, part)
        if result is None:
            return DeliveryOutcome(is_done=True, result=None)
        if result.continues:
            self._continue(delivery.request, result.run.run_id)
        is_done = ending(result.run, tries=delivery.tries) is MessageEnding.DONE
        if is_done and result.run.error is not None:
            self._puller.give_up(part, result.run.error)
        return DeliveryOutcome(is_done=is_done, result=result)

    def _is_answered(self, request: PullRequest) -> bool:
        return self._puller.is_done(request.dataset, request.due_at)

    def _continue(self, request: PullRequest, after: str) -> None:
        """Queue the rest; if that fails, this message comes again and goes on."""
        following = continuation(request, after)
        if following is None:
            LOG.warning(
                "%s is not complete after %d continuations; the next tick, or the same "
                "backfill command, goes on",
                request.group,
                request.hops,
            )
            return
        self._sqs.send_message(
            QueueUrl=self._queue_of(request),
            MessageBody=following.model_dump_json(exclude_none=True),
            MessageGroupId=request.group,
        )

    def _queue_of(self, request: PullRequest) -> str:
        return self._backfills_queue_url if request.slice else self._queue_url

    def _hide(self, delivery: Delivery, during: timedelta) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._queue_of(delivery.request),
            ReceiptHandle=delivery.receipt_handle,
            VisibilityTimeout=int(during.total_seconds()),
        )
