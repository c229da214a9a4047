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
    first_ms: int = 0
    receipt: str = ""


class Queue:
    """A FIFO queue with one group. `deliver` is given (message id, receipt, body,
    tries) and says whether the message is done; whatever it raises has been noted.
    """

    def __init__(
        self,
        world: World,
        *,
        deliver: Callable[[dict[str, Any]], bool],
        group: str = "m",
    ) -> None:
        self.waiting: list[Message] = []
        self.dead: list[Message] = []
        self._world = world
        self._deliver = deliver
        self._group = group
        self._sent = 0
        self._recent: dict[str, float] = {}

    def send(self, body: str) -> None:
        """What Scheduler does, and SendMessage: at least once, deduplicated."""
        now_s = self._world.now_s
        if now_s - self._recent.get(body, -DEDUPLICATED_S) < DEDUPLICATED_S:
            return
        self._recent[body] = now_s
        self._sent += 1
        self.waiting.append(Message(message_id=f"{self._group}{self._sent}", body=body))
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
        if first.receives == 1:
            first.first_ms = int(self._world.now().timestamp() * 1000)
        if first.receives > 1:
            self._world.counts["redeliveries"] += 1
        first.receipt = f"{first.message_id}-{first.receives}"
        self._hide(first, VISIBILITY_S)
        receipt = first.receipt
        record = {
            "messageId": first.message_id,
            "receiptHandle": receipt,
            "body": first.body,
            "attributes": {
                "ApproximateReceiveCount": str(first.receives),
                "ApproximateFirstReceiveTimestamp": str(first.first_ms),
            },
        }
        if self._deliver(record):
            self._delete(receipt)

    def change_message_visibility(self, **request: Any) -> dict[str, Any]:
        """As boto3's."""

        def do() -> dict[str, Any]:
            message = self.of(request["ReceiptHandle"])
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
        message = self.of(receipt)
        if message is not None and not self._world.weather.happens(0.05):
            self.waiting.remove(message)
            self._world.at(self._world.now_s, self.poll)

    def of(self, receipt: str) -> Message | None:
        """The message that was received so, unless it was since received again."""
        return next((one for one in self.waiting if one.receipt == receipt), None)

    def _hide(self, message: Message, seconds: float) -> None:
        message.hidden_until_s = self._world.now_s + seconds
        self._world.at(message.hidden_until_s, self.poll)


class Queues:
    """`pulls` with its one group, and `backfills` with one for each slice."""

    def __init__(
        self, world: World, *, deliver: Callable[[dict[str, Any]], bool]
    ) -> None:
        self.pulls = Queue(world, deliver=deliver)
        self._lanes: dict[str, Queue] = {}
        self._world = world
        self._deliver = deliver

    def of_lane(self, lane: str) -> Queue:
        """The group of a slice."""
        if lane not in self._lanes:
            group = f"s{len(self._lanes) + 1}m"
            self._lanes[lane] = Queue(self._world, deliver=self._deliver, group=group)
        return self._lanes[lane]

    @property
    def waiting(self) -> list[Message]:
        """All that is in any of them."""
        every = (self.pulls, *self._lanes.values())
        return [message for queue in every for message in queue.waiting]

    def change_message_visibility(self, **request: Any) -> dict[str, Any]:
        """As boto3's."""
        receipt = request["ReceiptHandle"]
        queue = self.pulls
        if request["QueueUrl"] != "queue":
            group = receipt.partition("m")[0]
            queue = next(
                one
                for number, one in enumerate(self._lanes.values(), start=1)
                if group == f"s{number}"
            )
        return queue.change_message_visibility(**request)

    def send_message(self, **request: Any) -> dict[str, Any]:
        """As boto3's."""
        is_live = request["QueueUrl"] == "queue"
        group = request["MessageGroupId"]
        queue = self.pulls if is_live else self.of_lane(group)
        return queue.send_message(**request)


def _refuse(done: bool) -> Exception:  # noqa: FBT001 - what the world calls it with
    del done
    return client_error("ServiceUnavailable")
