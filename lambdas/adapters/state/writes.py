"""Writing to the state table: throttled writes wait and are tried again, and an item
that cannot be written takes no other with it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambdas.core.errors import StateConflict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 25
"""Writes in one BatchWriteItem (DynamoDB)."""
TRIES = 8
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 3.0
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ThrottlingError",
        "InternalServerError",
    }
)
_TAKEN = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwritten:
    """A write that was not made, and why."""

    request: Any
    why: str


class TableWriter:
    """Writes to one table."""

    def __init__(
        self,
        *,
        dynamodb: DynamoDBClient,
        table: str,
        sleep: Callable[[float], object] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._sleep = sleep
        self._jitter = jitter

    def transact(self, actions: Sequence[Any], *, refused: str) -> None:
        """All of `actions`, or none: a condition raises StateConflict(`refused`)."""
        for left in reversed(range(TRIES)):
            try:
                self._dynamodb.transact_write_items(TransactItems=actions)
            except ClientError as error:
                codes = _codes(error)
                # Who was first is decided where a condition failed; a conflict with
                # another transaction is decided by the next try.
                if codes & _TAKEN:
                    raise StateConflict(refused) from error
                if not codes & THROTTLED or not left:
                    raise
                self._pause(TRIES - 1 - left)
            else:
                return

    def batch(self, requests: Sequence[Any]) -> list[Unwritten]:
        """Puts and deletes, each for itself; those that could not be made."""
        unwritten: list[Unwritten] = []
        for start in range(0, len(requests), BATCH):
            unwritten += self._written(list(requests[start : start + BATCH]))
        return unwritten

    def _written(self, requests: list[Any]) -> list[Unwritten]:
        left = requests
        for attempt in range(TRIES):
            try:
                answer = self._dynamodb.batch_write_item(
                    RequestItems={self._table: left}
                )
            except ClientError as error:
                if _codes(error) & THROTTLED:
                    self._pause(attempt)
                    continue
                if len(left) == 1:
                    return [Unwritten(request=left[0], why=str(error))]
                # One of them is refused, and with it all: each is tried alone.
                return [one for item in left for one in self._written([item])]
            left = list(answer.get("UnprocessedItems", {}).get(self._table, []))
            if not left:
                return []
            self._pause(attempt)
        why = f"DynamoDB left it undone after {TRIES} tries"
        return [Unwritten(request=item, why=why) for item in left]

    def _pause(self, attempt: int) -> None:
        """Longer each time, and for everybody another time."""
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
        self._sleep(longest * (0.5 + self._jitter() / 2))


def _codes(error: ClientError) -> set[str]:
    """What DynamoDB says is wrong, also within a transaction."""
    reasons = error.response.get("CancellationReasons", [])
    codes = {str(reason.get("Code")) for reason in reasons}
    return codes | {str(error.response.get("Error", {}).get("Code"))}
