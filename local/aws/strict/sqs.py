"""FIFO queues that remember a deduplication id for its five minutes.

moto looks for the id among the messages still in the queue, so that it is forgotten
as soon as its message is deleted.
"""

from __future__ import annotations

import time
from hashlib import sha256
from weakref import WeakKeyDictionary

from moto.sqs import models

DEDUPLICATION_S = 300
"""SQS developer guide, "Exactly-once processing in Amazon SQS"."""

_sent: WeakKeyDictionary[models.Queue, dict[str, float]] = WeakKeyDictionary()


def install() -> None:
    """Replace moto's check, in this process."""
    add = models.Queue.add_message

    def add_message(self: models.Queue, message: models.Message) -> None:
        if self.fifo_queue:
            deduplication_id = _deduplication_id(self, message)
            now = time.time()
            sent = _sent.setdefault(self, {})
            for old in [one for one, at in sent.items() if now - at >= DEDUPLICATION_S]:
                del sent[old]
            if deduplication_id in sent:
                return
            if deduplication_id:
                sent[deduplication_id] = now
        add(self, message)

    models.Queue.add_message = add_message  # type: ignore[method-assign]


def _deduplication_id(queue: models.Queue, message: models.Message) -> str | None:
    if message.deduplication_id:
        return message.deduplication_id
    if queue.attributes.get("ContentBasedDeduplication") == "true":
        return sha256(message.body.encode()).hexdigest()
    return None
