"""What wakes a pull: one message of the queue `pulls`, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from itertools import takewhile
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from lambdas.core.cursor.order import CursorValue
from lambdas.core.errors import BadInput, RunErrorKind
from lambdas.core.pull.run import Run, RunStatus
from lambdas.core.pull.segment import MAX_HOPS
from lambdas.core.pull.slice import Slice

MAX_TRIES = 4
"""Deliveries after which a pull that upstream keeps refusing waits for its next tick.

Fewer than the queue's own limit: an API that is down is told by the freshness check,
and its messages are no dead letters.
"""

_PASSING = {RunErrorKind.THROTTLED, RunErrorKind.TIMEOUT, RunErrorKind.HTTP}
_FIRST_WAIT = timedelta(minutes=1)
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_LONGEST_WAIT = timedelta(minutes=15)
AFTER_DEATH = timedelta(seconds=60)
"""How long past the function's own end a message stays hidden if it is killed."""


class SliceRequest(BaseModel):
    """Which slice a message asks for; `asked` names the command that sent it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lane: str
    start: CursorValue
    end: CursorValue
    attempt: int = 1
    asked: str | None = None


class PullRequest(BaseModel):
    """The body of a message; `due_at` is the tick that asked, absent for a person.

    A continuation names the run `after` which a long pull goes on, so that no two are
    equal, and how many `hops` it is away from the message that began the chain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    reason: Literal["schedule", "manual", "continuation", "backfill"] = "schedule"
    due_at: AwareDatetime | None = None
    after: str | None = None
    hops: int = 0
    slice: SliceRequest | None = None

    @classmethod
    def of_slice(cls, part: Slice) -> Self:
        """The message that asks for a slice."""
        return cls(
            dataset=part.dataset,
            reason="backfill",
            slice=SliceRequest(
                lane=part.lane,
                start=part.start,
                end=part.end,
                attempt=part.attempt,
                asked=part.asked,
            ),
        )

    @property
    def group(self) -> str:
        """Of what only one is worked on at a time: a dataset, or a slice of one."""
        return self.slice.lane if self.slice is not None else self.dataset

    @property
    def part(self) -> Slice | None:
        """The slice that is asked for, if it is one."""
        if self.slice is None:
            return None
        return Slice(dataset=self.dataset, **self.slice.model_dump())


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery of a message; `tries` counts it in, and `first_at` is when the queue
    first gave it out, by the queue's own clock.
    """

    message_id: str
    receipt_handle: str
    tries: int
    request: PullRequest
    first_at: datetime | None = None


def deliveries(event: Mapping[str, object]) -> list[Delivery]:
    """The messages of an SQS event. Raises BadInput for a body that is no request."""
    records = event.get("Records")
    if not isinstance(records, list):
        raise BadInput("an SQS event with Records was expected")
    return [_delivery(record) for record in records]


def _delivery(record: Mapping[str, object]) -> Delivery:
    try:
        request = PullRequest.model_validate_json(str(record["body"]))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise BadInput(
            f"message {record.get('messageId')} is not a pull request: {faults}; "
            'accepted: {"dataset": …, "reason": …, "due_at": …}'
        ) from None
    found = record["attributes"]
    attributes = found if isinstance(found, dict) else {}
    first_ms = attributes.get("ApproximateFirstReceiveTimestamp")
    return Delivery(
        message_id=str(record["messageId"]),
        receipt_handle=str(record["receiptHandle"]),
        tries=int(attributes.get("ApproximateReceiveCount", 1)),
        request=request,
        first_at=None if first_ms is None else _EPOCH + int(first_ms) * _MILLISECOND,
    )


class MessageEnding(Enum):
    """What becomes of a message."""

    DONE = auto()
    AGAIN = auto()


def ending(run: Run, *, tries: int) -> MessageEnding:
    """Whether a pull is worth another delivery: upstream may come back soon.

    So is one whose uploads had expired: the next lands the same rows. What only a
    person can mend (credentials, a changed response) waits for the next tick, and is
    told by the freshness check.
    """
    if run.error is None:
        return MessageEnding.DONE
    is_passing = run.status is RunStatus.VOIDED or run.error.kind in _PASSING
    return (
        MessageEnding.AGAIN if is_passing and tries < MAX_TRIES else MessageEnding.DONE
    )


def continuation(request: PullRequest, after: str) -> PullRequest | None:
    """The message that lets a long pull go on; None past the longest chain."""
    if request.hops >= MAX_HOPS:
        return None
    return PullRequest(
        dataset=request.dataset,
        reason="continuation",
        after=after,
        hops=request.hops + 1,
        slice=request.slice,
    )


def wait_before_retry(tries: int) -> timedelta:
    """1, 2, 4, 8, then 15 minutes."""
    return min(_FIRST_WAIT * (1 << (tries - 1)), _LONGEST_WAIT)


def comes_again_at(runs: Sequence[Run]) -> datetime | None:
    """When the message of the newest run is delivered again, as far as the runs of its
    dataset, the newest first, show: until then no other of that dataset is. None if it
    was the last delivery, or is not over.
    """
    failed = takewhile(_comes_again, runs)
    tries = sum(1 for _ in failed) % MAX_TRIES
    ended_at = runs[0].finished_at if runs else None
    if not tries or ended_at is None:
        return None
    return ended_at + wait_before_retry(tries)


def _comes_again(run: Run) -> bool:
    is_ours = run.error is not None and run.error.kind is RunErrorKind.INTERNAL
    return is_ours or ending(run, tries=1) is MessageEnding.AGAIN


def hidden_until_death(remaining: timedelta) -> timedelta:
    """How long to hide a message that is being worked on.

    Not the queue's 90 minutes: if the function is killed, its dataset waits only until
    the function would have ended anyway.
    """
    return remaining + AFTER_DEATH
