"""`pulls.fifo` and its event source: one group, visibility, redrive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.soak.aws import client_error
from tests.soak.faults import Mishap
from tests.soak.world import World

MAX_RECEIVES = 5
VISIBILITY_S = 90 * 60.0
DEDUPLICATED_S = 300.0


@dataclass(slots=True, kw_only=True)
class Message:
    """One message; `hidden_until_s` while somebody has it."""

    message_id: str
    body: str
    hidden_until_s: float = 0.0
    receives: int = 0
    receipt: str = ""


class Queue:
    """A FIFO queue with one group. `deliver` is given (message id, receipt, body,
    tries) and says whether the message is done; whatever it raises has been noted.
    """

    def __init__(
        self, world: World, *, deliver: Callable[[dict[str, Any]], bool]
    ) -> None:
        self.waiting: list[Message] = []
        self.dead: list[Message] = []
        self._world = world
        self._deliver = deliver
        self._sent = 0
        self._recent: dict[str, float] = {}

    def send(self, body: str) -> None:
        """What Scheduler does, and SendMessage: at least once, deduplicated."""
        now_s = self._world.now_s
        if now_s - self._recent.get(body, -DEDUPLICATED_S) < DEDUPLICATED_S:
            return
        self._recent[body] = now_s
        self._sent += 1
        self.waiting.append(Message(message_id=f"m{self._sent}", body=body))
        self._world.at(now_s, self.poll)

    def poll(self) -> None:
        """Deliver the group's first message, unless it is hidden."""
        if not self.waiting:
            return
        first = self.waiting[0]
        if first.hidden_until_s > self._world.now_s:
            if not self._world.happens(Mishap.DELIVERED_BESIDE, 0.05):
                return
            first = self._world.rng.choice(self.waiting)
        if first.receives >= MAX_RECEIVES:
            self._world.note(f"{first.message_id} is dead")
            self.waiting.remove(first)
            self.dead.append(first)
            self._world.counts["dead letters"] += 1
            self._world.at(self._world.now_s, self.poll)
            return
        first.receives += 1
        if first.receives > 1:
            self._world.counts["redeliveries"] += 1
        first.receipt = f"{first.message_id}-{first.receives}"
        self._hide(first, VISIBILITY_S)
        receipt = first.receipt
        record = {
            "messageId": first.message_id,
            "receiptHandle": receipt,
            "body": first.body,
            "attributes": {"ApproximateReceiveCount": str(first.receives)},
        }
        if self._deliver(record):
            self._delete(receipt)

    def change_message_visibility(self, **request: Any) -> dict[str, Any]:
        """As boto3's."""

        def do() -> dict[str, Any]:
            message = self._of(request["ReceiptHandle"])
            if message is None:
                raise client_error("InvalidParameterValue")
            self._hide(message, request["VisibilityTimeout"])
            return {}

        return self._world.effect("hide message", do, _refuse)

    def send_message(self, **request: Any) -> dict[str, Any]:
        """As boto3's."""

        def do() -> dict[str, Any]:
            self.send(request["MessageBody"])
            return {}

        return self._world.effect("send message", do, _refuse)

    def _delete(self, receipt: str) -> None:
        """What the event source does with a message that is done, if it can."""
        message = self._of(receipt)
        if message is not None and not self._world.weather.happens(0.05):
            self.waiting.remove(message)
            self._world.at(self._world.now_s, self.poll)

    def _of(self, receipt: str) -> Message | None:
        return next((one for one in self.waiting if one.receipt == receipt), None)

    def _hide(self, message: Message, seconds: float) -> None:
        message.hidden_until_s = self._world.now_s + seconds
        self._world.at(message.hidden_until_s, self.poll)


def _refuse(done: bool) -> Exception:  # noqa: FBT001 - what the world calls it with
    del done
    return client_error("ServiceUnavailable")
