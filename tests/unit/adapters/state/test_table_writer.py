"""Throttled writes wait, and one that cannot be made takes no other with it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.state.writes import (
    BATCH,
    LONGEST_PAUSE_S,
    TRIES,
    TableWriter,
    Unwritten,
)
from lambdas.core.errors import StateConflict

THROTTLES = (
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ThrottlingError",
    "InternalServerError",
)


def refused(code: str, *reasons: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": code},
        "CancellationReasons": [{"Code": one} for one in reasons],
    }
    return ClientError(answer, "Write")


class Table:
    """A table that answers as it is told to, and then takes everything."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[list[Any]] = []
        self.odd: Callable[[Any], bool] = lambda _: False
        self.leaves: int = 0
        """How many of a batch it leaves undone."""

    def transact_write_items(self, **request: Any) -> None:
        self._answer(request["TransactItems"])

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        self._answer(wanted)
        if any(map(self.odd, wanted)):
            raise refused("ValidationException")
        left = wanted[: self.leaves]
        return {"UnprocessedItems": {table: left} if left else {}}

    def _answer(self, wanted: list[Any]) -> None:
        self.asked.append(list(wanted))
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer


class Rig:
    def __init__(self, *answers: Exception | None, jitter: float = 1.0) -> None:
        self.table = Table(*answers)
        self.slept: list[float] = []
        self.writer = TableWriter(
            dynamodb=self.table,  # type: ignore[arg-type]  # the calls that are made
            table="state",
            sleep=self.slept.append,
            jitter=lambda: jitter,
        )

    def transact(self) -> None:
        self.writer.transact(["a", "b"], refused="somebody was first")


# transactions ------------------------------------------------------------------------
def test_a_transaction_is_made_once() -> None:
    rig = Rig()
    rig.transact()
    assert (rig.table.asked, rig.slept) == ([["a", "b"]], [])


@pytest.mark.parametrize("reason", ["ConditionalCheckFailed", "TransactionConflict"])
def test_one_who_was_second_conflicts_at_once(reason: str) -> None:
    rig = Rig(refused("TransactionCanceledException", "None", reason))
    with pytest.raises(StateConflict, match=r"^somebody was first$"):
        rig.transact()
    assert len(rig.table.asked) == 1


@pytest.mark.parametrize("code", THROTTLES)
def test_a_throttled_transaction_waits_whoever_says_so(code: str) -> None:
    for answer in (refused(code), refused("TransactionCanceledException", code)):
        rig = Rig(answer)
        rig.transact()
        assert (len(rig.table.asked), rig.slept) == (2, [0.05])


def test_a_transaction_that_stays_throttled_ends_in_its_error() -> None:
    rig = Rig(*[refused("ThrottlingException")] * TRIES)
    with pytest.raises(ClientError, match="ThrottlingException"):
        rig.transact()
    assert (len(rig.table.asked), len(rig.slept)) == (TRIES, TRIES - 1)


def test_what_is_wrong_with_a_transaction_is_an_error_at_once() -> None:
    rig = Rig(refused("ValidationException"))
    with pytest.raises(ClientError, match="ValidationException"):
        rig.transact()
    assert (len(rig.table.asked), rig.slept) == (1, [])


def test_pauses_double_up_to_a_bound_and_half_of_each_is_by_chance() -> None:
    for jitter, share in ((1.0, 1.0), (0.0, 0.5), (0.5, 0.75)):
        rig = Rig(*[refused("ThrottlingException")] * (TRIES - 1), jitter=jitter)
        rig.transact()
        whole = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_PAUSE_S]
        assert rig.slept == pytest.approx([one * share for one in whole])


# batches -----------------------------------------------------------------------------
def test_a_batch_goes_in_parts_of_25() -> None:
    rig = Rig()
    wanted = list(range(2 * BATCH + 1))
    assert rig.writer.batch(wanted) == []
    assert rig.table.asked == [wanted[:25], wanted[25:50], wanted[50:]]
    assert rig.writer.batch([]) == []


def test_what_is_left_undone_is_tried_again_and_nothing_else() -> None:
    rig = Rig()
    rig.table.leaves = 2
    rig.table.answers = [None, refused("ThrottlingException")]
    unwritten = rig.writer.batch([1, 2, 3])
    assert rig.table.asked == [[1, 2, 3], *[[1, 2]] * (TRIES - 1)]
    why = "DynamoDB left it undone after 8 tries"
    assert unwritten == [Unwritten(request=one, why=why) for one in (1, 2)]
    assert [a <= b for a, b in pairwise(rig.slept)] == [True] * (TRIES - 1)


def test_a_batch_that_is_taken_late_is_whole() -> None:
    rig = Rig(refused("ThrottlingException"), None)
    assert rig.writer.batch([1, 2, 3]) == []
    assert rig.table.asked == [[1, 2, 3], [1, 2, 3]]


def test_one_that_is_refused_takes_no_other_with_it() -> None:
    rig = Rig()
    rig.table.odd = lambda one: one == 2
    (unwritten,) = rig.writer.batch([1, 2, 3])
    assert unwritten.request == 2
    assert "ValidationException" in unwritten.why
    assert rig.table.asked == [[1, 2, 3], [1], [2], [3]]
    assert rig.slept == []
