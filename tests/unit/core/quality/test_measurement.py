"""Many checks by few statements, and what becomes of those that hurt."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lambdas.core.errors import (
    StatementCancelled,
    WarehouseError,
    WarehouseUnreachable,
)
from lambdas.core.quality.measurement import BatchMeasurement
from lambdas.core.quality.statements import Branch


class FakeAnswers:
    """Answers 1 to every expression; a text in `faults` fails its whole statement."""

    def __init__(self, **faults: WarehouseError) -> None:
        self.faults = faults
        self.asked: list[str] = []

    def query(
        self, statement: str, parameters: Sequence[object] = (), **_: object
    ) -> list[tuple[object, ...]]:
        del parameters
        self.asked.append(statement)
        for text, error in self.faults.items():
            if text in statement:
                raise error
        width = statement.partition(" FROM ")[0].count(" AS V")
        numbers = re.findall(r"SELECT (\d+) AS BRANCH", statement)
        return [(int(number), *[1.0] * width) for number in numbers]


def tables(**own: str) -> list[Branch]:
    """100 tables of 5 checks; those that are named hold SQL of a person's."""
    return [
        Branch(
            relation=f"DB.ANALYTICS.T{number}",
            checks=tuple(
                (
                    (f"t{number}", place),
                    (own.get(f"t{number}", "COUNT(*)") if place == 2 else "COUNT(*)",),
                )
                for place in range(5)
            ),
            is_own=f"t{number}" in own,
        )
        for number in range(100)
    ]


def measured(answers: FakeAnswers, branches: list[Branch]) -> BatchMeasurement:
    asking = BatchMeasurement(warehouse=answers, has_time=lambda: True)
    asking.measure(branches)
    return asking


def test_five_hundred_checks_of_a_hundred_tables_are_a_few_statements() -> None:
    asking = measured(FakeAnswers(), tables())

    assert len(asking.values) == 500
    assert asking.statements <= 4


def test_three_that_hurt_leave_all_others_their_verdicts() -> None:
    answers = FakeAnswers(
        GONE_COLUMN=WarehouseError("invalid identifier"),
        BY_ZERO=WarehouseError("division by zero"),
        TOO_LONG=StatementCancelled("statement timeout"),
    )
    own = {"t3": "GONE_COLUMN", "t50": "BY_ZERO", "t99": "TOO_LONG"}
    asking = measured(answers, tables(**own))

    assert len(asking.values) == 497
    assert {*asking.errors} == {("t3", 2), ("t50", 2), ("t99", 2)}
    assert asking.statements <= 40


def test_a_warehouse_that_is_gone_is_asked_once() -> None:
    answers = FakeAnswers(COUNT=WarehouseUnreachable("no route"))
    asking = measured(answers, tables())

    assert len(answers.asked) == 1
    assert len(asking.errors) == 500


def test_what_is_no_finite_number_is_unknown() -> None:
    class Infinite(FakeAnswers):
        def query(
            self, statement: str, parameters: Sequence[object] = (), **_: object
        ) -> list[tuple[object, ...]]:
            del statement, parameters
            return [(0, float("inf"))]

    branch = Branch(relation="T", checks=((("cats", 0), ("1 / 0",)),))
    assert "division by zero" in measured(Infinite(), [branch]).errors["cats", 0]
