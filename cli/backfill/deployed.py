"""A backfill by the deployed pull function: its slices are queued, and watched."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.backfill.progress import Ended, View
from cli.deployed.environment import Deployed, NotReached, deployed
from lambdas.core.backfill.backfill import Progress, SliceStatus, backfill_of, progress
from lambdas.core.errors import RunErrorKind
from lambdas.core.names import backfills_queue_name
from lambdas.core.pull.message import PullRequest
from lambdas.core.pull.run import RunError
from lambdas.core.pull.slice import Slice
from lambdas.core.text.count import counted

if TYPE_CHECKING:
    from lambdas.adapters.state.runs import StateTable

LOOK_S = 2.0
MAX_SENT_AT_ONCE = 10
"""SQS API reference, SendMessageBatch."""

LOST_AFTER_S = 90.0
"""SQS counts its messages only approximately, within a minute or so."""

MANY = 500
"""Slices beyond which they are looked at less often: each look reads them all."""

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_STOPPED = (
    "interrupted; the slices that are queued will still be pulled, and the same "
    "command watches them again and queues the rest"
)
_LOST = RunError(
    kind=RunErrorKind.INTERNAL,
    message="its message has left the queue: it failed several times and is a dead "
    "letter now, or the dataset is not deployed; the pull function's log says why",
)


@contextmanager
def queueing(
    name: str, *, environment: str, environments: Path
) -> Iterator[tuple[StateTable, SlicesQueued]]:
    """The state table of an environment, and who queues slices for its function.

    Raises BadInput, and NotReached for what AWS refuses.
    """
    there = deployed(environment, environments=environments)
    with there.reached():
        table = there.runs()
        yield table, SlicesQueued(there, table, name)


class SlicesQueued:
    """Queues what is pending, and looks at the state until nothing is."""

    def __init__(
        self,
        there: Deployed,
        table: StateTable,
        dataset: str,
        *,
        look_s: float = LOOK_S,
        lost_after_s: float = LOST_AFTER_S,
    ) -> None:
        self._sqs = there.aws("sqs")
        self._queue = backfills_queue_name(there.environment.name)
        self._table = table
        self._dataset = dataset
        self._look_s = look_s
        self._lost_after_s = lost_after_s

    def carry_out(self, parts: Sequence[Slice], view: View) -> Ended:
        """Queue those that have not landed, and watch them. Raises NotReached."""
        asked = secrets.token_hex(4)
        parts = [dataclasses.replace(part, asked=asked) for part in parts]
        found = self._progress(parts)
        try:
            queue_url = self._queue_url()
            pending = [one.slice for one in found if one.status is SliceStatus.PENDING]
            for at in range(0, len(pending), MAX_SENT_AT_ONCE):
                self._send(queue_url, pending[at : at + MAX_SENT_AT_ONCE])
            found = self._watched(parts, queue_url, view)
        except KeyboardInterrupt:
            return Ended(progress=self._progress(parts), interrupted=_STOPPED)
        return Ended(progress=found)

    def _watched(
        self, parts: Sequence[Slice], queue_url: str, view: View
    ) -> list[Progress]:
        """The slices once each has landed, or failed, or was lost."""
        empty_since: float | None = None
        while True:
            found = self._progress(parts)
            view.show(found)
            if not any(one.status is SliceStatus.PENDING for one in found):
                return found
            now_s = time.monotonic()
            if self._is_empty(queue_url):
                empty_since = now_s if empty_since is None else empty_since
                if now_s - empty_since >= self._lost_after_s:
                    return [_lost(one) for one in self._progress(parts)]
            else:
                empty_since = None
            time.sleep(self._look_s * max(1.0, len(parts) / MANY))

    def _progress(self, parts: Sequence[Slice]) -> list[Progress]:
        lanes = self._table.lanes(self._dataset, backfill_of(parts))
        return progress(parts, lanes, asked=parts[0].asked)

    def _queue_url(self) -> str:
        try:
            answer: dict[str, str] = self._sqs.get_queue_url(QueueName=self._queue)
        except self._sqs.exceptions.QueueDoesNotExist:
            raise NotReached(
                f"there is no queue {self._queue}: deploy this version first, or pull "
                "here with --landing and --state"
            ) from None
        return answer["QueueUrl"]

    def _send(self, queue_url: str, parts: Sequence[Slice]) -> None:
        requests = [PullRequest.of_slice(part) for part in parts]
        answer: dict[str, Any] = self._sqs.send_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {
                    "Id": str(number),
                    "MessageBody": request.model_dump_json(exclude_none=True),
                    "MessageGroupId": request.group,
                }
                for number, request in enumerate(requests)
            ],
        )
        if answer.get("Failed"):
            first = answer["Failed"][0]
            raise NotReached(
                f"{counted(len(answer['Failed']), 'slice')} could not be queued "
                f"({first.get('Code')}: {first.get('Message')}); the same command goes "
                "on"
            )

    def _is_empty(self, queue_url: str) -> bool:
        answer = self._sqs.get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=list(_COUNTS)
        )
        return not any(int(answer["Attributes"].get(name, "0")) for name in _COUNTS)


def _lost(one: Progress) -> Progress:
    if one.status is not SliceStatus.PENDING:
        return one
    return dataclasses.replace(one, status=SliceStatus.FAILED, error=one.error or _LOST)
